"""From noisy threshold masks to lesions: smoothing before, tidying after."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import Maps
from bolus.core.units import Unit

MAX_HOLE_ML: Final = 0.1
"""Largest hole in a slice that is filled [mL]."""
VESSEL_CBV: Final = 8.0
"""CBV above which a voxel may be a vessel [mL/100 g]; healthy grey matter has 3 to 5."""
VESSEL_RATIO: Final = 2.5
"""CBV over the brain's median above which a voxel may be a vessel."""
_MIN_NEIGHBOURS: Final = 3
_NEIGHBOURS: Final = np.ones((3, 3, 3), dtype=np.bool_)
_NEIGHBOURS_IN_PLANE: Final = ndimage.generate_binary_structure(2, 1)


def median_in_plane(values: Volume, inside: Mask) -> Volume:
    """Replace each voxel by the median of its 3 x 3 neighbours in the slice that hold a number.

    Parameters
    ----------
    values
        Shape `(x, y, z)`; NaN where there is no number.
    inside
        Voxels to use and to fill, shape `(x, y, z)`: a neighbour outside says nothing about tissue.

    Returns
    -------
    Shape `(x, y, z)`; NaN outside, and where fewer than 3 of the 9 hold a number.
    """
    smooth = np.full(values.shape, np.nan, dtype=np.float32)
    for k in np.flatnonzero(inside.any(axis=(0, 1))):
        here = inside[:, :, k]
        smooth[:, :, k][here] = _medians(np.where(here, values[:, :, k], np.nan), here)
    return smooth


def _medians(plane: Float32s, here: NDArray[np.bool_]) -> Float32s:
    """Return the medians of the neighbourhoods of some pixels; sorting puts NaN last."""
    padded = np.pad(np.where(np.isfinite(plane), plane, np.nan), 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))[here].reshape(-1, 9)
    ranked = np.sort(windows, axis=1)
    n = np.count_nonzero(np.isfinite(ranked), axis=1)
    rows = np.arange(n.size)
    middle = 0.5 * (ranked[rows, np.maximum(n - 1, 0) // 2] + ranked[rows, n // 2])
    medians: Float32s = np.where(n >= _MIN_NEIGHBOURS, middle, np.nan).astype(np.float32)
    return medians


def without_vessels(tissue: Mask, maps: Maps) -> Mask:
    """Leave out voxels whose blood volume is a vessel's: over 8 mL/100 g and 2.5 times the median.

    Only the ratio counts where CBV is not in mL/100 g; without a CBV map nothing is left out.
    """
    blood = maps.get("CBV")
    if blood is None or not np.isfinite(blood.values[tissue]).any():
        return tissue
    limit = VESSEL_RATIO * float(np.nanmedian(blood.values[tissue]))
    if blood.unit is Unit.VOLUME:
        limit = max(VESSEL_CBV, limit)
    with np.errstate(invalid="ignore"):
        return tissue & ~(blood.values > limit)


def clean(mask: Mask, grid: Grid, fillable: Mask, *, min_lesion_ml: float) -> Mask:
    """Drop small components and fill small holes of a lesion mask.

    Components are joined over faces, edges and corners in 3-D (26 neighbours); holes are looked for
    slice by slice. A smaller lesion mask inside a larger one stays inside it.

    Parameters
    ----------
    mask
        Shape `(x, y, z)`.
    grid
        For volumes: the true slice spacing counts, not the slice thickness.
    fillable
        Voxels that filling a hole may add: brain tissue, vessels in it included, no fluid.
    min_lesion_ml
        Smallest component that stays [mL].

    Returns
    -------
    Shape `(x, y, z)`.
    """
    return filled(without_small(mask, grid, min_lesion_ml), grid, fillable)


def without_small(mask: Mask, grid: Grid, min_ml: float) -> Mask:
    """Drop the 26-connected components of a mask under a volume [mL]."""
    labels, n = ndimage.label(mask, structure=_NEIGHBOURS)
    if n == 0:
        return np.zeros_like(mask)
    counts = np.bincount(labels.ravel(), minlength=n + 1)
    keep = counts * grid.voxel_ml >= min_ml * (1 - 1e-6)  # a component of exactly the limit stays
    keep[0] = False
    return np.asarray(keep[labels], dtype=np.bool_)


def filled(mask: Mask, grid: Grid, fillable: Mask) -> Mask:
    """Fill holes of up to 0.1 mL in each slice of a mask."""
    whole = mask.copy()
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        plane = mask[:, :, k]
        holes, n = ndimage.label(ndimage.binary_fill_holes(plane) & ~plane, structure=_NEIGHBOURS_IN_PLANE)
        small = np.bincount(holes.ravel(), minlength=n + 1) * grid.voxel_ml <= MAX_HOLE_ML
        small[0] = False
        whole[:, :, k] |= small[holes] & fillable[:, :, k]
    return whole
