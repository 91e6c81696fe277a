"""Simulated patients with cores of all sizes, for the network that tells large ones from small ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus import pipeline
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.recipe import DEFAULT
from bolus.core.result import Result
from bolus.learn.cases import Case
from bolus.learn.core_size import MEDIAN_ML, core_map, make_case, network_input
from bolus.learn.core_volume import remarks
from bolus.learn.making import Order
from bolus.phantom import CtOptions, Physiology, Study, ct

CBV_CORE: Final = 1.2
"""The paper's core has less blood than this [mL/100 mL]."""
_TISSUE_DENSITY: Final = 1.04
"""Of brain [g/mL]: maps are per 100 g."""
N_SLICES: Final = 10
STROKES: Final = "strokes"
A_HEAD: Final = 8
"""The reference with which a patient has several strokes, and how many."""
_MOVING: Final = 0.1
"""Part of the patients whose heads move."""
_SCAN_S: Final = 48.0

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Site:
    """What patients and scanners of a site are like: the least and greatest of each choice.

    Parameters
    ----------
    dt
        Interval between frames [s].
    noise_hu, noise_fwhm_px
        Of a sample [HU], and its grain [pixels].
    peak_hu, onset_s, aif_alpha, aif_beta_s, recirculation
        Of the arterial curve.
    flow, volume, lesion_size, lesion_delay_s
        As `bolus.phantom.Physiology` takes them.
    lesion_shift_mm
        Standard deviation of the lesion's place [mm].
    residues
        Of tissue.
    """

    dt: Span
    noise_hu: Span
    noise_fwhm_px: Span
    peak_hu: Span
    onset_s: Span
    aif_alpha: Span
    aif_beta_s: Span
    recirculation: Span
    flow: Span
    volume: Span
    lesion_size: Span
    lesion_delay_s: Span
    lesion_shift_mm: float
    residues: tuple[str, ...]


SITES: Final[Mapping[str, Site]] = MappingProxyType(
    {
        "A": Site(
            dt=(1.5, 1.5),
            noise_hu=(3.5, 7.0),
            noise_fwhm_px=(1.3, 1.8),
            peak_hu=(200.0, 380.0),
            onset_s=(5.0, 12.0),
            aif_alpha=(2.5, 3.5),
            aif_beta_s=(1.2, 1.9),
            recirculation=(0.15, 0.35),
            flow=(0.85, 1.15),
            volume=(0.9, 1.15),
            lesion_size=(0.5, 1.25),
            lesion_delay_s=(-1.5, 2.0),
            lesion_shift_mm=5.0,
            residues=("exponential", "gamma"),
        ),
        "B": Site(
            dt=(1.0, 2.0),
            noise_hu=(5.0, 11.0),
            noise_fwhm_px=(1.0, 2.4),
            peak_hu=(120.0, 260.0),
            onset_s=(3.0, 16.0),
            aif_alpha=(2.0, 4.0),
            aif_beta_s=(1.6, 2.6),
            recirculation=(0.2, 0.5),
            flow=(0.7, 1.0),
            volume=(0.8, 1.3),
            lesion_size=(0.45, 1.3),
            lesion_delay_s=(0.0, 4.0),
            lesion_shift_mm=9.0,
            residues=("box", "linear", "gamma"),
        ),
    }
)
"""`B` is never trained on: another frame rate, weaker and wider boluses, more noise, slower flow."""


def simulate(order: Order) -> list[Case]:
    """Make the case of a simulated patient; pixels of the scan are as many as the order says.

    With the reference `bolus`, the case remarks what `bolus run` says of the core by its maps. With
    `strokes`, a patient has eight scans of eight strokes, all of one head that lies still: most of the cost
    is a head's anatomy, and that of a head that moves.
    """
    if order.reference != STROKES:
        return [_case(order, options(order))]
    seeds = [int(s.generate_state(1)[0]) for s in np.random.SeedSequence([order.seed, 5]).spawn(A_HEAD)]
    each = [replace(order, seed=seed) for seed in seeds]
    return [_case(one, replace(options(one), head=order.seed, motion=False)) for one in each]


