"""Box-shaped residue, fitted voxel by voxel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Curve, Float32s, Float64s, Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Estimate
from bolus.deconvolve.boxfit import N_FOUND, Rules, fit_all, lattice_of
from bolus.deconvolve.method import is_number, require_one_of, require_switch
from bolus.deconvolve.overlap import Shifts, shifts_of
from bolus.deconvolve.peak import EARLIEST_S, Search
from bolus.deconvolve.place import fetched
from bolus.deconvolve.problem import Problem, pose, sharpened
from bolus.deconvolve.simplex import descend_all
from bolus.physics.transport import flow_per_second

LATEST_S: Final = 20.0
"""Longest delay [s]."""
WIDTHS_S: Final = (1.5, 30.0)
"""Least and greatest MTT [s]. With no lower bound, flow goes to infinity at the same volume."""
PRIOR: Final = (6.0, 0.7)
"""Median [s] and spread [no unit] of the log-normal prior on MTT."""
CHUNK_BYTES: Final = 8 * 2**20
"""What the inner products of the voxels in work may take: more no longer fits a cache."""


def box(  # noqa: PLR0913 - each is a choice of the fit, keyword-only, with its default
    curves: Floats,
    aif: Curve,
    dt: float,
    /,
    *,
    prior: bool = False,
    offset: bool = False,
    sharpen: bool = True,
    flow_limit: float = np.inf,
    steps: int = 4,
    solver: str = "projection",
    residues: bool = False,
) -> Estimate:
    """Fit a box-shaped residue: flow, mean transit time and delay by least squares.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    prior
        Whether MTT is expected near 6 s (log-normal, a factor of 2 either way), as firmly as the residual
        variance allows: for noisy curves.
    offset
        Whether to fit a constant as well, where the baseline of tissue is uncertain.
    sharpen
        Whether to make up for the blur of drawing the arterial curve with lines between its samples. False
        is the paper: flow of MTT 4 s is then 6 % too high at frames 1 s apart, and 40 % at 2 s.
    flow_limit
        Greatest CBF [mL/100 g/min], for calibrated contrast only: 200 bounds vessels.
    steps
        Steps after the coarse search; 0 gives the search alone.
    solver
        `projection`, or the paper's downhill `simplex` of 300 iterations, for comparison: the start is
        an absolute CBF of 60 mL/100 g/min.
    residues
        Whether to keep `k` of every voxel.

    Returns
    -------
    Flow [1/s], Tmax (the centre of the box), MTT and delay [s], each with its linearised standard
    deviation, and, as `index`, the root mean square of what the fit leaves [unit of the curves], shape
    `(voxels,)`; NaN where a curve is not finite or no positive flow fits. Deviations are also NaN where the
    curve does not fix them, as when the scan ends before the tissue washes out.

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
    The delay lies within -5 and 20 s, and so that the peak of the artery, delayed, falls inside the scan;
    MTT within 1.5 s (or one frame) and 30 s. The paper searches by simplex over flow, MTT and delay; here
    flow is projected out, and the best box of a coarse lattice is improved by Levenberg-Marquardt steps
    with the full curvature. Where tissue has no plug flow, flow is underestimated (by half for an
    exponential residue) and its order kept; standard deviations know of noise, not of that.

    References
    ----------
    Bennink et al., J Med Imaging 3:026003 (2016), doi:10.1117/1.JMI.3.2.026003

    Golub and Pereyra, SIAM J Numer Anal 10:413-432 (1973), doi:10.1137/0710036
    """
    problem = pose(fetched(curves), aif, dt)  # runs in memory
    _check(steps, flow_limit, prior=prior, offset=offset, sharpen=sharpen)
    if require_one_of(solver, "solver", ("projection", "simplex")) == "simplex" and prior:
        raise BadRecipe("the simplex solver has no prior", wanted="prior false, or solver projection")
    rules = rules_of(problem, steps, flow_limit, prior=prior, offset=offset)
    drawn = sharpened(problem.aif) if sharpen else problem.aif
    span = (rules.earliest, rules.latest + rules.widest)
    shifts = shifts_of(drawn, problem.dt, span, centred=offset)
    found = _fit(problem, shifts, rules, solver, centred=offset)
    return _estimate(found, problem, residues=residues)


def rules_of(problem: Problem, steps: int, flow_limit: float, *, prior: bool, offset: bool) -> Rules:
    """Return the bounds of a fit: the artery's peak, delayed, must fall inside the scan."""
    n, dt = problem.aif.size, problem.dt
    peak_s = float(np.argmax(problem.aif)) * dt
    return Rules(
        earliest=max(EARLIEST_S, -peak_s),
        latest=min(LATEST_S, (n - 1) * dt - peak_s),
        narrowest=max(WIDTHS_S[0], dt),
        widest=max(WIDTHS_S[1], dt),
        most_flow=float(flow_per_second(float(flow_limit))),
        median=PRIOR[0],
        spread=PRIOR[1] if prior else np.inf,
        n_free=n - (4 if offset else 3),
        steps=int(steps),
    )


