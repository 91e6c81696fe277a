"""Simulated cohorts of CT and MR perfusion: patients whose scans and maps become cases, a slice each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus import pipeline
from bolus.core.arrays import Float32s, Volume
from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.learn.cases import Case
from bolus.learn.making import Order
from bolus.learn.maps import CTP, DSC, Plan
from bolus.phantom import CtOptions, MrOptions, Physiology, Study, ct, mr
from bolus.physics.transport import RESIDUES, tissue_curves

Range = tuple[float, float]
N_SLICES: Final = 8
LEAST_BRAIN: Final = 0.05
"""Part of a slice that must be brain for it to be a case."""
BASELINE_S: Final = 4.0
"""Before contrast comes; the scale of MR signals is taken from it [s]."""
BRIGHT: Final = 99.0
"""Percentile of the signal in the brain before contrast that scales an MR scan."""
_LESIONS: Final = {"mca-right": 0.35, "mca-left": 0.35, "core-only-right": 0.1, "none": 0.2}
_TURN_DEG, _SHIFT_MM, _LESION_SHIFT_MM = 4.0, 3.0, 6.0
"""Standard deviations of how heads lie and where lesions are."""


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
    onset_s, aif_beta_s, recirculation, flow, volume, lesion_size, lesion_delay_s
        As `bolus.phantom` takes them.
    te_ms
        Echo time of MR [ms].
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


_OTHER_PATIENTS: Final[Mapping[str, Range]] = {
    "recirculation": (0.2, 0.5),
    "flow": (0.6, 1.0),
    "volume": (0.8, 1.35),
    "lesion_size": (0.4, 0.9),
    "lesion_delay_s": (0.0, 5.0),
}
CT_SITES: Final[Mapping[str, Site]] = {
    "A": Site((1.0, 2.0), (50.0, 65.0), (2.0, 6.0), (200.0, 400.0), (6.0, 12.0), (1.1, 2.0)),
    "B": Site(
        (0.7, 3.0), (45.0, 60.0), (4.0, 9.0), (120.0, 250.0), (4.0, 16.0), (1.6, 2.8), **_OTHER_PATIENTS
    ),
}
"""Site B is never trained on: wider, weaker boluses, more noise, slower flow, smaller and later lesions."""
MR_SITES: Final[Mapping[str, Site]] = {
    "A": Site(
        (1.3, 1.7), (80.0, 95.0), (30.0, 80.0), (60.0, 100.0), (10.0, 18.0), (1.1, 2.0), te_ms=(28.0, 34.0)
    ),
    "B": Site(
        (1.9, 2.4), (100.0, 130.0), (20.0, 45.0), (40.0, 75.0), (14.0, 28.0), (1.6, 2.8), **_OTHER_PATIENTS,
        te_ms=(33.0, 42.0),
    ),
}  # fmt: skip


def ct_options(order: Order) -> CtOptions:
    """Draw what differs between patients and their CT scans.

    Raises
    ------
    BadRecipe
        If there is no such setting.
    """
    site, rng = _site(CT_SITES, order), _rng(order)
    shared = _shared(site, rng)
    noise_hu = float(np.exp(rng.uniform(*np.log(site.noise))))
    fwhm_px = float(rng.uniform(1.0, 2.0))
    return CtOptions(
        shape=(order.size, order.size, N_SLICES),
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
    shared = _shared(site, rng)
    return MrOptions(
        shape=(order.size, order.size, N_SLICES),
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

    `centre` is delay and half the MTT, where a box-shaped residue has its middle [s]; `TTP` the time of the
    peak of the tissue's curve without noise, from the first frame, to 0.1 s.
    """
    maps = {name: np.asarray(found.values, dtype=np.float32) for name, found in study.truth.maps.items()}
    centre = maps["delay"] + np.float32(0.5) * maps["MTT"]
    return maps | {"centre": centre, "TTP": _peak_times(study, maps["MTT"], maps["delay"], options.residue)}


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
    found = pipeline.run(study.series, Recipe(method=method, motion="none", ttp_origin="scan")).maps
    maps = {name: np.asarray(found[name].values, dtype=np.float32) for name in found}
    for name in ("CBF", "CBV"):
        maps[name] = maps[name] / np.float32(study.truth.flow_scale)
    return maps | {"centre": maps["Tmax"]}


