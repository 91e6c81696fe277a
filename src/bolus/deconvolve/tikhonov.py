"""Block-circulant deconvolution that damps weak frequencies instead of dropping them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Curve, Float64s, Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Estimate
from bolus.deconvolve.fourier import Circulant
from bolus.deconvolve.method import require_fraction
from bolus.deconvolve.peak import Search, deconvolve_linearly
from bolus.deconvolve.problem import pose

STRENGTHS: Final = np.geomspace(0.005, 1.0, 40)
"""Strengths that the L-curve tries."""
CLAMP: Final = (0.05, 0.4)
"""Range of a strength chosen from data: below it some voxels explode, above it all flow flattens."""
N_SAMPLED: Final = 4096
"""Voxels that the choice looks at."""


def tikhonov(
    curves: Floats, aif: Curve, dt: float, /, *, strength: float | str = 0.2, residues: bool = False
) -> Estimate:
    """Deconvolve with block-circulant Tikhonov regularisation.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    strength
        Regularisation as a fraction of the largest singular value: 0.1 keeps most flow, 0.3 least noise
        (Fieselmann et al. 2011). `lcurve` chooses one for the whole scan, see `choose_strength`.
    residues
        Whether to keep `k` of every voxel.

    Returns
    -------
    Flow [1/s] and Tmax [s], shape `(voxels,)`; NaN where a curve is not finite or `k` never positive.

    Raises
    ------
    ShapeMismatch
        If curves and arterial curve differ in length.
    BadTimes
        If there are fewer than 8 frames, or `dt` is not positive.
    NoBolus
        If the arterial curve holds no bolus.
    BadRecipe
        If `strength` is neither between 0 and 1 nor `lcurve`.

    References
    ----------
    Fieselmann et al., Int J Biomed Imaging 2011:467563, doi:10.1155/2011/467563

    Calamante et al., Magn Reson Med 50:1237-1247 (2003), doi:10.1002/mrm.10643
    """
    problem = pose(curves, aif, dt)
    system = Circulant.of(problem.aif, problem.dt)
    if strength == "lcurve":
        strength = choose_strength(curves, aif, dt)
    if isinstance(strength, str):
        raise BadRecipe("unknown strength", wanted="a number between 0 and 1, or lcurve", found=strength)
    damping = require_fraction(strength, "strength") * system.singular_values.max()
    gains = system.eigenvalues.conj() / (system.singular_values**2 + damping**2)
    search = Search.circular(system.n_frames, problem.dt)
    matrix = system.filtered_inverse(gains, search.lags, search.fold)
    return deconvolve_linearly(problem, matrix, search, residues=residues)


def choose_strength(curves: Floats, aif: Curve, dt: float) -> float:
    """Choose one regularisation strength for a scan: the median of its voxels' L-curve corners.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`; at most 4096 of them, evenly spread, are looked at.
    aif
        Arterial contrast, shape `(t,)`.
    dt
        Frame interval [s].

    Returns
    -------
    Fraction of the largest singular value, within 0.05-0.4; 0.2 where no voxel has contrast.

    Notes
    -----
    Chosen a voxel at a time, the strength is unstable: a few voxels in a hundred then lose all
    regularisation and their flow explodes.

    References
    ----------
    Hansen and O'Leary, SIAM J Sci Comput 14:1487-1503 (1993), doi:10.1137/0914086
    """
    sampled = np.asarray(curves)[:: max(1, len(curves) // N_SAMPLED)]
    problem = pose(sampled[np.isfinite(sampled).all(axis=1)], aif, dt)
    system = Circulant.of(problem.aif, problem.dt)
    corners = _corners(problem.curves.astype(np.float64), system)
    return float(np.clip(np.median(corners), *CLAMP)) if corners.size else 0.2


def settle_strength(
    curves: Floats, aif: Curve, dt: float, options: Mapping[str, Any], /
) -> Mapping[str, Any]:
    """Return options whose strength is a number, chosen from the scan where it was `lcurve`."""
    if options.get("strength") != "lcurve":
        return options
    return {**options, "strength": choose_strength(curves, aif, dt)}


def _corners(curves: Float64s, system: Circulant) -> Float64s:
    """Return the strength at the corner of each curve's L-curve, shape `(voxels with contrast,)`."""
    power = np.abs(np.fft.rfft(curves, system.n_lags, axis=1)) ** 2
    power[:, 1:-1] *= 2.0  # inner bins stand for two
    power = power[power.sum(axis=1) > 0]
    squared = system.singular_values**2
    passed = squared / (squared + (STRENGTHS[:, None] * system.singular_values.max()) ** 2)
    misfit = np.log(power @ ((1.0 - passed) ** 2).T)
    size = np.log(power @ (passed**2 / np.maximum(squared, 1e-12 * squared.max())).T)
    return np.asarray(STRENGTHS[np.argmax(_curvature(misfit, size)[:, 2:-2], axis=1) + 2])


def _curvature(x: Float64s, y: Float64s) -> Float64s:
    """Return the curvature of plane curves given by rows of points, shape of `x`."""
    dx, dy = np.gradient(x, axis=1), np.gradient(y, axis=1)
    ddx, ddy = np.gradient(dx, axis=1), np.gradient(dy, axis=1)
    bend: Float64s = (dx * ddy - dy * ddx) / np.maximum((dx**2 + dy**2) ** 1.5, 1e-30)
    return bend
