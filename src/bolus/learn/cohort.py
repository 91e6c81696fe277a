"""Simulated cohorts of CT and MR perfusion: patients whose scans and maps become cases, a slice each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus import pipeline
from bolus.core.arrays import Float64s, Volume
from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.learn.cases import Case
from bolus.learn.making import Order
from bolus.learn.maps import CTP, DSC, Plan, signal_scale
from bolus.phantom import CtOptions, MrOptions, Physiology, Study, ct, mr
from bolus.phantom.circulation import dispersed
from bolus.physics.transport import RESIDUES, tissue_curves
from bolus.prepare import correct_motion

Range = tuple[float, float]
LEAST_BRAIN: Final = 0.05
"""Part of a slice that must be brain for it to be a case."""
_LESIONS: Final = {
    "mca-right": 0.25, "mca-left": 0.25, "aca-right": 0.04, "aca-left": 0.04, "pca-right": 0.04,
    "pca-left": 0.04, "blob-right": 0.06, "blob-left": 0.06, "core-only-right": 0.06, "none": 0.16,
}  # fmt: skip
_N_SLICES: Final = (8, 10, 12)
"""Slices that the 80 mm of a scan are cut into: 10 to 6.7 mm thick."""
_TURN_DEG, _SHIFT_MM, _LESION_SHIFT_MM, _BLOB_SHIFT_MM = 4.0, 3.0, 6.0, 16.0
"""Standard deviations of how heads lie and where lesions are."""
_DECOUPLING: Final = 0.25
_MIXED: Final[Range] = (-0.4, 0.4)
"""Decoupling of a mixed cohort: below 0 there is none, so that flow strays in half of the patients."""
_MIXED_MOVES: Final = 0.35


@dataclass(frozen=True, slots=True)
class Site:
    """What patients and scanners of a site are like: the least and greatest of each choice.

    Parameters
    ----------
    dt, duration_s
        Interval between frames, and length of the scan [s].
    noise
        Of CT: standard deviation of a sample [HU]; of MR: signal of grey matter over it.
    peak
        Of the arterial curve: HU, or dR2* [1/s].
    onset_s, aif_beta_s, recirculation, flow, volume, lesion_size, lesion_delay_s, atrophy_mm, dispersion_s
        As `bolus.phantom` takes them.
    decoupling
        The same: how far flow and volume stray from what anatomy makes one expect; below 0: not at all.
    te_ms
        Echo time of MR [ms].
    moves
        Part of the patients that move; their frames are put right as `bolus run` does it.
    """

    dt: Range
    duration_s: Range
    noise: Range
    peak: Range
    onset_s: Range
    aif_beta_s: Range
    recirculation: Range = (0.15, 0.35)
    flow: Range = (0.8, 1.2)
    volume: Range = (0.85, 1.2)
    lesion_size: Range = (0.6, 1.1)
    lesion_delay_s: Range = (-1.5, 2.5)
    te_ms: Range = (30.0, 30.0)
    atrophy_mm: Range = (0.0, 3.0)
    dispersion_s: Range = (0.0, 1.2)
    decoupling: Range = (0.0, 0.0)
    moves: float = 0.12


_OTHER_PATIENTS: Final[Mapping[str, Any]] = {
    "recirculation": (0.2, 0.5),
    "flow": (0.6, 1.0),
    "volume": (0.8, 1.35),
    "lesion_size": (0.4, 0.9),
    "lesion_delay_s": (0.0, 5.0),
    "atrophy_mm": (1.0, 5.0),
    "dispersion_s": (0.5, 2.5),
}
_CT: Final[Mapping[str, Site]] = {
    "A": Site((1.0, 2.0), (50.0, 65.0), (2.0, 6.0), (200.0, 400.0), (6.0, 12.0), (1.1, 2.0)),
    "B": Site(
        (0.7, 3.0), (45.0, 60.0), (4.0, 9.0), (120.0, 250.0), (4.0, 16.0), (1.6, 2.8), **_OTHER_PATIENTS
    ),
}
_MR: Final[Mapping[str, Site]] = {
    "A": Site(
        (1.3, 1.7), (80.0, 95.0), (30.0, 80.0), (60.0, 100.0), (10.0, 18.0), (1.1, 2.0), te_ms=(28.0, 34.0)
    ),
    "B": Site(
        (1.9, 2.4), (100.0, 130.0), (20.0, 45.0), (40.0, 75.0), (14.0, 28.0), (1.6, 2.8), **_OTHER_PATIENTS,
        te_ms=(33.0, 42.0),
    ),
}  # fmt: skip


def _with_decoupled(sites: Mapping[str, Site]) -> Mapping[str, Site]:
    strayed = replace(sites["A"], decoupling=(_DECOUPLING, _DECOUPLING))
    mixed = replace(sites["A"], decoupling=_MIXED, moves=_MIXED_MOVES)
    return MappingProxyType({**sites, "decoupled": strayed, "mixed": mixed})


CT_SITES: Final = _with_decoupled(_CT)
MR_SITES: Final = _with_decoupled(_MR)
"""Sites by name. B is never trained on: wider, weaker boluses, more noise, slower flow, smaller and later
lesions, older heads. `decoupled` is A with flow and volume that do not go with anatomy: a network that prints
what it expects of a tissue is found out there. `mixed` is A where flow strays in half of the patients, each
by another amount, and three times as many move: for training, so that anatomy says less of flow, and frames
that were put right are no surprise."""


def ct_options(order: Order) -> CtOptions:
    """Draw what differs between patients and their CT scans.

    Raises
    ------
    BadRecipe
        If there is no such setting.
    """
    site, rng = _site(CT_SITES, order), _rng(order)
    n_slices, shared = _shared(site, rng)
    noise_hu = float(np.exp(rng.uniform(*np.log(site.noise))))
    fwhm_px = float(rng.uniform(1.0, 2.0))
    return CtOptions(
        shape=(order.size, order.size, n_slices),
        noise_hu=noise_hu,
        noise_fwhm_px=fwhm_px,
        peak_hu=float(rng.uniform(*site.peak)),
        seed=order.seed,
        **shared,
    )


def mr_options(order: Order) -> MrOptions:
    """Draw what differs between patients and their MR scans.

    Raises
    ------
    BadRecipe
        If there is no such setting.
    """
    site, rng = _site(MR_SITES, order), _rng(order)
    n_slices, shared = _shared(site, rng)
    return MrOptions(
        shape=(order.size, order.size, n_slices),
        snr=float(np.exp(rng.uniform(*np.log(site.noise)))),
        te_ms=float(rng.uniform(*site.te_ms)),
        peak_rate=float(rng.uniform(*site.peak)),
        seed=order.seed,
        **shared,
    )


def simulate_ctp(order: Order) -> list[Case]:
    """Make the slices of a simulated CT perfusion scan, with CBF, CBV and TTP (of the box's centre)."""
    options = ct_options(order)
    return _cases(CTP, order, options, ct(options))


def simulate_dsc(order: Order) -> list[Case]:
    """Make the slices of a simulated DSC-MRI scan, with CBF, CBV, MTT, Tmax and TTP (of the curve)."""
    options = mr_options(order)
    return _cases(DSC, order, options, mr(options))


def true_maps(study: Study, options: CtOptions | MrOptions) -> dict[str, Volume]:
    """Return the maps of the phantom, shape `(x, y, z)` each, NaN outside tissue.

    `centre` is delay, dispersion and half the MTT, where a box-shaped residue has its middle [s]; `TTP` the
    time of the peak of the tissue's curve without noise, from the first frame, to 0.1 s.
    """
    maps = {name: np.asarray(found.values, dtype=np.float32) for name, found in study.truth.maps.items()}
    spread = options.physiology.dispersion_s
    centre = maps["delay"] + np.float32(spread) + np.float32(0.5) * maps["MTT"]
    peaks = _peak_times(study, (maps["MTT"], maps["delay"]), options.residue, spread)
    return maps | {"centre": centre, "TTP": peaks}


def reference_maps(study: Study, options: CtOptions | MrOptions) -> dict[str, Volume]:
    """Return the maps that `bolus run` makes of a scan: box-shaped residues for CT, oSVD for MR.

    They are what the papers train on, with what is wrong with them: an artery that shares its voxels makes
    CBF and CBV too high, the more the coarser the scan. Those of MR are over the relaxivity of tissue, which
    puts them on the scale of the truth. `centre` is the Tmax of the box, which is the time of its middle.

    References
    ----------
    Bennink et al., J Med Imaging 3:026003 (2016), doi:10.1117/1.JMI.3.2.026003; Wu et al., Magn Reson Med
    50:164-174 (2003), doi:10.1002/mrm.10522
    """
    method = "box" if isinstance(options, CtOptions) else "osvd"
    recipe = Recipe(method=method, motion="none", ttp_origin="scan")
    found = pipeline.require_artery(pipeline.run(study.series, recipe)).maps
    maps = {name: np.asarray(found[name].values, dtype=np.float32) for name in found}
    for name in ("CBF", "CBV"):
        maps[name] = maps[name] / np.float32(study.truth.flow_scale)
    return maps | {"centre": maps["Tmax"]}


_REFERENCES: Final = {"truth": true_maps, "bolus": reference_maps}


def _cases(plan: Plan, order: Order, options: CtOptions | MrOptions, study: Study) -> list[Case]:
    """Cut a study into cases: each slice with enough brain."""
    if order.reference not in _REFERENCES:
        raise BadRecipe("unknown reference maps", wanted=", ".join(_REFERENCES), found=order.reference)
    if options.motion:
        study = replace(study, series=correct_motion(study.series, method="rigid")[0])
    maps = _REFERENCES[order.reference](study, options)
    volumes = np.stack([np.nan_to_num(maps[source]) for source in plan.sources])
    frames = np.nan_to_num(np.stack([study.series.frame(i) for i in range(study.series.n_frames)]))
    brain = study.truth.masks["brain"]
    lesion = study.truth.masks["hypoperfused"].astype(np.uint8) + study.truth.masks["core"]
    shared: dict[str, NDArray[Any]] = {
        "times": np.asarray(study.series.times, dtype=np.float64),
        "aif": np.asarray(study.truth.aif.values, dtype=np.float32),
        "scale": np.array(signal_scale(study.series, brain), dtype=np.float32),
    }
    cases = []
    for k in np.flatnonzero(brain.mean(axis=(0, 1)) >= LEAST_BRAIN):
        image, target = (np.ascontiguousarray(v[..., k].transpose(0, 2, 1)) for v in (frames, volumes))
        extra = shared | {"brain": brain[:, :, k].T.astype(np.uint8), "lesion": lesion[:, :, k].T}
        about = {**_about(options), "seed": order.seed, "setting": order.setting, "slice": int(k)}
        about["voxel_ml"] = study.series.grid.voxel_ml
        site = f"simulated {order.setting}"
        cases.append(Case(image, target, order.patient, site=site, extra=extra, meta=about))
    return cases


def _peak_times(study: Study, times: tuple[Volume, Volume], residue: str, spread_s: float) -> Volume:
    """Return when each tissue's curve peaks [s], to 0.1 s; few pairs of MTT and delay are distinct."""
    mtt, delay = times
    tissue = np.isfinite(mtt)
    pairs, which = np.unique(np.stack([mtt[tissue], delay[tissue]]), axis=1, return_inverse=True)
    fine = study.truth.aif_fine

    def arterial(at: Float64s) -> Float64s:
        return np.asarray(np.interp(at, fine.times, fine.values, left=0.0), dtype=np.float64)

    curves = tissue_curves(
        dispersed(arterial, spread_s, until=float(fine.times[-1])),
        fine.times,
        (np.ones(pairs.shape[1]), pairs[0].astype(np.float64), pairs[1].astype(np.float64)),
        residue=RESIDUES[residue],
    )
    peaks = np.full(mtt.shape, np.nan, dtype=np.float32)
    peaks[tissue] = fine.times[np.argmax(curves, axis=1)][which.ravel()]
    return peaks


def _shared(site: Site, rng: np.random.Generator) -> tuple[int, dict[str, Any]]:
    """Draw what CT and MR scans have in common: how many slices, and their options."""
    dt = round(float(rng.uniform(*site.dt)), 2)
    lesion = str(rng.choice(list(_LESIONS), p=list(_LESIONS.values())))
    return int(rng.choice(_N_SLICES)), {
        "dt": dt,
        "n_frames": max(round(float(rng.uniform(*site.duration_s)) / dt), 8),
        "lesion": lesion,
        "motion": bool(rng.random() < site.moves),
        "residue": str(rng.choice(list(RESIDUES))),
        "onset_s": float(rng.uniform(*site.onset_s)),
        "pose": (*rng.normal(0.0, _SHIFT_MM, 3).tolist(), *rng.normal(0.0, _TURN_DEG, 3).tolist()),
        "physiology": _physiology(site, rng, _BLOB_SHIFT_MM if "blob" in lesion else _LESION_SHIFT_MM),
    }


_DRAWN: Final = (
    "aif_beta_s", "recirculation", "flow", "volume", "lesion_size", "lesion_delay_s", "atrophy_mm",
    "dispersion_s", "decoupling",
)  # fmt: skip


def _physiology(site: Site, rng: np.random.Generator, shift_mm: float) -> Physiology:
    drawn = {name: float(rng.uniform(*getattr(site, name))) for name in _DRAWN}
    drawn["decoupling"] = max(drawn["decoupling"], 0.0)
    x, y, z = rng.normal(0.0, shift_mm, 3).tolist()
    return Physiology(lesion_shift_mm=(x, y, z), **drawn)


def _about(options: CtOptions | MrOptions) -> dict[str, Any]:
    """Return all that was drawn as JSON can hold it."""
    drawn = asdict(options)
    return {**{k: v for k, v in drawn.items() if k not in {"physiology", "shape"}}, **drawn["physiology"]}


def _site(sites: Mapping[str, Site], order: Order) -> Site:
    if order.setting not in sites:
        raise BadRecipe("unknown setting", wanted=", ".join(sites), found=order.setting)
    return sites[order.setting]


def _rng(order: Order) -> np.random.Generator:
    return np.random.default_rng([order.seed, 2])
