"""One number for each question that quality asks; NaN where there is nothing to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Float64s, Mask
from bolus.core.result import MotionTrace
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.features import tail, time_to_peak
from bolus.quality.evidence import Evidence

NOTHING: Final = float("nan")
"""What a measure returns where its question does not arise."""
_MOST_ROWS: Final = 20_000  # a median over more voxels moves by less than its own rounding
_FAR_MM: Final = 8.0
_FEWEST: Final = 20  # voxels that a share is taken of

Measure: TypeAlias = Callable[[Evidence], float]
"""Returns one number; NaN where the rule has nothing to look at."""


def _figure(curve: VesselCurve | None, name: str) -> float:
    return NOTHING if curve is None else float(curve.quality.get(name, NOTHING))


def aif(name: str) -> Measure:
    """Return a measure that is a quality figure of the arterial curve."""
    return lambda evidence: _figure(evidence.vessels.aif, name)


def vof(name: str) -> Measure:
    """Return a measure that is a quality figure of the venous curve."""
    return lambda evidence: _figure(evidence.vessels.vof, name)


def measured_peak(evidence: Evidence) -> float:
    """Return the arterial peak as measured, before any scaling to the vein."""
    if not evidence.vessels.aif.measured:
        return NOTHING
    return _figure(evidence.vessels.aif, "peak") / evidence.vessels.partial_volume


def missing_s(evidence: Evidence) -> float:
    """Return by how much the scan is too short for the venous curve to come down [s]."""
    vof, aif = evidence.vessels.vof, evidence.vessels.aif
    needed = _figure(aif, "arrival_s") + 1.6 * _figure(vof, "fwhm_s") + 5.0
    return needed - float(evidence.concentration.times[-1])


def _arterial_signal(evidence: Evidence) -> NDArray[np.float64]:
    """Return the MR signal of the artery relative to its baseline, shape `(t,)`; NaN without either."""
    te_ms = evidence.series.acquisition.te_ms
    if te_ms is None or not evidence.vessels.aif.measured:
        return np.full(1, NOTHING)
    rate = np.asarray(evidence.vessels.aif.values, dtype=np.float64) / evidence.vessels.partial_volume
    return np.exp(-rate * te_ms / 1000.0)


def signal_drop(evidence: Evidence) -> float:
    """Return by how much the MR signal of the artery drops [%]."""
    return 100.0 * (1.0 - float(_arterial_signal(evidence).min()))


def frames_without_signal(evidence: Evidence) -> float:
    """Count the frames in which the artery keeps less than 5 % of its MR signal."""
    return float(np.count_nonzero(_arterial_signal(evidence) < 0.05))


def second_peak(evidence: Evidence) -> float:
    """Return the height of a second peak over the first, across a valley that is no noise; 0 for none."""
    curve = np.asarray(evidence.vessels.aif.values, dtype=np.float64)
    top = int(np.argmax(curve))
    if curve[top] <= 0:
        return NOTHING
    n_voxels = max(_figure(evidence.vessels.aif, "n_voxels"), 1.0)
    noise = 3.0 * evidence.raw.noise / n_voxels**0.5
    depth = max(0.1 * curve[top], noise if np.isfinite(noise) else 0.0)
    sides = (curve[top:], curve[top::-1])
    return max(_beyond_valley(side, depth) for side in sides) / float(curve[top])


def _beyond_valley(side: Float64s, depth: float) -> float:
    """Return the highest sample that lies more than `depth` above a sample between it and the first."""
    lowest = np.minimum.accumulate(side)
    risen = side - lowest > depth
    return float(side[risen].max(initial=0.0))


def area_ratio(evidence: Evidence) -> float:
    """Return the venous over the measured arterial area, unless the venous curve is cut off."""
    if not evidence.vessels.aif.measured or not _figure(evidence.vessels.vof, "tail") <= 0.4:
        return NOTHING
    measured = _figure(evidence.vessels.aif, "auc") / evidence.vessels.partial_volume
    return _figure(evidence.vessels.vof, "auc") / measured if measured > 0 else NOTHING


def venous_lag_s(evidence: Evidence) -> float:
    """Return by how much the vein peaks after the artery [s]."""
    return _figure(evidence.vessels.vof, "ttp_s") - _figure(evidence.vessels.aif, "ttp_s")


def _tissue_curves(evidence: Evidence) -> Curves:
    """Return at most 20 000 finite curves of brain tissue, evenly picked."""
    rows = evidence.concentration.rows(evidence.brain.tissue)
    curves = evidence.concentration.curves[rows[:: max(1, rows.size // _MOST_ROWS)]]
    return curves[np.isfinite(curves).all(axis=1)]


def _mean_tissue(evidence: Evidence) -> Curves | None:
    """Return the mean curve of brain tissue, shape `(1, t)`; None without tissue."""
    curves = _tissue_curves(evidence)
    return curves.mean(axis=0, dtype=np.float64).astype(np.float32)[None] if curves.size else None


def tissue_lag_s(evidence: Evidence) -> float:
    """Return by how much the mean tissue curve peaks after the arterial one [s]."""
    mean = _mean_tissue(evidence)
    if mean is None:
        return NOTHING
    return float(time_to_peak(mean, evidence.concentration.times)[0]) - _figure(evidence.vessels.aif, "ttp_s")


def tissue_tail(evidence: Evidence) -> float:
    """Return the end of the mean tissue curve over its peak."""
    mean = _mean_tissue(evidence)
    return NOTHING if mean is None else float(tail(mean)[0])


def tissue_cnr(evidence: Evidence) -> float:
    """Return the median peak of brain tissue over the noise of one sample."""
    curves, noise = _tissue_curves(evidence), evidence.concentration.noise
    return float(np.median(curves.max(axis=1))) / noise if curves.size and noise > 0 else NOTHING


def _tissue_values(evidence: Evidence, name: str) -> NDArray[np.float32]:
    """Return a map inside brain tissue, shape `(voxels,)`; empty where there is no such map."""
    found = evidence.maps.get(name)
    inside = evidence.brain.tissue & evidence.concentration.mask
    return np.empty(0, dtype=np.float32) if found is None else found.values[inside]


def negative_tmax(evidence: Evidence) -> float:
    """Return the share of normal tissue (Tmax up to 6 s) that seems to fill before the artery [%].

    Only of voxels that rise above four times the noise: the Tmax of noise is anything.
    """
    found, contrast = evidence.maps.get("Tmax"), evidence.concentration
    if found is None:
        return NOTHING
    rows = contrast.rows(evidence.brain.tissue)
    tmax = found.values[contrast.mask][rows]
    normal = tmax[(contrast.curves.max(axis=1)[rows] > 4.0 * contrast.noise) & (tmax <= 6.0)]
    return 100.0 * float(np.mean(normal < 0)) if normal.size >= _FEWEST else NOTHING


def map_gaps(evidence: Evidence) -> float:
    """Return the share of brain tissue without CBF [%]."""
    cbf = _tissue_values(evidence, "CBF")
    return 100.0 * float(np.mean(~np.isfinite(cbf))) if cbf.size else NOTHING


def agreement(evidence: Evidence) -> float:
    """Return the rank correlation of CBF between the two methods in tissue."""
    first, second = evidence.maps.get("CBF"), (evidence.second or {}).get("CBF")
    if first is None or second is None:
        return NOTHING
    a, b = first.values[evidence.brain.tissue], second.values[evidence.brain.tissue]
    both = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(both) < 10 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return NOTHING
    return float(np.corrcoef(_ranks(a[both]), _ranks(b[both]))[0, 1])


def _ranks(values: NDArray[np.float32]) -> Float64s:
    """Return the rank of each value, from 1, equal values sharing their mean (scipy.stats takes 20 MB)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Float64s = (np.cumsum(count) - 0.5 * (count - 1))[place]
    return ranks


