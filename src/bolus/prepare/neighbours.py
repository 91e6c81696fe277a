"""Weighted means over the neighbours of each voxel, for filters whose weights hold for every frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Float32s, Float64s
from bolus.core.finding import Progress, silent
from bolus.core.series import Voxels

SUPPORT_SDS = 2.0
"""The neighbourhood reaches two spatial SDs (Gava 2023 as read in our notes: 6 mm for 3 mm)."""
LEAST_WEIGHT = 1e-4
"""A likeness below this counts as none."""
_TABLE_SIZE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Voxels around a voxel.

    Parameters
    ----------
    offsets
        Index steps, shape `(n, 3)`, the centre among them.
    weights
        Gaussian of the distance in mm, shape `(n,)`.
    """

    offsets: NDArray[np.int64]
    weights: Float32s


def neighbourhood(axes_mm: Float64s, sigma_mm: float) -> Neighbourhood:
    """List the voxels within two SDs of a voxel.

    Parameters
    ----------
    axes_mm
        Step of one voxel along each index axis as columns, shape `(3, 3)` [mm]; may be sheared.
    sigma_mm
        SD of the Gaussian [mm].
    """
    reach = SUPPORT_SDS * sigma_mm
    # along index axis i the furthest point of a ball lies at reach * |row i of the inverse|
    spans = [ceil(reach * float(r)) for r in np.linalg.norm(np.linalg.inv(axes_mm), axis=1)]
    grids = np.meshgrid(*(np.arange(-n, n + 1) for n in spans), indexing="ij")
    offsets = np.stack([g.ravel() for g in grids], axis=1)
    squared = np.sum((offsets @ axes_mm.T) ** 2, axis=1)
    near = squared <= reach**2 * (1 + 1e-9)
    weights = np.exp(-squared[near] / (2 * sigma_mm**2)).astype(np.float32)
    return Neighbourhood(np.ascontiguousarray(offsets[near], dtype=np.int64), weights)


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How alike two voxels are, as a table over the mean squared difference of their features.

    Parameters
    ----------
    features
        Shape `(voxels, f)`, float32.
    table
        Weight at even steps of the mean squared difference, shape `(n,)`; its last entries are 0.
    per_unit
        Table entries per unit of the mean squared difference.
    """

    features: Float32s
    table: Float32s
    per_unit: float


def tabulate(features: Float32s, weight: Callable[[Float64s], Float64s], reach: float) -> Likeness:
    """Tabulate a falling weight of the mean squared difference from 0 to `reach`; 0 beyond.

    A table read linearly is within 1e-6 of the weight, and several times faster than an exponential.
    """
    squared = np.linspace(0.0, reach, _TABLE_SIZE)
    table = np.append(weight(squared), [0.0, 0.0]).astype(np.float32)
    return Likeness(np.ascontiguousarray(features, dtype=np.float32), table, (_TABLE_SIZE - 1) / reach)


def filtered(
    voxels: Voxels, around: Neighbourhood, likeness: Likeness, *, progress: Progress = silent
) -> Curves:
    """Replace each curve by the weighted mean of its neighbours' curves inside the mask.

    Parameters
    ----------
    voxels
        Curves that are not finite take no part, and stay as they are.
    around, likeness
        Weight by place, and by features; multiplied.

    Returns
    -------
    Shape `(voxels, t)`, float32.
    """
    curves = np.ascontiguousarray(voxels.curves)
    margin = np.abs(around.offsets).max(axis=0)
    index = _row_index(voxels, margin)
    out = np.empty_like(curves)
    broken = ~np.isfinite(curves).all(axis=1)
    out[broken] = curves[broken]
    flat = around.offsets @ np.array([index.shape[1] * index.shape[2], index.shape[2], 1])
    n_slices = voxels.mask.shape[2]
    weighing = (flat, around.weights, likeness.table, np.float32(likeness.per_unit))
    for z in range(n_slices):
        _filter_slice(curves, likeness.features, (index, margin, z), weighing, out)
        progress("filter", z + 1, n_slices)
    return out


def _row_index(voxels: Voxels, margin: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return each voxel's row of `curves`, with a margin; -1 outside and where a curve is not finite."""
    index = np.full(voxels.mask.shape, -1, dtype=np.int32)
    rows = np.arange(voxels.curves.shape[0], dtype=np.int32)
    rows[~np.isfinite(voxels.curves).all(axis=1)] = -1
    index[voxels.mask] = rows
    return np.pad(index, [(int(m), int(m)) for m in margin], constant_values=-1)


@njit(inline="always")
def _weigh(row: int, centre: int, index: Any, features: Any, weighing: Any, scratch: Any) -> Any:
    """List the neighbours that count, with their weights; return how many, and the sum of weights."""
    offsets, spatial, table, per_unit = weighing
    rows, weights = scratch
    n_features = features.shape[1]
    last = np.float32(table.shape[0] - 2)
    scale = per_unit / np.float32(n_features)
    n, total = 0, np.float32(0.0)
    for k in range(offsets.shape[0]):
        other = index[centre + offsets[k]]
        if other < 0:
            continue
        squared = np.float32(0.0)
        for f in range(n_features):
            difference = features[row, f] - features[other, f]
            squared += difference * difference
        place = squared * scale
        if place >= last:
            continue
        entry = np.int32(place)
        low = table[entry]
        weight = spatial[k] * (low + (place - np.float32(entry)) * (table[entry + 1] - low))
        rows[n] = other
        weights[n] = weight
        total += weight
        n += 1
    return n, total


@njit(inline="always")
def _add_up(curves: Any, scratch: Any, n: int, sums: Any) -> None:
    """Add up weighted rows, four at a time, so that the sums are read and written a quarter as often."""
    rows, weights = scratch
    sums[:] = np.float32(0.0)
    for k in range(n, n + 3):  # entries that fill up the last four
        rows[k] = rows[0]
        weights[k] = np.float32(0.0)
    for k in range(0, n, 4):
        a, b, c, d = curves[rows[k]], curves[rows[k + 1]], curves[rows[k + 2]], curves[rows[k + 3]]
        u, v, w, x = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        for t in range(sums.shape[0]):
            sums[t] += (u * a[t] + v * b[t]) + (w * c[t] + x * d[t])


@njit(parallel=True, fastmath=True, cache=True)  # rows that are not finite have no index: NaN never enters
def _filter_slice(curves: Any, features: Any, window: Any, weighing: Any, out: Any) -> None:
    """Filter the voxels of one slice: its lines share their neighbours, which stay in the cache."""
    index, margin, z = window
    flat_index = index.reshape(-1)
    n_neighbours = weighing[0].shape[0]
    for x in prange(index.shape[0] - 2 * margin[0]):
        scratch = (np.empty(n_neighbours + 4, np.int32), np.empty(n_neighbours + 4, np.float32))
        sums = np.empty(curves.shape[1], np.float32)
        line = ((x + margin[0]) * index.shape[1] + margin[1]) * index.shape[2] + z + margin[2]
        for y in range(index.shape[1] - 2 * margin[1]):
            centre = line + y * index.shape[2]
            row = flat_index[centre]
            if row < 0:
                continue
            n, total = _weigh(row, centre, flat_index, features, weighing, scratch)
            _add_up(curves, scratch, n, sums)
            part = np.float32(1.0) / total
            for t in range(sums.shape[0]):
                out[row, t] = sums[t] * part