def _case(order: Order, drawn: CtOptions) -> Case:
    study = ct(drawn)
    image, levels = network_input(study.series, still=not drawn.motion)
    core = core_map(np.asarray(study.truth.masks["core"]), study.series, levels)
    volume = core_ml(study)["core"]
    case = make_case(image, core_ml=volume, patient=order.patient, levels=levels, core=core)
    by_maps = _by_maps(study, drawn) if order.reference == "bolus" else {}
    about = {
        **dict(case.meta),
        **by_maps,
        **core_ml(study),
        "seed": order.seed,
        "setting": order.setting,
        "lesion": drawn.lesion,
        "moves": drawn.motion,
    }
    return replace(case, site=f"simulated {order.setting}", meta=about)


def _by_maps(study: Study, drawn: CtOptions) -> dict[str, Any]:
    """Return what the maps say of the core; nothing where no maps can be made."""
    try:
        result = _run(study, drawn)
    except BadInput:
        result = None
    return remarks(study.series, result, MEDIAN_ML)


def _run(study: Study, drawn: CtOptions) -> Result:
    """Return what `bolus run` makes of a study; heads that lie still need no correction."""
    return pipeline.run(study.series, replace(DEFAULT, motion="rigid" if drawn.motion else "none"))


def options(order: Order) -> CtOptions:
    """Draw what differs between patients and their scans.

    Raises
    ------
    BadRecipe
        If there is no such setting.
    """
    if order.setting not in SITES:
        raise BadRecipe("unknown setting of the simulator", wanted=", ".join(SITES), found=order.setting)
    site, rng = SITES[order.setting], np.random.default_rng([order.seed, 3])
    drawn = {name: float(rng.uniform(*getattr(site, name))) for name in _DRAWN}
    shift = rng.normal(0.0, site.lesion_shift_mm, 3)
    patient = {name: drawn[name] for name in _PATIENT}
    dt = round(drawn["dt"], 2)
    place, turn = rng.normal(0.0, 3.0, 3), rng.normal(0.0, 3.0, 3)
    return CtOptions(
        shape=(order.size, order.size, N_SLICES),
        dt=dt,
        n_frames=ceil(_SCAN_S / dt),
        lesion=str(rng.choice(["mca-right", "mca-left", "none"], p=[0.475, 0.475, 0.05])),
        motion=bool(rng.random() < _MOVING),
        residue=str(rng.choice(site.residues)),
        pose=(*(float(v) for v in place), *(float(v) for v in turn)),  # type: ignore[arg-type]
        physiology=Physiology(**patient, lesion_shift_mm=(float(shift[0]), float(shift[1]), float(shift[2]))),
        seed=order.seed,
        noise_hu=drawn["noise_hu"],
        noise_fwhm_px=drawn["noise_fwhm_px"],
        peak_hu=drawn["peak_hu"],
        onset_s=drawn["onset_s"],
    )


_PATIENT: Final = (
    *("aif_alpha", "aif_beta_s", "recirculation", "flow", "volume", "lesion_size", "lesion_delay_s"),
)
_DRAWN: Final = ("dt", "noise_hu", "noise_fwhm_px", "peak_hu", "onset_s", *_PATIENT)


def core_ml(study: Study) -> dict[str, float]:
    """Return the true core [mL], and hypoperfused tissue of little blood, which is the paper's core [mL]."""
    truth, voxel_ml = study.truth, study.series.grid.voxel_ml
    little = np.asarray(truth.maps["CBV"].values) * _TISSUE_DENSITY < CBV_CORE
    sick = np.asarray(truth.masks["hypoperfused"])
    return {
        "core": float(truth.volumes_ml["core"]),
        "little_blood": float(np.count_nonzero(little & sick)) * voxel_ml,
    }
