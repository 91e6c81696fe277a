"""Block-circulant truncated SVD, as one matrix."""

from __future__ import annotations

from bolus.core.arrays import Curve, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.fourier import Circulant, inverse_where
from bolus.deconvolve.method import require_fraction, require_not_negative
from bolus.deconvolve.peak import Search, deconvolve_linearly
from bolus.deconvolve.problem import pose
from bolus.deconvolve.tail import carry_on


def csvd(
    curves: Floats,
    aif: Curve,
    dt: float,
    /,
    *,
    cutoff: float = 0.1,
    tail_s: float = 0.0,
    residues: bool = False,
) -> Estimate:
    """Deconvolve with the block-circulant SVD: the same truncation for all voxels, free of delay.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    cutoff
        Smallest singular value kept, as a fraction of the largest, which is the area of the arterial
        curve. 0.1 suits a signal-to-noise ratio of 20-50 (Wu et al. 2003); 0.15-0.2 low-dose CT.
    tail_s
        Time constant with which curves are carried on beyond the end of the scan [s]; 0 pads them with
        zeros. For runs that end during the washout, as those of DSA do (`bolus.deconvolve.tail`).
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
        If `cutoff` is not between 0 and 1, or `tail_s` is negative.

    Notes
    -----
    Computed by dropping frequencies, which is the same solution as the paper's dense decomposition.
    The peak is searched from -5 s to the end of the scan, not over the whole padded circle.

    References
    ----------
    Wu et al., Magn Reson Med 50:164-174 (2003), doi:10.1002/mrm.10522
    """
    problem = pose(curves, aif, dt)
    longer = carry_on(problem.aif.size, problem.dt, require_not_negative(tail_s, "tail_s"))
    system = Circulant.of(longer @ problem.aif, problem.dt)
    gains = inverse_where(system.eigenvalues, system.kept(require_fraction(cutoff, "cutoff")))
    search = Search.circular(problem.aif.size, problem.dt)
    matrix = system.filtered_inverse(gains, search.lags, search.fold) @ longer
    return deconvolve_linearly(problem, matrix, search, residues=residues)
