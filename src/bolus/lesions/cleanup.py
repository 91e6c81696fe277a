"""From noisy threshold masks to lesions: smoothing before, tidying after."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import Maps
from bolus.core.units import Unit
from bolus.lesions.median import Neighbourhoods

MAX_HOLE_ML: Final = 0.1
"""Largest hole in a slice that is filled [mL]."""
VESSEL_CBV: Final = 8.0
"""CBV above which a voxel may be a vessel [mL/100 g]; healthy grey matter has 3 to 5."""
VESSEL_RATIO: Final = 2.5
"""CBV over the brain's median above which a voxel may be a vessel."""
_NEIGHBOURS: Final = np.ones((3, 3, 3), dtype=np.bool_)
_NEIGHBOURS_IN_PLANE: Final = np.pad(
    ndimage.generate_binary_structure(2, 1)[:, :, None], ((0, 0), (0, 0), (1, 1))
)


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
        plane, here = values[:, :, k : k + 1], inside[:, :, k : k + 1]
        around = Neighbourhoods.of(here, np.isfinite(plane))
        smooth[:, :, k : k + 1][here] = around.medians(plane[here].astype(np.float32))
    return smooth


def without_vessels(tissue: Mask, maps: Maps) -> Mask:
    """Leave out voxels whose blood volume is a vessel's: over 8 mL/100 g and 2.5 times the median.

    Only the ratio counts where CBV is not in mL/100 g; without a CBV map nothing is left out. Where the
    method knows how sure it is, the volume must exceed the limit by its standard deviation: what is left of
    head motion looks like a long tail of contrast.
    """
    blood = maps.get("CBV")
    if blood is None or not np.isfinite(blood.values[tissue]).any():
        return tissue
    limit = VESSEL_RATIO * float(np.nanmedian(blood.values[tissue]))
    if blood.unit is Unit.VOLUME:
        limit = max(VESSEL_CBV, limit)
    least = blood.values if blood.sd is None else blood.values - blood.sd
    with np.errstate(invalid="ignore"):
        return tissue & ~(least > limit)


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
    kept = np.zeros_like(mask)
    if not mask.any():
        return kept
    here = _box(mask)
    labels, n = ndimage.label(mask[here], structure=_NEIGHBOURS)
    counts = np.bincount(labels.ravel(), minlength=n + 1)
    keep = counts * grid.voxel_ml >= min_ml * (1 - 1e-6)  # a component of exactly the limit stays
    keep[0] = False
    kept[here] = keep[labels]
    return kept


def filled(mask: Mask, grid: Grid, fillable: Mask) -> Mask:
    """Fill holes of up to 0.1 mL in each slice of a mask."""
    whole = mask.copy()
    if not mask.any():
        return whole
    here = _box(mask)
    labels, n = ndimage.label(~mask[here], structure=_NEIGHBOURS_IN_PLANE)
    small = np.bincount(labels.ravel(), minlength=n + 1) * grid.voxel_ml <= MAX_HOLE_ML
    small[0] = False
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False  # open to the outside
    whole[here] |= small[labels] & fillable[here]
    return whole


def _box(mask: Mask) -> tuple[slice, slice, slice]:
    """Return the slices of the array that hold a mask, with a voxel around it."""
    flat, upright = np.any(mask, axis=2), np.any(mask, axis=0)
    x, y = np.flatnonzero(np.any(flat, axis=1)), np.flatnonzero(np.any(flat, axis=0))
    z = np.flatnonzero(np.any(upright, axis=0))
    return (
        slice(max(int(x[0]) - 1, 0), int(x[-1]) + 2),
        slice(max(int(y[0]) - 1, 0), int(y[-1]) + 2),
        slice(int(z[0]), int(z[-1]) + 1),
    )