def _check(steps: int, flow_limit: float, **switches: Any) -> None:
    if not is_number(steps) or not 0 <= steps <= 100 or steps != int(steps):
        raise BadRecipe("steps is out of range", wanted="a whole number from 0 to 100", found=repr(steps))
    if not is_number(flow_limit) or not flow_limit > 0:
        raise BadRecipe("flow_limit is out of range", wanted="a number above 0", found=repr(flow_limit))
    for name, value in switches.items():
        require_switch(value, name)


def _fit(problem: Problem, shifts: Shifts, rules: Rules, solver: str, *, centred: bool) -> Float64s:
    """Fit all curves, a chunk after another; shape `(voxels, N_FOUND)`."""
    lattice = lattice_of(shifts, rules)
    weights = np.ascontiguousarray(shifts.weights)
    found = np.empty((len(problem.curves), N_FOUND))
    for rows in _chunks(len(found), weights.shape[1]):
        chunk = problem.curves[rows].astype(np.float64)
        # samples that are not numbers make a sum of squares that is none, and their voxel NaN
        with np.errstate(invalid="ignore", over="ignore"):
            if centred:
                chunk -= chunk.mean(axis=1, keepdims=True)
            energies = np.einsum("vt,vt->v", chunk, chunk)
            overlaps = (chunk @ weights).reshape(len(chunk), -1, 3)
        if solver == "simplex":
            descend_all(overlaps, energies, shifts, rules, found[rows])
        else:
            fit_all(overlaps, energies, shifts, lattice, rules, found[rows])
    return found


def _chunks(n: int, n_products: int) -> Iterator[slice]:
    step = max(CHUNK_BYTES // (8 * n_products), 1)
    for first in range(0, n, step):
        yield slice(first, first + step)


def _estimate(found: Float64s, problem: Problem, *, residues: bool) -> Estimate:
    """Give the columns of a fit their names."""
    flow, delay, mtt, squares = found[:, :4].T
    search = Search.circular(problem.aif.size, problem.dt)
    lags: Float64s = search.lags[search.margin : -search.margin] * np.float64(search.step_s)
    names = ("flow", "delay", "mtt", "tmax")
    return Estimate(
        flow=_single(flow),
        tmax=_single(delay + 0.5 * mtt),
        mtt=_single(mtt),
        delay=_single(delay),
        sd={name: _single(column) for name, column in zip(names, found[:, 4:].T, strict=True)},
        index=_single(np.sqrt(squares / problem.aif.size)),
        residues=box_residues(flow, delay, mtt, lags) if residues else None,
        lags=_single(lags) if residues else None,
    )


def box_residues(flow: Float64s, delay: Float64s, mtt: Float64s, lags: Float64s) -> Float32s:
    """Sample boxes at lags [s], shape `(voxels, lags)`; NaN where a voxel has none."""
    inside = (lags >= delay[:, None]) & (lags < (delay + mtt)[:, None])
    return np.where(np.isnan(flow)[:, None], np.nan, inside * flow[:, None]).astype(np.float32)


def _single(values: Float64s) -> Float32s:
    return values.astype(np.float32)
