"""Causal truncated SVD, with three ways to turn an integral into a sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.linalg import toeplitz

from bolus.core.arrays import Curve, Float64s, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.method import require_fraction, require_one_of
from bolus.deconvolve.peak import Search, deconvolve_linearly
from bolus.deconvolve.problem import pose


def ssvd(
    curves: Floats,
    aif: Curve,
    dt: float,
    /,
    *,
    cutoff: float | None = None,
    rule: str = "weighted",
    residues: bool = False,
) -> Estimate:
    """Deconvolve with the causal SVD, which depends on delay: for comparison, and for DSA.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    cutoff
        Smallest singular value kept, as a fraction of the largest. Unset: 0.2 (Østergaard et al. 1996),
        or 0.15 with the Volterra rule (perfDSA, Su et al. 2025).
    rule
        How the convolution integral becomes a sum: `weighted` (linear arterial curve, Østergaard et al.
        1996), `plain` (rectangles) or `volterra` (linear arterial curve and residue, Sourbron et al. 2007).
    residues
        Whether to keep `k` of every voxel.

    Returns
    -------
    Flow [1/s] and Tmax [s] from 0 on, shape `(voxels,)`; NaN where a curve is not finite or `k` never
    positive.

    Raises
    ------
    ShapeMismatch
        If curves and arterial curve differ in length.
    BadTimes
        If there are fewer than 8 frames, or `dt` is not positive.
    NoBolus
        If the arterial curve holds no bolus.
    BadRecipe
        If an option is unknown or out of range.

    Notes
    -----
    Flow is the greatest `k`, not the greatest `|k|`: a negative lobe is no flow. Singular values are
    dropped by size, never by rank. Tissue that leads the arterial curve cannot be described.

    References
    ----------
    Østergaard et al., Magn Reson Med 36:715-725 (1996), doi:10.1002/mrm.1910360510

    Sourbron et al., Phys Med Biol 52:6761-6778 (2007), doi:10.1088/0031-9155/52/22/014
    """
    problem = pose(curves, aif, dt)
    convolution, usual = RULES[require_one_of(rule, "rule", tuple(RULES))]
    fraction = usual if cutoff is None else require_fraction(cutoff, "cutoff")
    matrix = truncated_inverse(problem.dt * convolution(problem.aif), fraction)
    search = Search.causal(problem.aif.size, problem.dt)
    return deconvolve_linearly(problem, matrix, search, residues=residues)


def truncated_inverse(matrix: Float64s, cutoff: float) -> Float64s:
    """Invert a matrix, leaving out singular values below a fraction of the largest."""
    left, values, right = np.linalg.svd(matrix)
    kept = values >= (cutoff - 1e-9) * values[0]
    inverse: Float64s = (right[kept].T / values[kept]) @ left[:, kept].T
    return inverse


def plain(aif: Float64s) -> Float64s:
    """Return the convolution matrix by rectangles, shape `(t, t)`."""
    return np.asarray(np.tril(toeplitz(aif)))


def weighted(aif: Float64s) -> Float64s:
    """Return the convolution matrix for an arterial curve that is linear between samples, `(t, t)`.

    The curve is 0 before the first sample and stays at its last value after the last.
    """
    before, after = np.append(0.0, aif[:-1]), np.append(aif[1:], aif[-1])
    return plain((before + 4.0 * aif + after) / 6.0)


def volterra(aif: Float64s) -> Float64s:
    """Return the convolution matrix for curves that are both linear between samples, shape `(t, t)`.

    The first row is 0: nothing has flowed in when the scan begins.
    """
    before, after = np.append(0.0, aif[:-1]), np.append(aif[1:], aif[-1])
    matrix = plain((before + 4.0 * aif + after) / 6.0)
    matrix[:, 0] = (2.0 * aif + before) / 6.0
    np.fill_diagonal(matrix, (2.0 * aif[0] + aif[1]) / 6.0)
    matrix[0] = 0.0
    return matrix


RULES: Final[Mapping[str, tuple[Callable[[Float64s], Float64s], float]]] = MappingProxyType(
    {"weighted": (weighted, 0.2), "plain": (plain, 0.2), "volterra": (volterra, 0.15)}
)
"""Convolution matrix and usual cutoff by rule."""
