"""From residues to flow and Tmax: where `k` peaks, and how high."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.fourier import Lags
from bolus.deconvolve.place import product
from bolus.deconvolve.problem import Problem
from bolus.physics.features import vertex_offset

EARLIEST_S: Final = -5.0
"""Tissue may lead a late arterial curve by this much [s]; searching further finds wrapped-around noise."""
COARSEST_S: Final = 1.0
"""Widest step between lags [s]: at 2 s, a peak midway between two lags would lose some 4 % of its flow."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Lags at which a residue is looked at.

    Parameters
    ----------
    lags
        Consecutive, in steps, shape `(lags,)`.
    step_s
        Time between two lags [s].
    fold
        Lags a frame.
    margin
        Lags at each end that are only looked at as neighbours of a peak.
    """

    lags: Lags
    step_s: float
    fold: int = 1
    margin: int = 0

    @classmethod
    def circular(cls, n_frames: int, dt: float, *, coarsest_s: float = COARSEST_S) -> Search:
        """Search from -5 s to the end of the scan, in steps of at most a second."""
        fold = max(ceil(dt / coarsest_s - 1e-9), 1)
        n_before = min(int(-EARLIEST_S * fold / dt + 1e-9), fold * n_frames - 1)
        return cls(np.arange(-n_before - 1, fold * n_frames + 1), dt / fold, fold, 1)

    @classmethod
    def causal(cls, n_frames: int, dt: float) -> Search:
        """Search from 0 to the end of the scan, in frames."""
        return cls(np.arange(n_frames), dt)


def deconvolve_linearly(problem: Problem, matrix: Float64s, search: Search, *, residues: bool) -> Estimate:
    """Apply one matrix `(lags, t)` to all curves and read the peaks."""
    return read_peaks(product(problem.curves, matrix.T), search, residues=residues)


def read_peaks(found: Floats, search: Search, *, residues: bool) -> Estimate:
    """Find the greatest sample of each residue, and between which samples it peaks.

    Flow is the sample itself, the time is the vertex of the parabola through it and its neighbours.

    Parameters
    ----------
    found
        Flow-scaled residues `k` [1/s], shape `(voxels, lags)`.
    search
        Lags of the columns.
    residues
        Whether to keep `found`, without its margins.

    Returns
    -------
    Flow and Tmax, NaN where no sample is positive and finite.
    """
    inside = slice(search.margin, found.shape[1] - search.margin)
    top = np.argmax(found[:, inside], axis=1) + search.margin
    rows = np.arange(found.shape[0])
    flow = found[rows, top]
    has_peak = np.isfinite(flow) & (flow > 0)
    last = found.shape[1] - 1
    before, after = found[rows, np.maximum(top - 1, 0)], found[rows, np.minimum(top + 1, last)]
    inner = has_peak & (top > 0) & (top < last)
    with np.errstate(invalid="ignore"):
        offset = np.where(inner, vertex_offset(before, flow, after), 0.0)
    when = (search.lags[top] + offset) * search.step_s
    return Estimate(
        flow=np.where(has_peak, flow, np.nan).astype(np.float32),
        tmax=np.where(has_peak, when, np.nan).astype(np.float32),
        residues=np.ascontiguousarray(found[:, inside], dtype=np.float32) if residues else None,
        lags=(search.lags[inside] * search.step_s).astype(np.float32) if residues else None,
    )
