"""All vessels of an X-ray run in one picture."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Float32s, Volume
from bolus.core.series import Concentration, Series, scatter

_TOGETHER_S = 0.25
"""Frames within this time are averaged: contrast stays in no vessel for less than four of such spans."""
_ROWS = 32


def minip(contrast: Series | Concentration) -> Volume:
    """Project the greatest density over time: the minimum-intensity projection, in which vessels are bright.

    Parameters
    ----------
    contrast
        Density of contrast D [nat], from `subtract` or `to_concentration`, shape `(x, y, 1, t)` or
        `(pixels, t)`.

    Returns
    -------
    Shape `(x, y, 1)` [nat]; 0 outside the mask of a concentration and where values are not finite.
    At more than 4 frames a second, means of the frames within 0.25 s are projected, which lowers noise
    and loses no vessel; at fewer frames nothing is averaged.
    """
    if isinstance(contrast, Concentration):
        width = max(int(_TOGETHER_S / contrast.dt + 1e-6), 1)
        return scatter(_greatest(contrast.curves, width), contrast.mask, fill=0.0)
    width = max(int(_TOGETHER_S / contrast.median_dt + 1e-6), 1) if contrast.n_frames > 1 else 1
    rows = [_greatest(contrast.frames[x : x + _ROWS], width) for x in range(0, contrast.grid.shape[0], _ROWS)]
    return np.concatenate(rows)


def _greatest(curves: Float32s, width: int) -> Float32s:
    """Return the greatest mean of `width` frames in a row along the last axis; 0 where it is not finite."""
    n_frames = curves.shape[-1]
    if 1 < width < n_frames:
        total = sum(curves[..., i : n_frames - width + 1 + i] for i in range(width))
        curves = np.asarray(total / np.float32(width))
    top = np.asarray(curves.max(axis=-1), dtype=np.float32)
    return np.nan_to_num(top, nan=0.0, posinf=0.0, neginf=0.0)
