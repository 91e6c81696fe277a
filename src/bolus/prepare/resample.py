"""A frame read where the head has gone."""

from __future__ import annotations

from math import floor
from typing import Any, Literal

import numpy as np
from numba import njit

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid
from bolus.prepare.itk import splined
from bolus.prepare.pose import about_centre
from bolus.prepare.shear import straight, straightened


def resampled(volume: Volume, grid: Grid, pose: Float64s, *, order: Literal[1, 3] = 1) -> Volume:
    """Read a frame where a pose says that the points of the reference have gone.

    Parameters
    ----------
    volume
        Shape `(x, y, z)`, finite.
    grid
        Of frame and reference; may be sheared by a tilted gantry.
    pose
        Reference to frame about the centre of the grid, shape `(4, 4)`.
    order
        1 for linear interpolation, 3 for cubic B-splines.

    Returns
    -------
    The frame on the reference, shape `(x, y, z)`. Beyond the volume its nearest voxel goes on: next to
    the first and last slice that is the same tissue, which air would not be.
    """
    upright = straight(grid)
    turned = straightened(volume, grid, order=order)
    # an upright volume has no shear, so the transform first takes its grid's points to ours
    to_frame = about_centre(pose, grid) @ grid.affine @ np.linalg.inv(upright.affine)
    if order == 3:
        return splined(turned, upright, to_frame)
    to_index = np.linalg.inv(upright.affine) @ to_frame @ upright.affine
    out = np.empty(volume.shape, dtype=np.float32)
    _read_linearly(np.ascontiguousarray(turned, dtype=np.float32), to_index, out)
    return out


@njit(nogil=True, cache=True)
def _read_linearly(volume: Any, to_index: Any, out: Any) -> None:
    """Read a volume between its voxels; more than half a voxel outside, its nearest voxel."""
    nx, ny, nz = volume.shape
    x_step, y_step, z_step = to_index[0, 2], to_index[1, 2], to_index[2, 2]
    for i in range(nx):
        for j in range(ny):
            x0 = to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 3]
            y0 = to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 3]
            z0 = to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 3]
            for k in range(nz):
                x, y, z = x0 + x_step * k, y0 + y_step * k, z0 + z_step * k
                if -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5 and -0.5 <= z < nz - 0.5:
                    out[i, j, k] = _between(volume, x, y, z)
                else:
                    out[i, j, k] = volume[_nearest(x, nx), _nearest(y, ny), _nearest(z, nz)]


@njit(inline="always")
def _nearest(place: float, n: int) -> int:
    return min(max(floor(place + 0.5), 0), n - 1)


@njit(inline="always")
def _between(volume: Any, x: float, y: float, z: float) -> Any:
    """Interpolate along x, then y, then z, in double precision."""
    i, j, k = floor(x), floor(y), floor(z)
    x, y, z = x - i, y - j, z - k
    i0, i1 = max(i, 0), min(i + 1, volume.shape[0] - 1)
    j0, j1 = max(j, 0), min(j + 1, volume.shape[1] - 1)
    k0, k1 = max(k, 0), min(k + 1, volume.shape[2] - 1)
    low_low = volume[i0, j0, k0] + x * (volume[i1, j0, k0] - volume[i0, j0, k0])
    high_low = volume[i0, j1, k0] + x * (volume[i1, j1, k0] - volume[i0, j1, k0])
    low_high = volume[i0, j0, k1] + x * (volume[i1, j0, k1] - volume[i0, j0, k1])
    high_high = volume[i0, j1, k1] + x * (volume[i1, j1, k1] - volume[i0, j1, k1])
    low, high = low_low + y * (high_low - low_low), low_high + y * (high_high - low_high)
    return low + z * (high - low)
