"""From residues to flow and Tmax: where `k` peaks, and how high."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.arrays import Float64s, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.fourier import Lags
from bolus.deconvolve.problem import Problem
from bolus.physics.features import vertex_offset

EARLIEST_S: Final = -5.0
"""Tissue may lead a late arterial curve by this much [s]; searching further finds wrapped-around noise."""


def circular_lags(n_frames: int, dt: float) -> Lags:
    """Return the lags to search, from -5 s to the end of the scan, with one neighbour on each side."""
    n_before = min(int(-EARLIEST_S / dt + 1e-9), n_frames - 1)
    return np.arange(-n_before - 1, n_frames + 1)


def deconvolve_linearly(
    problem: Problem, matrix: Float64s, lags: Lags, *, margin: int, residues: bool
) -> Estimate:
    """Apply one matrix to all curves and read the peaks.

    Parameters
    ----------
    matrix
        Curve to residue, shape `(lags, t)`.
    lags
        Frames of its rows.
    margin
        Rows at each end that serve only as neighbours of a peak.
    residues
        Whether to keep the residues.
    """
    operator = matrix.T.astype(problem.curves.dtype)
    # infinite samples make invalid products; their voxels come out as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        found = problem.curves @ operator
    return read_peaks(found, lags, problem.dt, margin=margin, residues=residues)


def read_peaks(found: Floats, lags: Lags, dt: float, *, margin: int, residues: bool) -> Estimate:
    """Find the greatest sample of each residue, and between which samples it peaks.

    Flow is the sample itself, the time is the vertex of the parabola through it and its neighbours.

    Parameters
    ----------
    found
        Flow-scaled residues `k` [1/s], shape `(voxels, lags)`.
    lags
        Frames of the columns, consecutive.
    dt
        Frame interval [s].
    margin
        Columns at each end that are not searched.
    residues
        Whether to keep `found`, without its margins.

    Returns
    -------
    Flow and Tmax, NaN where no sample is positive and finite.
    """
    stop = found.shape[1] - margin
    top = np.argmax(found[:, margin:stop], axis=1) + margin
    rows = np.arange(found.shape[0])
    flow = found[rows, top]
    has_peak = np.isfinite(flow) & (flow > 0)
    last = found.shape[1] - 1
    before, after = found[rows, np.maximum(top - 1, 0)], found[rows, np.minimum(top + 1, last)]
    inner = has_peak & (top > 0) & (top < last)
    with np.errstate(invalid="ignore"):
        offset = np.where(inner, vertex_offset(before, flow, after), 0.0)
    return Estimate(
        flow=np.where(has_peak, flow, np.nan).astype(np.float32),
        tmax=np.where(has_peak, (lags[top] + offset) * dt, np.nan).astype(np.float32),
        residues=np.ascontiguousarray(found[:, margin:stop], dtype=np.float32) if residues else None,
        lags=(lags[margin:stop] * dt).astype(np.float32) if residues else None,
    )
