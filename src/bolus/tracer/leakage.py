"""Contrast that leaves the vessels: correction of DSC-MRI where the blood-brain barrier is open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bolus.core.arrays import Float32s, Float64s
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.tracer.baseline import BLOCK

_LAST = 10
"""Frames at the end whose mean tells whether a voxel still enhances (Boxerman 2006)."""
_STRICT, _LOOSE = 1.0, 2.0
"""How many baseline SDs count as enhancing: the paper's, and the second try when few voxels pass."""
_FEWEST = 50
"""Voxels that a reference curve needs."""
_LARGEST_CV = 1.0
"""K2 is used only where its coefficient of variation is below this."""


def correct_leakage(concentration: Concentration) -> tuple[Concentration, Float32s]:
    """Correct dR2* curves for leakage of contrast out of the vessels.

    Each curve is fitted by ``K1 W(t) - K2 int_0^t W``, where W is the mean curve of the voxels that do
    not enhance at the end of the scan; then ``K2 int_0^t W`` is added. K2 > 0 means that leaked contrast
    shortened T1 and hid part of the passage; K2 < 0 that it shortened T2*.

    Parameters
    ----------
    concentration
        dR2* [1/s], curves `(voxels, t)`.

    Returns
    -------
    The corrected concentration, and K2 [1/s], shape `(voxels,)`: 0 where its coefficient of variation
    is 100 % or more and the curve was left alone, NaN where the curve was.

    Notes
    -----
    For tumours and other places of an open barrier; off by default, since in acute stroke it is closed.
    The coefficient of variation takes the residuals of the fit as its noise, and counts that the
    baseline, a mean of few noisy frames, shifts the whole curve. Where fewer than 50
    voxels pass the paper's limit of one SD for the reference, two SDs are tried; where that fails too,
    nothing is corrected and `LEAKAGE_SKIPPED` says so.

    References
    ----------
    Boxerman, Schmainda, Weisskoff, AJNR Am J Neuroradiol 27:859-867 (2006), PMID 16611779
    """
    reference = _reference_curve(concentration)
    if reference is None:
        text = "Too few voxels return to baseline to correct for leakage: the curves are uncorrected."
        finding = Finding("LEAKAGE_SKIPPED", Severity.WARN, text)
        unchanged = replace(concentration, findings=(*concentration.findings, finding))
        return unchanged, np.zeros(len(concentration.curves), dtype=np.float32)
    n_before = max(concentration.baseline[1] - concentration.baseline[0], 1)
    steps = 0.5 * (reference[1:] + reference[:-1]) * concentration.dt
    integral = np.concatenate([[0.0], np.cumsum(steps)])
    curves = np.empty_like(concentration.curves)
    rates = np.empty(len(curves), dtype=np.float32)
    for start in range(0, len(curves), BLOCK):
        block = slice(start, start + BLOCK)
        rates[block] = _leakage_rates(concentration.curves[block], reference, integral, n_before)
        leaked = rates[block, None] * integral.astype(np.float32)
        curves[block] = concentration.curves[block] + leaked
    done = replace(
        concentration, curves=curves, steps=(*concentration.steps, "tracer: leakage correction (Boxerman)")
    )
    return done, rates


def _reference_curve(concentration: Concentration) -> Float64s | None:
    """Return the mean curve of voxels that do not enhance at the end, or None where too few."""
    curves = concentration.curves
    first, last = concentration.baseline
    n_last = min(_LAST, max(curves.shape[1] // 4, 1))
    late = np.abs(curves[:, -n_last:].mean(axis=1))
    enough = last - first >= 3
    sd = curves[:, first:last].std(axis=1, ddof=1) if enough else np.float32(concentration.noise)
    finite = np.isfinite(late)
    for factor in (_STRICT, _LOOSE):
        quiet = finite & (late < factor * sd)
        if np.count_nonzero(quiet) >= _FEWEST:
            return np.asarray(curves[quiet].mean(axis=0, dtype=np.float64))
    return None


def _leakage_rates(curves: Float32s, reference: Float64s, integral: Float64s, n_before: int) -> Float64s:
    """Fit K2 [1/s] to each row by least squares; 0 where it is too uncertain, NaN where it cannot be."""
    design = np.stack([reference, -integral], axis=1)
    inverse = np.linalg.pinv(design.T @ design)
    values = curves.astype(np.float64)
    fitted = values @ design @ inverse
    spread = np.sum((values - fitted @ design.T) ** 2, axis=1) / max(values.shape[1] - 2, 1)
    shift = float((inverse @ design.sum(axis=0))[1])
    sd = np.sqrt(spread * (inverse[1, 1] + shift**2 / n_before))
    k2: Float64s = fitted[:, 1]
    usable = (sd < _LARGEST_CV * np.abs(k2)) | ~np.isfinite(k2)
    return np.where(usable, k2, 0.0)
