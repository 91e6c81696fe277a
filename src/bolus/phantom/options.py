"""What can be chosen about a simulated study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from bolus.core.errors import BadRecipe
from bolus.phantom.lesion import LESIONS
from bolus.phantom.timing import TIMINGS
from bolus.physics.transport import RESIDUES

Pose = tuple[float, float, float, float, float, float]
"""Translations along x, y, z (RAS) [mm], then rotations about x, y, z [degrees]."""

TILTED: Pose = (2.5, -2.0, 0.0, 0.0, 1.5, 3.0)
"""A head that lies as heads do: a little off centre, turned and tipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Physiology:
    """What differs between the patients of a cohort beside their anatomy; as it stands, the first patient.

    Parameters
    ----------
    aif_alpha, aif_beta_s
        Shape [no unit] and scale [s] of the gamma-variate of the first passage: slow injections and weak
        hearts widen it.
    recirculation
        Area of the second passage as a part of the first.
    flow, volume
        CBF of all tissue, and CBV beyond that, as factors; CBV and curves grow with both.
    lesion_size
        Half-axes of core and hypoperfused tissue, as a factor.
    lesion_shift_mm
        Where their centre lies from its usual place: to the side of the lesion, forward, up [mm].
    lesion_delay_s
        How much later than usual contrast reaches hypoperfused tissue [s].
    atrophy_mm
        How much wider than usual the ventricles are to each side; furrows widen with them [mm].
    dispersion_s
        Time constant of the exponential that widens the arterial curve on its way to tissue [s].
    decoupling
        How far flow and volume of tissue, each on its own, stray from what its anatomy makes one expect:
        standard deviation of the logarithm of a smooth random factor, and of one of all grey matter.
    """

    aif_alpha: float = 3.0
    aif_beta_s: float = 1.5
    recirculation: float = 0.25
    flow: float = 1.0
    volume: float = 1.0
    lesion_size: float = 1.0
    lesion_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lesion_delay_s: float = 0.0
    atrophy_mm: float = 0.0
    dispersion_s: float = 0.0
    decoupling: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KudoOptions:
    """Choices for the grid of tiles.

    Parameters
    ----------
    residue
        `exponential`, `linear`, `box` or `gamma`, or `all` for the first three one after another.
    dt, n_frames
        Frame interval [s] and number of frames.
    noise_hu
        Standard deviation of white noise [HU].
    aif_fraction
        Part of the arterial block's voxels that is blood: below 1, partial volume to be corrected.
    tile_px
        Edge of a tile [pixels]; 32 in the published layout, fewer make a quick test.
    """

    residue: str = "exponential"
    dt: float = 2.0
    n_frames: int = 30
    noise_hu: float = 0.5
    aif_fraction: float = 1.0
    tile_px: int = 32
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CtOptions:
    """Choices for a CT perfusion study of a head.

    Parameters
    ----------
    shape
        Voxels along x, y, z; they always cover 220 x 220 x 80 mm.
    dt, n_frames
        Frame interval [s] and number of frames.
    noise_hu, noise_fwhm_px
        Standard deviation of one sample [HU], and the blur that gives it its grain [pixels].
    lesion
        One of `bolus.phantom.lesion.LESIONS`.
    motion
        Whether the head moves: 3 jumps of up to 4 mm and 4 degrees, and a drift of 0.5 mm.
    timing
        One of `bolus.phantom.timing.TIMINGS`.
    residue
        Shape of the residue function of tissue.
    peak_hu, onset_s
        Peak and arrival of the arterial curve.
    pose
        How the head lies.
    physiology
        What else differs between patients.
    head
        Seed of the head's anatomy, for several strokes of one head; None: `seed`, as for all else.
    """

    shape: tuple[int, int, int] = (256, 256, 16)
    dt: float = 1.5
    n_frames: int = 45
    noise_hu: float = 6.0
    noise_fwhm_px: float = 1.5
    lesion: str = "mca-right"
    motion: bool = False
    timing: str = "even"
    residue: str = "exponential"
    peak_hu: float = 300.0
    onset_s: float = 8.0
    pose: Pose = TILTED
    physiology: Physiology = Physiology()
    head: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MrOptions:
    """Choices for a DSC-MRI study of a head; see `CtOptions` for the fields not named here.

    Parameters
    ----------
    dt, te_ms
        Repetition time, which is the frame interval [s], and echo time [ms].
    snr
        Signal of grey matter over the standard deviation of the noise in either channel.
    peak_rate
        Peak dR2* of an artery [1/s].
    """

    shape: tuple[int, int, int] = (128, 128, 16)
    dt: float = 1.6
    n_frames: int = 50
    te_ms: float = 30.0
    snr: float = 50.0
    lesion: str = "mca-right"
    motion: bool = False
    timing: str = "even"
    residue: str = "exponential"
    peak_rate: float = 80.0
    onset_s: float = 12.0
    pose: Pose = TILTED
    physiology: Physiology = Physiology()
    head: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XaOptions:
    """Choices for an X-ray run of the head after an injection into one artery, seen from two sides.

    Parameters
    ----------
    size, field_mm
        Pixels a side and what they cover in the plane of the head [mm].
    fps, fps_late
        Frames a second; and after the arterial phase, where that differs. None: as the site does, which
        is 3 in setting `A`.
    duration_s
        Length of the run [s].
    vessel
        What was injected: `carotid`, `vertebral`, `external`, or `none`, where the contrast missed.
    side
        `right` or `left`; None: drawn.
    clot
        `ICA`, `M1`, `M2`, `M3`, `A2`, or `none` (or None).
    collaterals
        How well they fill what lies behind a clot, 0-1.
    only_late
        Whether a clot shows in nothing but time: what lies behind it is as dense as without one, only later,
        and neither clot nor standing blood is seen. `collaterals` then does not matter.
    external
        Whether the external carotid fills too, as after an injection below the fork; None: drawn.
    layered
        Whether the internal carotid is pale, dark and pale again along its course, from unmixed contrast.
    motion
        Whether the head moves: a jump or two of about 1 mm and 0.6 degrees, and a drift.
    catheter
        Whether a catheter is in view.
    injected_from_first
        Whether the contrast was there before the first frame: no baseline.
    photons
        Photons that a pixel counts behind the middle of the head.
    encoding
        What the file holds: `LIN` or `LOG` of the beam, unsubtracted; `SUB`: already subtracted.
    lut
        Whether a `LOG` file brings the Modality LUT that the standard asks for and many systems leave
        out; a reader then gives linear values, not those that are stored.
    photometric
        `MONOCHROME1` or `MONOCHROME2`.
    sign
        Pixel Intensity Relationship Sign: +1, a vessel is stored darker; -1, brighter; 0, the file does
        not say, and vessels look dark on a screen.
    setting
        Site: `A`, or `B` with other contrast, noise, frame rates and anatomy.
    """

    size: int = 512
    field_mm: float = 180.0
    fps: float | None = None
    fps_late: float | None = None
    duration_s: float = 12.0
    vessel: str = "carotid"
    side: str | None = None
    clot: str | None = "none"
    collaterals: float = 0.5
    only_late: bool = False
    external: bool | None = None
    layered: bool = False
    motion: bool = False
    catheter: bool = False
    injected_from_first: bool = False
    photons: float = 4000.0
    encoding: str = "SUB"
    lut: bool = False
    photometric: str = "MONOCHROME2"
    sign: int = 0
    setting: str = "A"
    seed: int = 0


