"""Search for arteries by clustering the shapes of curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2

from bolus.core.arrays import Curve, Float32s, Float64s, Mask
from bolus.core.errors import NoVessel
from bolus.core.series import Concentration
from bolus.physics import features
from bolus.vessels.candidates import Chosen, usable_rows

_AREA_PERCENT = 90.0
"""Curves with a smaller area than this percentile are dropped (Mouridsen 2006)."""
_REGULAR_PERCENT = 75.0
"""Curves rougher than this percentile are dropped (Mouridsen 2006)."""
_CLEAR = 20.0
"""A curve whose peak is this many times the noise owes its bends to the bolus and not to noise."""
_CLUSTERS = 5
_RESTARTS = 10
_FEWEST = 4
"""Voxels that a cluster needs to be split again."""


def find_by_kmeans(concentration: Concentration, region: Mask, tissue: Curve, /, *, seed: int = 0) -> Chosen:
    """Find arterial voxels by k-means on curves of unit area.

    Curves of small area and the roughest quarter of the rest are dropped; the others are split into
    five clusters by shape, the cluster whose mean has the smallest first moment is kept and split once
    more in the same way.

    Parameters
    ----------
    concentration
        Unfiltered curves `(voxels, t)`.
    region
        Where arteries may be, shape `(x, y, z)`.
    tissue
        Not used; every search takes it.
    seed
        Of the random starts; the best of ten counts.

    Raises
    ------
    NoVessel
        If fewer than 4 curves are left to cluster.

    Notes
    -----
    A cluster of fewer than 4 voxels is never kept. A curve whose peak is 20 times the noise is not
    dropped as rough: with little noise the roughest curves are the arteries.

    References
    ----------
    Mouridsen et al., Magn Reson Med 55:524-531 (2006), doi:10.1002/mrm.20759
    """
    del tissue
    rows, _ = usable_rows(concentration, region)
    rows = _regular(concentration, rows)
    if rows.size < _FEWEST:
        raise NoVessel(
            "no artery could be found by k-means",
            wanted=f"at least {_FEWEST} smooth curves of large area",
            found=str(rows.size),
            remedy="Try --aif auto, or give the arterial curve with --aif FILE.csv|MASK.nii.gz|x,y,z.",
        )
    rng = np.random.default_rng(seed)
    for _ in range(2):
        rows = _earliest(concentration, rows, rng)
    return Chosen(np.sort(rows), "automatic, by k-means")


def _regular(concentration: Concentration, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Drop curves of small area, then the roughest of the rest."""
    if not rows.size:
        return rows
    area = features.area(concentration.curves[rows], concentration.times)
    rows = rows[(area >= np.percentile(area, _AREA_PERCENT)) & (area > 0)]
    if not rows.size:
        return rows
    unit = _unit_area(concentration, rows)
    bend = np.diff(unit, n=2, axis=1)
    rough = np.sum(bend**2, axis=1)
    clear = concentration.curves[rows].max(axis=1) > _CLEAR * concentration.noise
    return np.asarray(rows[clear | (rough <= np.percentile(rough, _REGULAR_PERCENT))])


def _unit_area(concentration: Concentration, rows: NDArray[np.intp]) -> Float64s:
    curves: Float32s = concentration.curves[rows]
    area = features.area(curves, concentration.times)
    return np.asarray(curves / area[:, None], dtype=np.float64)


def _earliest(
    concentration: Concentration, rows: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Split into clusters and keep the one whose mean curve has the smallest first moment."""
    shapes = _unit_area(concentration, rows)
    if len(shapes) < _CLUSTERS * _FEWEST or np.ptp(shapes, axis=0).max() <= 0:
        return rows
    labels = _best_labels(shapes, rng)
    kept = [k for k in range(_CLUSTERS) if np.count_nonzero(labels == k) >= _FEWEST]
    means = np.stack([shapes[labels == k].mean(axis=0) for k in kept]).astype(np.float32)
    moments = features.first_moment(means, concentration.times)
    return np.asarray(rows[labels == kept[int(np.nanargmin(moments))]])


def _best_labels(shapes: Float64s, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the labels of the restart with the least scatter."""
    best, least = np.zeros(len(shapes), dtype=np.intp), np.inf
    for _ in range(_RESTARTS):
        try:
            centres, labels = kmeans2(shapes, _starts(shapes, rng), minit="matrix", missing="raise")
        except ClusterError:  # a start that lost a cluster
            continue
        scatter = float(np.sum((shapes - centres[labels]) ** 2))
        if scatter < least:
            best, least = np.asarray(labels, dtype=np.intp), scatter
    return best


def _starts(shapes: Float64s, rng: np.random.Generator) -> Float64s:
    """Choose starting centres as k-means++ does: each far from those before it."""
    chosen = [int(rng.integers(len(shapes)))]
    away = np.full(len(shapes), np.inf)
    for _ in range(_CLUSTERS - 1):
        away = np.minimum(away, np.sum((shapes - shapes[chosen[-1]]) ** 2, axis=1))
        total = float(away.sum())
        weights = away / total if total > 0 else np.full(len(shapes), 1.0 / len(shapes))
        chosen.append(int(rng.choice(len(shapes), p=weights)))
    return shapes[chosen]
