"""Every choice of a run, with its default and its source.

The same object is the command line's options, the TOML file in and out, and the methods paragraph of
the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from bolus.core.errors import BadRecipe
from bolus.core.units import Modality

GAVA = "Gava et al. 2023, doi:10.3389/fninf.2023.852105"
BOXERMAN = "Boxerman et al. 2006, AJNR 27:859"
BOUTELIER = "Boutelier et al. 2012, doi:10.1109/TMI.2012.2189890"
FREEDMAN = "Freedman 1981, doi:10.1214/aos/1176345638"
STRAKA = "Straka et al. 2010, doi:10.1002/jmri.22338"


USUAL: Final[Mapping[Modality, Mapping[str, Any]]] = MappingProxyType(
    {
        Modality.CT: {"method": "posterior", "filter": "profile"},
        Modality.MR: {"method": "posterior", "filter": "none"},
        Modality.XA: {"method": "csvd", "filter": "gaussian"},
    }
)
"""What `auto` stands for. MR is not filtered, because its maps gain nothing from it."""
_DSA: Final = MappingProxyType({"cutoff": 0.2, "tail_s": 2.5})
"""Options of `csvd` for X-ray runs, which end during the washout; see the documentation, Deconvolution."""


def _choice(default: Any, section: str, text: str, source: str = "") -> Any:
    return field(default=default, metadata={"section": section, "help": text, "source": source})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to do with a series, stage by stage; `DEFAULT` is what a run does unasked."""

    series: str = _choice("", "read", "Series to use: UID, number or description; empty picks the best.")
    modality: str = _choice("", "read", "Modality: ct, mr or xa; empty reads it from the files.")
    dt: float | None = _choice(None, "read", "Interval between frames [s], where the files do not say.")
    te_ms: float | None = _choice(None, "read", "Echo time [ms], where the files do not say.")
    motion: str = _choice("rigid", "prepare", "Motion correction: rigid or none.", GAVA)
    motion_reference: str = _choice(
        "baseline", "prepare", "What to align to: baseline (mean of its frames), first, or a frame number."
    )
    residual_motion: bool = _choice(
        True, "prepare", "Take out of the curves what motion correction leaves in them; X-ray runs: no."
    )
    mask: str = _choice("auto", "prepare", "Brain mask: auto, or MASK.nii.gz in the series' geometry.")
    time_step: float | None = _choice(
        None,
        "prepare",
        "Even time grid [s]; unset: the series' own, or its finest step within 0.5-1 s if uneven.",
    )
    filter: str = _choice(
        "auto",
        "prepare",
        "Noise filter: auto (profile; MR: none; X-ray: gaussian), profile, bilateral, gaussian, tips, none.",
    )
    filter_sigma_mm: float | None = _choice(
        None, "prepare", "Spatial SD of the filter [mm]; unset: 3, or 4 (profile), or 0.5 (X-ray).", GAVA
    )
    filter_range_hu: float = _choice(20.0, "prepare", "Range SD of the bilateral filter [HU].", GAVA)
    leakage: bool = _choice(False, "tracer", "Correct DSC-MRI for leakage (tumours, not stroke).", BOXERMAN)
    aif: str = _choice(
        "auto",
        "vessels",
        "Arterial input: auto, kmeans, tissue (of no artery), FILE.csv, MASK.nii.gz, or x,y,z (voxel); X-ray "
        "also: physics, asking no network.",
    )
    vof: str = _choice(
        "auto", "vessels", "Venous output: auto, none, FILE.csv, MASK.nii.gz, or x,y,z (voxel)."
    )
    partial_volume: bool = _choice(True, "vessels", "Scale the AIF to the venous area, within guards.")
    method: str = _choice(
        "auto",
        "deconvolve",
        "Deconvolution: auto (posterior; X-ray: csvd), posterior, osvd, csvd, ssvd, tikhonov, box, vascular, "
        "slope or moment; trained networks: net, unet (CT), temp-pix2pix (MR); X-ray: also paper (causal, "
        "Volterra).",
        BOUTELIER,
    )
    neighbours: bool = _choice(
        True, "deconvolve", "Let voxels lean on their neighbours (posterior and vascular)."
    )
    method_options: Mapping[str, float | str | bool] = field(
        default_factory=dict,
        metadata={"section": "deconvolve", "help": "Options of the method, by name.", "source": ""},
    )
    bootstrap: int = _choice(
        0,
        "deconvolve",
        "Repeats of the bootstrap that gives osvd, csvd, ssvd and tikhonov standard deviations; 0: none.",
        FREEDMAN,
    )
    ttp_origin: str = _choice(
        "arrival", "quantify", "Zero of TTP: scan (first frame), arrival or peak of the AIF."
    )
    rule: str = _choice("rapid", "lesions", "Lesion rule by style.", STRAKA)
    min_lesion_ml: float = _choice(1.0, "lesions", "Smallest lesion component that counts [mL].")

    def __post_init__(self) -> None:
        hints = get_type_hints(Recipe)
        for choice in fields(self):
            _check(choice, getattr(self, choice.name), str(hints[choice.name]))

    @classmethod
    def from_sections(cls, sections: Mapping[str, Any]) -> Recipe:
        """Build a recipe from nested sections, as in its TOML file.

        Raises
        ------
        BadRecipe
            If a section or an option is unknown, or a value is of the wrong kind.
        """
        known = {f.name: f.metadata["section"] for f in fields(cls)}
        chosen: dict[str, Any] = {}
        for section, options in sections.items():
            for name, value in options.items() if isinstance(options, Mapping) else [(None, None)]:
                if known.get(str(name)) != section:
                    raise BadRecipe(
                        f"the recipe has an unknown option {section}.{name}",
                        wanted="one of " + ", ".join(f"{s}.{n}" for n, s in known.items()),
                    )
                chosen[str(name)] = value
        return cls(**chosen)

    def settled(self, modality: Modality) -> Recipe:
        """Return the recipe with `auto` replaced by what it stands for in a modality."""
        usual = {name: value for name, value in USUAL[modality].items() if getattr(self, name) == "auto"}
        if modality is not Modality.XA:
            return replace(self, **usual)
        if self.method == "paper":
            causal = {"rule": "volterra", **self.method_options}
            usual |= {"method": "ssvd", "method_options": causal, "time_step": self.time_step or 1.0}
        elif self.method == "auto":
            usual |= {"method_options": {**_DSA, **self.method_options}}
        sigma = self.filter_sigma_mm or 0.5
        return replace(self, **usual, filter_sigma_mm=sigma, neighbours=False)

    def sections(self) -> dict[str, dict[str, Any]]:
        """Return the choices by section and name; unset ones are left out (TOML has no null)."""
        nested: dict[str, dict[str, Any]] = {}
        values = asdict(self)
        for choice in fields(self):
            if values[choice.name] is not None:
                nested.setdefault(choice.metadata["section"], {})[choice.name] = values[choice.name]
        return nested


def _check(choice: Field[Any], value: Any, hint: str) -> None:
    kinds: dict[str, tuple[type, ...]] = {
        "<class 'str'>": (str,),
        "<class 'bool'>": (bool,),
        "<class 'int'>": (int,),
        "<class 'float'>": (int, float),
        "float | None": (int, float, type(None)),
    }
    wanted = kinds.get(hint, (Mapping,))
    wrong_kind = not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_count = int in wanted and float not in wanted
    if wrong_kind or (is_number and not (0 < value < 1e6 or (is_count and value == 0))):
        above = "a whole number from 0 on" if is_count else "a number above 0"
        wanted_text = above if {int, float} & {*wanted} else choice.metadata["help"].rstrip(".")
        raise BadRecipe(f"{choice.name} is out of range", wanted=wanted_text, found=repr(value))


DEFAULT = Recipe()


def _described(choice: Field[Any]) -> str:
    return f"{choice.name}\n    {choice.metadata['help']} Default: `{getattr(DEFAULT, choice.name)!r}`."


Recipe.__doc__ = "\n".join(
    [f"{Recipe.__doc__}\n", "Parameters", "----------", *map(_described, fields(Recipe))]
)
