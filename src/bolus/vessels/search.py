"""The default search for arteries: early, tall and narrow curves that lie together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Curve, Float64s, Mask
from bolus.core.errors import NoVessel
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.units import Modality
from bolus.physics import features
from bolus.vessels.candidates import (
    SMOOTHED_NOISE,
    Chosen,
    Traits,
    clusters,
    measure,
    row_mask,
    usable_rows,
)

N_VOXELS = 100
"""Voxels that the arterial curve is the mean of, at most (Gava 2023)."""
_NEARBY_MM = 10.0
"""How far from the winning cluster, or from its mirror image, voxels are taken [mm]."""
_PURE = 0.85
"""Share of the height of the tallest voxels below which a voxel is partly tissue."""
_TOGETHER_S = 1.0
"""How far the arrival of two voxels of one arterial curve may differ [s]."""
_SEEN, _SEEN_AT_MOST = 0.4, 0.7
"""Share of the tallest candidates' height from which a curve counts, with little and with much noise."""
_SURE = 15.0
"""Height over noise from which the arrival is sure to about a tenth of the rise time."""
_WEAK_HU = 15.0
"""An artery whose peak is lower than this is weak [HU] (5 % of clinical ones are below 17)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a curve must be like to count as arterial.

    Parameters
    ----------
    width_s
        Least and greatest full width at half maximum [s].
    arrival_s
        Earliest and latest arrival, relative to that of the tissue [s].
    tail, lowest
        Greatest end and least dip, as shares of the peak.
    n_together
        Voxels that must touch.
    weights
        Of height, arrival and width in the score.
    """

    width_s: tuple[float, float] = (2.0, 15.0)
    arrival_s: tuple[float, float] = (-8.0, 1.0)
    tail: float = 0.5
    lowest: float = -0.3
    n_together: int = 3
    weights: tuple[float, float, float] = (1.0, -3.5, -1.0)


STRICT = Limits()
"""Weights of Straka 2010 as others re-implemented them."""
WEAK = Limits((2.0, 25.0), (-10.0, 2.0), 0.8, -0.6, 2, (0.5, -3.5, -0.5))
"""For thin slabs without a large artery, late or wide boluses: timing counts more, two voxels are enough."""


def find_by_score(concentration: Concentration, region: Mask, tissue: Curve, /) -> Chosen:
    """Find arterial voxels by a score of height, arrival and width.

    Candidates are the tallest 5 % of curves whose width, arrival, end and dip are those of an artery.
    They score ``z(height) - 3.5 z(arrival) - z(width)``; the best fifth is grouped into clusters of
    touching voxels, and the cluster with the best mean score wins. The result is the best 100
    candidates within 10 mm of it or of its mirror image that arrive within 1 s of it and reach
    85 % of the height of the tallest there: fewer voxels rather than voxels that are partly tissue.

    Parameters
    ----------
    concentration
        Unfiltered curves `(voxels, t)`.
    region
        Where arteries may be, shape `(x, y, z)`.
    tissue
        Mean curve of the brain tissue, shape `(t,)`.

    Returns
    -------
    The voxels; with `AIF_WEAK` where only relaxed limits found any.

    Raises
    ------
    NoVessel
        If no curve looks like an artery.

    Notes
    -----
    The score is that of Straka et al. as public code re-implements it; clusters and the choice of the
    100 voxels are ours, since Gava et al. give their number only.

    References
    ----------
    Straka, Albers, Bammer, J Magn Reson Imaging 32:1024-1037 (2010), doi:10.1002/jmri.22338;
    Gava et al., Front Neuroinform 17:852105 (2023), doi:10.3389/fninf.2023.852105
    """
    rows, peaks = usable_rows(concentration, region)
    if not rows.size:
        raise _no_artery("no voxel enhances", concentration)
    for limits in (STRICT, WEAK):
        found = _search(concentration, rows, peaks, tissue, limits)
        if found is not None and found.size:
            height = float(measure(concentration, found).height.mean())
            weak = limits is WEAK or (concentration.modality is Modality.CT and height < _WEAK_HU)
            return Chosen(found, "automatic, by score", _weak(height, concentration) if weak else ())
    raise _no_artery("no curve is early, tall and narrow enough", concentration)


def _no_artery(found: str, concentration: Concentration) -> NoVessel:
    return NoVessel(
        "no artery could be found",
        wanted=f"touching voxels with an early, narrow peak well above the noise of "
        f"{concentration.noise:.3g} {concentration.unit}",
        found=found,
        remedy="Give the arterial curve or a place in an artery with --aif FILE.csv|MASK.nii.gz|x,y,z.",
    )


def _weak(height: float, concentration: Concentration) -> tuple[Finding, ...]:
    text = (
        f"Only a weak arterial curve was found (peak {height:.3g} {concentration.unit}): check its place and "
        "shape, or give one with --aif."
    )
    return (Finding("AIF_WEAK", Severity.WARN, text, height),)


