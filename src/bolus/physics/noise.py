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
    spread = np.median(np.abs(steps - np.median(steps, axis=-1, keepdims=True)), axis=-1)
    sd: Float64s = MAD_TO_SD * spread / np.sqrt(2.0)
    return sd


def pooled_noise_sd(curves: Curves) -> float:
    """Estimate one noise level from the pre-contrast samples of many voxels, shape `(voxels, t)`.

    First differences of all voxels are pooled, so that two or three samples a voxel are enough.
    """
    steps = np.diff(curves.astype(np.float64), axis=-1).ravel()
    if not steps.size:
        return float("nan")
    return float(MAD_TO_SD * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2.0))