def baseline_frames(evidence: Evidence) -> float:
    """Return how many frames lie before the bolus."""
    first, last = evidence.concentration.baseline
    return float(last - first)


def short_baseline(evidence: Evidence) -> float:
    """Return how many frames lie before the bolus, where there are at least two."""
    n = baseline_frames(evidence)
    return n if n >= 2 else NOTHING


def worst_match(motion: MotionTrace) -> float:
    """Return the lowest similarity of a frame to the reference after alignment."""
    known = motion.similarity[np.isfinite(motion.similarity)]
    return float(known.min()) if known.size else NOTHING


def from_motion(figure: Callable[[MotionTrace], float]) -> Measure:
    """Return a measure of the motion trace; NaN where there is none."""
    return lambda evidence: NOTHING if evidence.motion is None else figure(evidence.motion)


def far_frames(motion: MotionTrace) -> float:
    """Count the frames that lie more than 8 mm away."""
    return float(np.count_nonzero(np.linalg.norm(motion.parameters[:, :3], axis=1) > _FAR_MM))


def interval_cv(evidence: Evidence) -> float:
    """Return the spread of the intervals over their mean [%], of the slice where it is largest."""
    steps = np.diff(np.atleast_2d(evidence.series.times), axis=-1)
    if steps.shape[1] < 2:
        return NOTHING
    return 100.0 * float((steps.std(axis=1) / steps.mean(axis=1)).max())


def interval_s(evidence: Evidence) -> float:
    """Return the median interval [s] to a tenth: clocks of scanners jitter by hundredths."""
    return round(evidence.series.median_dt, 1)


def coverage_mm(evidence: Evidence) -> float:
    """Return how much of the body the slices cover [mm]."""
    grid = evidence.series.grid
    return grid.shape[2] * grid.spacing_mm[2]


def cut_voxels(evidence: Evidence) -> float:
    """Return the share of brain that touches the in-plane edge of the images [%]."""
    inside = evidence.brain.inside
    edge = np.zeros(inside.shape[:2], dtype=np.bool_)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    return 100.0 * _share(inside & edge[:, :, None], inside)


def _share(part: Mask, whole: Mask) -> float:
    n = np.count_nonzero(whole)
    return np.count_nonzero(part) / n if n else NOTHING


def large_scan_brain_ml(evidence: Evidence) -> float:
    """Return the volume of the brain [mL] where the scan covers a whole one."""
    if coverage_mm(evidence) <= 100.0:
        return NOTHING
    return np.count_nonzero(evidence.brain.inside) * evidence.series.grid.voxel_ml


def brain_hu(evidence: Evidence) -> float:
    """Return the median of brain tissue over the first three frames [HU]."""
    early: NDArray[Any] = evidence.series.mean(0, 3)[evidence.brain.tissue]
    return float(np.nanmedian(early)) if early.size else NOTHING


def is_unscaled(evidence: Evidence) -> float:
    """Return 1 where the artery was not scaled to the vein, else 0."""
    return float(evidence.vessels.partial_volume == 1.0)


def is_by_numbers(evidence: Evidence) -> float:
    """Return 1 where lesions were drawn by flow or volume beyond a number, else 0."""
    return float(evidence.by_numbers)


def is_uncalibrated(evidence: Evidence) -> float:
    """Return 1 where a CBF map in absolute units comes of contrast whose relaxivity is unknown, else 0."""
    found = evidence.maps.get("CBF")
    return NOTHING if found is None else float(found.unit is Unit.FLOW)