CLOTS: Final = ("none", "ICA", "M1", "M2", "M3", "A2")
"""Where a clot may sit."""

Options = TypeVar("Options", KudoOptions, CtOptions, MrOptions, XaOptions)


def chosen(options: Options, changes: dict[str, Any]) -> Options:
    """Return options with changes, checked.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    unknown = sorted(set(changes) - set(options.__slots__))
    if unknown:
        raise BadRecipe(
            f"the phantom has no option {unknown[0]}", wanted=", ".join(options.__slots__), found=unknown[0]
        )
    new = replace(options, **changes)
    if isinstance(new, XaOptions):
        _check_run(new)
        return new
    residues = (*RESIDUES, "all") if isinstance(new, KudoOptions) else tuple(RESIDUES)
    _require(new.residue in residues, "residue", ", ".join(residues), new.residue)
    _require(2 <= new.n_frames <= 2000, "n_frames", "2 to 2000", new.n_frames)
    _require(0.05 <= new.dt <= 60, "dt", "0.05 to 60 s", new.dt)
    if isinstance(new, KudoOptions):
        _require(2 <= new.tile_px <= 128, "tile_px", "2 to 128", new.tile_px)
        _require(new.noise_hu >= 0, "noise_hu", "0 or more", new.noise_hu)
        return new
    _check_head(new)
    return new


def _check_head(options: CtOptions | MrOptions) -> None:
    _require(options.lesion in LESIONS, "lesion", ", ".join(LESIONS), options.lesion)
    _require(options.timing in TIMINGS, "timing", ", ".join(TIMINGS), options.timing)
    fits = len(options.shape) == 3 and all(1 <= n <= 1024 for n in options.shape)
    _require(
        fits and min(options.shape[:2]) >= 16, "shape", "16 to 1024 by 16 to 1024 by 1 to 1024", options.shape
    )
    _check_physiology(options.physiology)
    if isinstance(options, CtOptions):
        _require(options.noise_hu >= 0, "noise_hu", "0 or more", options.noise_hu)
    else:
        _require(options.snr > 0, "snr", "more than 0", options.snr)
        _require(0 < options.te_ms < 1000 * options.dt, "te_ms", "between 0 and dt", options.te_ms)


def _check_physiology(drawn: Physiology) -> None:
    for name, (low, high) in {
        "aif_alpha": (1.0, 10.0),
        "aif_beta_s": (0.2, 10.0),
        "recirculation": (0.0, 1.0),
        "flow": (0.05, 5.0),
        "volume": (0.05, 5.0),
        "lesion_size": (0.1, 2.0),
        "lesion_delay_s": (-5.0, 15.0),
        "atrophy_mm": (0.0, 8.0),
        "dispersion_s": (0.0, 10.0),
        "decoupling": (0.0, 1.0),
    }.items():
        found = getattr(drawn, name)
        _require(low <= found <= high, name, f"{low:g} to {high:g}", found)
    near = max(abs(mm) for mm in drawn.lesion_shift_mm) <= 100.0
    _require(near, "lesion_shift_mm", "within 100 mm", drawn.lesion_shift_mm)


def _check_run(options: XaOptions) -> None:
    for name, choices in {
        "vessel": ("carotid", "vertebral", "external", "none"),
        "side": (None, "right", "left"),
        "clot": (None, *CLOTS),
        "encoding": ("LIN", "LOG", "SUB"),
        "photometric": ("MONOCHROME1", "MONOCHROME2"),
        "sign": (-1, 0, 1),
        "setting": ("A", "B"),
    }.items():
        found = getattr(options, name)
        _require(found in choices, name, ", ".join(map(str, choices)), found)
    for name, (low, high) in {
        "size": (32, 2048),
        "field_mm": (60.0, 500.0),
        "fps": (0.5, 15.0),
        "fps_late": (0.5, 15.0),
        "duration_s": (2.0, 60.0),
        "collaterals": (0.0, 1.0),
        "photons": (50.0, 1e6),
    }.items():
        found = getattr(options, name)
        _require(found is None or low <= found <= high, name, f"{low:g} to {high:g}", found)
    with_clot = options.clot not in {None, "none"}
    _require(
        not with_clot or options.vessel == "carotid",
        "clot",
        "none, unless the carotid is injected",
        options.clot,
    )


def _require(fits: bool, name: str, wanted: str, found: Any) -> None:
    if not fits:
        raise BadRecipe(f"the phantom's option {name} is out of range", wanted=wanted, found=repr(found))
