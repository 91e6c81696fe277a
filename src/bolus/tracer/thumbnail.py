"""An X-ray run made small, for decisions that need no detail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Frames, Mask
from bolus.core.grid import Grid
from bolus.core.series import Series, Voxels
from bolus.physics.noise import noise_sd

SIDE = 128
"""Shorter side of a small run [pixels]: an internal carotid (4 mm of 180) is three wide."""
_NOISY = 4.0
"""A pixel whose noise exceeds this many times the median lies in the shadow of a collimator."""


def shrink(frames: Frames, side: int = SIDE) -> Float32s:
    """Average blocks of pixels.

    Parameters
    ----------
    frames
        Shape `(x, y, 1, t)`, numbers of any kind.
    side
        Pixels that the shorter side keeps, at least.

    Returns
    -------
    Shape `(m, n, t)`; pixels beyond whole blocks are left out.
    """
    width, height, _, n_frames = frames.shape
    size = max(min(width, height) // side, 1)
    total = np.zeros((width // size, height // size, n_frames), dtype=np.float32)
    for i in range(size):
        for j in range(size):
            total += frames[i : size * len(total) : size, j : size * total.shape[1] : size, 0]
    return np.asarray(total / np.float32(size * size), dtype=np.float32)


def seen(small: Float32s) -> NDArray[np.bool_]:
    """Tell which pixels of a small run `(m, n, t)` are imaged: neither constant nor only noise."""
    changing: NDArray[np.bool_] = np.ptp(small, axis=2) > 0
    if np.count_nonzero(changing) < 2 or small.shape[2] < 3:
        return changing
    noise = noise_sd(small[changing])
    kept = np.zeros_like(changing)
    kept[changing] = noise <= _NOISY * float(np.median(noise)) + 1e-9
    return kept


def as_voxels(series: Series, small: Float32s, inside: NDArray[np.bool_]) -> Voxels:
    """Return the imaged pixels of a small run as voxels of a coarser grid, one time curve a row."""
    mask: Mask = np.ascontiguousarray(inside[:, :, None])
    size = series.grid.shape[0] // small.shape[0]
    affine = np.array(series.grid.affine)
    affine[:3, :2] *= size
    grid = Grid((small.shape[0], small.shape[1], 1), affine)
    return Voxels(small[inside], series.times, mask, grid, series.modality, series.unit, series.acquisition)
