"""Volumes scanned with a tilted gantry: each slice lies further along its own plane than the one below."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.ndimage import shift

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid

_NEGLIGIBLE_PX = 0.05
"""Slices that lie less than this beside each other, from first to last [pixels], count as straight."""


def offsets(grid: Grid) -> Float64s:
    """Return by how many pixels along x and y each slice lies aside, shape `(z, 2)`; 0 on average.

    All exactly 0 where the slices lie straight above each other.
    """
    x, y, z = grid.affine[:3, :3].T
    normal = np.cross(x, y)
    aside = z - normal * (normal @ z) / (normal @ normal)
    pixels, *_ = np.linalg.lstsq(np.stack([x, y], axis=1), aside, rcond=None)
    n = grid.shape[2]
    if np.abs(pixels).max() * (n - 1) < _NEGLIGIBLE_PX:
        pixels = np.zeros(2)
    return np.asarray((np.arange(n) - (n - 1) / 2)[:, None] * pixels)


def straight(grid: Grid) -> Grid:
    """Return the grid about the same centre whose slices lie straight above each other."""
    beside = offsets(grid)
    if not beside.any():
        return grid
    affine = grid.affine.copy()
    to_zero = affine[:3, :2] @ beside[0]
    step = affine[:3, :2] @ (beside[1] - beside[0])
    affine[:3, 2] -= step
    affine[:3, 3] -= to_zero
    return grid.with_shape(grid.shape, affine)


def straightened(volume: Volume, grid: Grid, *, order: Literal[1, 3] = 1) -> Volume:
    """Return a volume `(x, y, z)` on `straight(grid)`: each slice is shifted in its plane.

    Parameters
    ----------
    order
        1 for linear interpolation, 3 for cubic splines.

    Notes
    -----
    To interpolate between slices along the sheared axis instead would mix tissue that lies millimetres
    apart in the plane.
    """
    beside = offsets(grid)
    if not beside.any():
        return volume
    out = np.empty(volume.shape, dtype=np.float32)
    for z, pixels in enumerate(beside):
        shift(volume[..., z], pixels.tolist(), output=out[..., z], order=order, mode="nearest")
    return out