def _search(
    concentration: Concentration, rows: NDArray[np.intp], peaks: Curve, tissue: Curve, limits: Limits
) -> NDArray[np.intp] | None:
    """Return the chosen rows, or None where no cluster is large enough."""
    floor = max(float(np.percentile(peaks, 95)), _noise_floor(concentration))
    tall = measure(concentration, rows[peaks >= floor])
    candidates = tall.only(_arterial(tall, concentration, tissue, limits))
    if candidates.rows.size < limits.n_together:
        return None
    candidates = candidates.only(candidates.height >= _timed_floor(concentration, candidates))
    score = _score(candidates, limits)
    winner = _winner(concentration, candidates, score, limits)
    return None if winner is None else _around(concentration, candidates, score, winner)


def _timed_floor(concentration: Concentration, candidates: Traits) -> float:
    """Return the height from which noise hardly moves the arrival, which weighs most in the score."""
    top = _top(candidates.height)
    sure = _SURE * SMOOTHED_NOISE * (concentration.noise if np.isfinite(concentration.noise) else 0.0)
    return max(_SEEN * top, min(sure, _SEEN_AT_MOST * top))


def _top(heights: Curve) -> float:
    """Return the tenth greatest height: spikes and the noise on top of a few voxels aside."""
    few = min(10, heights.size)
    return float(np.partition(heights, -few)[-few])


def _noise_floor(concentration: Concentration) -> float:
    """Return the height that noise alone reaches in one smoothed sample of 100 000 or so."""
    return 5.0 * SMOOTHED_NOISE * concentration.noise if np.isfinite(concentration.noise) else 0.0


def _arterial(
    traits: Traits, concentration: Concentration, tissue: Curve, limits: Limits
) -> NDArray[np.bool_]:
    row = np.asarray(tissue, dtype=np.float32)[None]
    tissue_arrival = float(features.arrival(row, concentration.times, fraction=0.2)[0])
    tissue_ttp = float(features.time_to_peak(row, concentration.times)[0])
    low, high = limits.width_s
    early, late = limits.arrival_s
    # A spike of one frame is two frames wide after smoothing.
    narrowest = max(low, 2.2 * concentration.dt) if concentration.dt < low else low
    arterial: NDArray[np.bool_] = (
        (traits.width >= narrowest)
        & (traits.width <= high)
        & (traits.arrival >= tissue_arrival + early)
        & (traits.arrival <= tissue_arrival + late)
        & (traits.ttp <= tissue_ttp + late)
        & (traits.tail <= limits.tail)
        & (traits.lowest >= limits.lowest)
    )
    return arterial


def _z(values: Curve) -> Float64s:
    spread = float(values.std(dtype=np.float64))
    z: Float64s = (values - values.mean(dtype=np.float64)) / (spread if spread > 1e-6 else 1.0)
    return z


def _score(traits: Traits, limits: Limits) -> Float64s:
    height, arrival, width = limits.weights
    return height * _z(traits.height) + arrival * _z(traits.arrival) + width * _z(traits.width)


def _winner(
    concentration: Concentration, candidates: Traits, score: Float64s, limits: Limits
) -> NDArray[np.intp] | None:
    """Return which candidates make up the best cluster, or None where all are too small."""
    best = np.flatnonzero(score >= np.percentile(score, 80))
    cluster = clusters(concentration, candidates.rows[best])
    sizes = np.bincount(cluster)
    means = np.bincount(cluster, weights=score[best]) / sizes
    means[sizes < limits.n_together] = -np.inf
    if not np.isfinite(means).any():
        return None
    return np.asarray(best[cluster == int(np.argmax(means))])


def _around(
    concentration: Concentration, candidates: Traits, score: Float64s, winner: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the rows of the best voxels near the winner or its mirror image that are as good as it."""
    arrival = float(np.median(candidates.arrival[winner]))
    near = _near(concentration, candidates.rows[winner])[concentration.mask][candidates.rows]
    alike = np.flatnonzero(near & (np.abs(candidates.arrival - arrival) <= _TOGETHER_S))
    tallest = _top(candidates.height[np.union1d(alike, winner)])
    pool = alike[candidates.height[alike] >= _PURE * tallest]
    if pool.size < 4:
        pool = np.union1d(pool, winner)
    order = np.argsort(-score[pool], kind="stable")[:N_VOXELS]
    return np.sort(candidates.rows[pool[order]])


def _near(concentration: Concentration, rows: NDArray[np.intp]) -> Mask:
    """Return everything within 10 mm of some voxels or of their mirror image across the middle."""
    seed = row_mask(concentration, rows)
    x = np.flatnonzero(concentration.mask.any(axis=(1, 2)))
    middle = int(x[0] + x[-1])
    mirrored = np.zeros_like(seed)
    where = np.argwhere(seed)
    where[:, 0] = np.clip(middle - where[:, 0], 0, seed.shape[0] - 1)
    mirrored[tuple(where.T)] = True
    away = ndimage.distance_transform_edt(~(seed | mirrored), sampling=concentration.grid.spacing_mm)
    return np.asarray(away <= _NEARBY_MM)