_REFERENCES: Final = {"truth": true_maps, "bolus": reference_maps}


def _cases(plan: Plan, order: Order, options: CtOptions | MrOptions, study: Study) -> list[Case]:
    """Cut a study into cases: each slice with enough brain."""
    if order.reference not in _REFERENCES:
        raise BadRecipe("unknown reference maps", wanted=", ".join(_REFERENCES), found=order.reference)
    maps = _REFERENCES[order.reference](study, options)
    volumes = np.stack([np.nan_to_num(maps[source]) for source in plan.sources])
    frames = np.stack([study.series.frame(i) for i in range(study.series.n_frames)])
    brain = study.truth.masks["brain"]
    lesion = study.truth.masks["hypoperfused"].astype(np.uint8) + study.truth.masks["core"]
    shared: dict[str, NDArray[Any]] = {
        "times": np.asarray(study.series.times, dtype=np.float64),
        "aif": np.asarray(study.truth.aif.values, dtype=np.float32),
        "scale": np.array(_scale(frames, study), dtype=np.float32),
    }
    cases = []
    for k in np.flatnonzero(brain.mean(axis=(0, 1)) >= LEAST_BRAIN):
        image, target = (np.ascontiguousarray(v[..., k].transpose(0, 2, 1)) for v in (frames, volumes))
        extra = shared | {"brain": brain[:, :, k].T.astype(np.uint8), "lesion": lesion[:, :, k].T}
        about = {**_about(options), "seed": order.seed, "setting": order.setting, "slice": int(k)}
        site = f"simulated {order.setting}"
        cases.append(Case(image, target, order.patient, site=site, extra=extra, meta=about))
    return cases


def _scale(frames: Float32s, study: Study) -> float:
    """Return the signal of bright brain before contrast, of frames `(t, x, y, z)` after the first three."""
    before = frames[3 : max(int(np.searchsorted(study.series.times, BASELINE_S)), 4)].mean(axis=0)
    return float(np.percentile(before[study.truth.masks["brain"]], BRIGHT))


def _peak_times(study: Study, mtt: Volume, delay: Volume, residue: str) -> Volume:
    """Return when each tissue's curve peaks [s], to 0.1 s; few pairs of MTT and delay are distinct."""
    tissue = np.isfinite(mtt)
    pairs, which = np.unique(np.stack([mtt[tissue], delay[tissue]]), axis=1, return_inverse=True)
    fine = study.truth.aif_fine
    curves = tissue_curves(
        lambda at: np.interp(at, fine.times, fine.values, left=0.0),
        fine.times,
        (np.ones(pairs.shape[1]), pairs[0].astype(np.float64), pairs[1].astype(np.float64)),
        residue=RESIDUES[residue],
    )
    peaks = np.full(mtt.shape, np.nan, dtype=np.float32)
    peaks[tissue] = fine.times[np.argmax(curves, axis=1)][which.ravel()]
    return peaks


def _shared(site: Site, rng: np.random.Generator) -> dict[str, Any]:
    """Draw what CT and MR scans have in common."""
    dt = round(float(rng.uniform(*site.dt)), 2)
    return {
        "dt": dt,
        "n_frames": max(round(float(rng.uniform(*site.duration_s)) / dt), 8),
        "lesion": str(rng.choice(list(_LESIONS), p=list(_LESIONS.values()))),
        "residue": str(rng.choice(list(RESIDUES))),
        "onset_s": float(rng.uniform(*site.onset_s)),
        "pose": (*rng.normal(0.0, _SHIFT_MM, 3).tolist(), *rng.normal(0.0, _TURN_DEG, 3).tolist()),
        "physiology": _physiology(site, rng),
    }


def _physiology(site: Site, rng: np.random.Generator) -> Physiology:
    names = ("aif_beta_s", "recirculation", "flow", "volume", "lesion_size", "lesion_delay_s")
    drawn = {name: float(rng.uniform(*getattr(site, name))) for name in names}
    x, y, z = rng.normal(0.0, _LESION_SHIFT_MM, 3).tolist()
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
