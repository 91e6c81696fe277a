"""How noisy curves are."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Curves, Float64s

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for normal noise."""


def noise_sd(curves: Curves) -> Float64s:
    """Estimate each curve's noise from its first differences, which a slow drift does not move.

    Parameters
    ----------
    curves
        Pre-contrast samples, shape `(voxels, t)`, t >= 2.

    Returns
    -------
    Standard deviation of one sample, shape `(voxels,)`.
    """
    steps = np.diff(curves.astype(np.float64), axis=-1)
    spread = row_medians(np.abs(steps - row_medians(steps)[..., None]))
    sd: Float64s = MAD_TO_SD * spread / np.sqrt(2.0)
    return sd


def row_medians(values: Float64s) -> Float64s:
    """Return the median of each row, as `numpy.median` does along the last axis, shape `(..., n)` to `(...)`.

    Short rows are sorted whole, which is five times as fast as looking for their middle; NaN spreads.
    """
    n = values.shape[-1]
    ordered = np.sort(values, axis=-1)
    middle: Float64s = ordered[..., (n - 1) // 2 : n // 2 + 1].mean(axis=-1)
    return np.where(np.isnan(ordered[..., -1]), np.nan, middle)


def pooled_noise_sd(curves: Curves) -> float:
    """Estimate one noise level from the pre-contrast samples of many voxels, shape `(voxels, t)`.

    First differences of all voxels are pooled, so that two or three samples a voxel are enough.
    """
    steps = np.diff(curves.astype(np.float64), axis=-1).ravel()
    if not steps.size:
        return float("nan")
    return float(MAD_TO_SD * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2.0))
