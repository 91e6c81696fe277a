"""Fit of a box-shaped residue by downhill simplex, as published; for comparison only."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, prange

from bolus.core.arrays import Float64s
from bolus.core.units import ML_100G_MIN_PER_ML_G_S, TISSUE_SCALE
from bolus.deconvolve.boxfit import Fit, Rules, conclude, products_of
from bolus.deconvolve.overlap import Shifts

# Nothing here is cached: a cached kernel does not notice a change in another file.

ITERATIONS: Final = 300
"""As in the paper."""
START: Final = (60.0, 5.0, 3.5)
"""CBF [mL/100 g/min], MTT and centre of the box [s] that every voxel starts from."""
_SPREAD: Final = 1.05
"""Factor on one coordinate at each other corner of the first simplex, as fminsearch and SciPy have it."""
_PER_SECOND: Final = 1.0 / (ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE)


@njit(parallel=True)
def descend_all(
    overlaps: Float64s, energies: Float64s, shifts: Shifts, rules: Rules, found: Float64s
) -> None:
    """Fit a box to each voxel; arguments and result as of `bolus.deconvolve.boxfit.fit_all`."""
    for row in prange(energies.size):
        found[row] = np.nan
        if not np.isfinite(energies[row]):
            continue
        corner = _descend(overlaps[row], energies[row], shifts, rules)
        fit = _box_at(corner, overlaps[row], shifts)
        if fit.flow > 0 and fit.gain > 0:
            conclude(fit, energies[row], rules, found[row])


@njit
def _box_at(corner: Float64s, overlap: Float64s, shifts: Shifts) -> Fit:
    """Return the box of one corner: CBF, MTT and centre."""
    flow, width, delay = corner[0] * _PER_SECOND, corner[1], corner[2] - 0.5 * corner[1]
    products = products_of(shifts, overlap, delay, width)
    return Fit(delay, width, flow, flow * (2.0 * products.gc - flow * products.gg), products)


@njit
def _squares(corner: Float64s, overlap: Float64s, energy: float, shifts: Shifts, rules: Rules) -> float:
    """Return the sum of squares at one corner, infinite out of bounds."""
    width, delay = corner[1], corner[2] - 0.5 * corner[1]
    if not 0 <= corner[0] * _PER_SECOND <= rules.most_flow or not rules.narrowest <= width <= rules.widest:
        return np.inf
    if not rules.earliest <= delay <= rules.latest:
        return np.inf
    return energy - _box_at(corner, overlap, shifts).gain  # type: ignore[no-any-return]


@njit
def _descend(overlap: Float64s, energy: float, shifts: Shifts, rules: Rules) -> Float64s:
    """Return the best corner after all iterations of Nelder and Mead."""
    corners, squares = np.empty((4, 3)), np.empty(4)
    for i in range(4):
        for j in range(3):
            corners[i, j] = START[j] * (_SPREAD if i == j + 1 else 1.0)
        squares[i] = _squares(corners[i], overlap, energy, shifts, rules)
    for _ in range(ITERATIONS):
        best, worst = np.argmin(squares), np.argmax(squares)
        trial, value = _trial(corners, squares, overlap, energy, shifts, rules)
        if value < squares[worst]:
            corners[worst], squares[worst] = trial, value
            continue
        for i in range(4):
            if i != best:
                corners[i] = _along(corners[best], corners[i], -0.5)
                squares[i] = _squares(corners[i], overlap, energy, shifts, rules)
    return corners[np.argmin(squares)]  # type: ignore[no-any-return]


@njit
def _along(centre: Float64s, corner: Float64s, share: float) -> Float64s:
    """Return the point that lies beyond a centre by a share of its distance from a corner."""
    point = np.empty(3)
    for j in range(3):
        point[j] = centre[j] + share * (centre[j] - corner[j])
    return point


@njit
def _trial(
    corners: Float64s, squares: Float64s, overlap: Float64s, energy: float, shifts: Shifts, rules: Rules
) -> tuple[Float64s, float]:
    """Return what shall stand for the worst corner: reflected, expanded or contracted."""
    worst, next_worst, centre = np.argmax(squares), -np.inf, np.zeros(3)
    for i in range(4):
        if i != worst:
            next_worst = max(next_worst, squares[i])
            for j in range(3):
                centre[j] += corners[i, j] / 3.0
    trial = _along(centre, corners[worst], 1.0)
    value = _squares(trial, overlap, energy, shifts, rules)
    if value < squares.min():
        further = _along(centre, corners[worst], 2.0)
        reached = _squares(further, overlap, energy, shifts, rules)
        if reached < value:
            return further, reached
    elif value >= next_worst:
        trial = _along(centre, corners[worst], 0.5 if value < squares[worst] else -0.5)
        value = _squares(trial, overlap, energy, shifts, rules)
    return trial, value
