"""A frame read where the head has gone."""

from __future__ import annotations

from math import floor
from typing import Any, Final

import numpy as np
from numba import njit
from scipy.ndimage import spline_filter

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid
from bolus.prepare.pose import about_centre
from bolus.prepare.shear import straight, straightened

ANY: Final = (-np.inf, np.inf)
"""The range of all values."""


def resampled(volume: Volume, grid: Grid, pose: Float64s, *, smooth: tuple[float, float] = ANY) -> Volume:
    """Read a frame where a pose says that the points of the reference have gone.

    Parameters
    ----------
    volume
        Shape `(x, y, z)`, finite.
    grid
        Of frame and reference; may be sheared by a tilted gantry.
    pose
        Reference to frame about the centre of the grid, shape `(4, 4)`.
    smooth
        Range of values that splines may run through; what exceeds it is interpolated linearly.

    Returns
    -------
    The frame on the reference, shape `(x, y, z)`: cubic splines, held within the range of the eight voxels
    around. Beyond the volume its nearest voxel goes on: next to the first and last slice that is the same
    tissue, which air would not be.

    Notes
    -----
    Splines blur less than straight lines do, but between slices that are thick for what lies in them they
    swing beyond all that was measured; so their values stay between those of the neighbours.
    """
    upright = straight(grid)
    turned = straightened(volume, grid, order=3 if smooth == ANY else 1)
    turned = np.ascontiguousarray(turned, dtype=np.float32)
    # an upright volume has no shear, so the transform first takes its grid's points to ours
    to_frame = about_centre(pose, grid) @ grid.affine @ np.linalg.inv(upright.affine)
    to_index = np.linalg.inv(upright.affine) @ to_frame @ upright.affine
    low, high = (np.float32(limit) for limit in smooth)
    splines = spline_filter(np.clip(turned, low, high), 3, output=np.float32, mode="mirror")
    out = np.empty(volume.shape, dtype=np.float32)
    _read(turned, splines, low, high, to_index, out)
    return out


@njit(nogil=True, cache=True)
def _read(volume: Any, splines: Any, low: Any, high: Any, to_index: Any, out: Any) -> None:
    nx, ny, nz = volume.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                x = to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 2] * k + to_index[0, 3]
                y = to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 2] * k + to_index[1, 3]
                z = to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 2] * k + to_index[2, 3]
                x, y, z = min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0), min(max(z, 0.0), nz - 1.0)
                least, most, beyond = _around(volume, low, high, x, y, z)
                out[i, j, k] = beyond + min(max(_spline(splines, x, y, z), least), most)


@njit(inline="always")
def _around(volume: Any, low: Any, high: Any, x: float, y: float, z: float) -> Any:
    """Return the range of the eight voxels around within limits, and what lies beyond these, between them."""
    i, j, k = floor(x), floor(y), floor(z)
    x, y, z = x - i, y - j, z - k
    least, most, beyond = high, low, 0.0
    for a in range(2):
        ia, wa = min(i + a, volume.shape[0] - 1), (x if a else 1.0 - x)
        for b in range(2):
            jb, wb = min(j + b, volume.shape[1] - 1), wa * (y if b else 1.0 - y)
            for c in range(2):
                value = volume[ia, jb, min(k + c, volume.shape[2] - 1)]
                inside = min(max(value, low), high)
                least, most = min(least, inside), max(most, inside)
                beyond += wb * (z if c else 1.0 - z) * (value - inside)
    return least, most, beyond


@njit(inline="always")
def _spline(splines: Any, x: float, y: float, z: float) -> Any:
    """Sum the cubic B-splines around a place."""
    i, j, k = floor(x), floor(y), floor(z)
    wx, wy, wz = _weights(x - i), _weights(y - j), _weights(z - k)
    total = 0.0
    for a in range(4):
        ia = _mirrored(i + a - 1, splines.shape[0])
        for b in range(4):
            jb = _mirrored(j + b - 1, splines.shape[1])
            line = 0.0
            for c in range(4):
                line += wz[c] * splines[ia, jb, _mirrored(k + c - 1, splines.shape[2])]
            total += wx[a] * wy[b] * line
    return total


@njit(inline="always")
def _weights(part: float) -> tuple[float, float, float, float]:
    """Return the cubic B-splines of the four voxels around a place, `part` after the second."""
    rest = 1.0 - part
    first, last = rest * rest * rest / 6.0, part * part * part / 6.0
    second = 2.0 / 3.0 - 0.5 * part * part * (2.0 - part)
    return first, second, 1.0 - first - second - last, last


@njit(inline="always")
def _mirrored(index: int, n: int) -> int:
    if n == 1:
        return 0
    return -index if index < 0 else min(index, 2 * (n - 1) - index)
