"""Figures that tell how good a vessel curve is."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Curve, Curves, Float64s, Indices, Mask
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.physics import features
from bolus.physics.gamma import fit_gamma_variate

_LARGEST_CNR = 1000.0
"""What the contrast-to-noise ratio of a noise-free curve is given as."""


def curve_quality(
    values: Curve, times: Float64s, baseline: tuple[int, int], noise: float
) -> dict[str, float]:
    """Judge one vessel curve.

    Parameters
    ----------
    values, times
        Contrast and seconds, shape `(t,)`.
    baseline
        Frames `[first, last)` without contrast.
    noise
        Standard deviation to assume where the baseline has fewer than three frames, unit of `values`.

    Returns
    -------
    `peak`, `auc` in the unit of the curve (and s); `fwhm_s`, `arrival_s` (10 % of the peak), `ttp_s`
    [s]; `cnr` (at most 1000), `tail` (mean of the last three samples over the peak), `gamma_r2` [no
    unit]; `roughness` [1/s^3].
    """
    row: Curves = np.asarray(values, dtype=np.float32)[None]
    first, last = baseline
    sd = float(np.std(values[first:last], ddof=1)) if last - first >= 3 else noise
    peak = float(row.max())
    _, r2 = fit_gamma_variate(times, values)
    return {
        "peak": peak,
        "cnr": min(peak / sd, _LARGEST_CNR) if sd > 0 else _LARGEST_CNR,
        "fwhm_s": float(features.width_at_half(row, times)[0]),
        "arrival_s": float(features.arrival(row, times)[0]),
        "ttp_s": float(features.time_to_peak(row, times)[0]),
        "auc": float(features.area(row, times)[0]),
        "roughness": float(features.roughness(row, times)[0]),
        "tail": float(features.tail(row)[0]),
        "gamma_r2": r2,
    }


def place_quality(voxels: Indices, grid: Grid, inside: Mask) -> dict[str, float]:
    """Say how many voxels there are and where.

    Returns
    -------
    `n_voxels`; `left_mm`, the mean distance from the middle of the brain towards the patient's left,
    and `midline_mm`, the mean distance either way [mm]. The last two are absent without voxels.
    """
    figures = {"n_voxels": float(len(voxels))}
    if len(voxels):
        x = np.flatnonzero(inside.any(axis=(1, 2)))
        middle = 0.5 * float(x[0] + x[-1]) if x.size else 0.5 * (inside.shape[0] - 1)
        left = (voxels[:, 0] - middle) * grid.spacing_mm[0]
        figures |= {"left_mm": float(left.mean()), "midline_mm": float(np.abs(left).mean())}
    return figures


def vessel_curve(
    concentration: Concentration, name: str, origin: str, *, voxels: Indices, values: Curve, inside: Mask
) -> VesselCurve:
    """Put a curve on the clock of a concentration together with its figures."""
    noise = concentration.noise / np.sqrt(max(len(voxels), 1))
    quality = curve_quality(values, concentration.times, concentration.baseline, noise)
    quality |= place_quality(voxels, concentration.grid, inside)
    return VesselCurve(name, concentration.times, values, concentration.unit, origin, voxels, quality)
