"""Fit of a box-shaped residue by variable projection, for many voxels."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.deconvolve.overlap import Shifts

# One file holds all that is compiled: a cached kernel does not notice a change in another file.

N_FOUND: Final = 8
"""Columns of a result: flow, delay, width, sum of squares; deviations of flow, delay, width and centre."""
_TRIES: Final = 6
"""How often damping may rise tenfold before a step is given up."""

Triple: TypeAlias = tuple[float, float, float]
"""Weights of the three curves that make a shifted one."""


class Rules(NamedTuple):
    """What a fit may do.

    Parameters
    ----------
    earliest, latest
        Bounds of the delay [s].
    narrowest, widest
        Bounds of the width [s].
    most_flow
        Greatest flow [1/s].
    median, spread
        Of the log-normal prior on the width [s, no unit]; an infinite spread is no prior.
    n_free
        Samples less parameters.
    steps
        Steps after the coarse search.
    """

    earliest: float
    latest: float
    narrowest: float
    widest: float
    most_flow: float
    median: float
    spread: float
    n_free: int
    steps: int


class Lattice(NamedTuple):
    """Boxes of the coarse search: edges on an even lattice, so that a box is the difference of two of them.

    Parameters
    ----------
    edges
        Delays of the edges [s], shape `(edges,)`; the first `delays` of them can start a box.
    entries, weights
        Where each edge stands among the shifts, and what makes its integral of them, shapes `(edges,)` and
        `(edges, 3)`.
    widths
        In steps of the lattice, shape `(widths,)`.
    scales
        One over the norm of each box, 0 for boxes that are not tried, shape `(widths, delays)`.
    penalties
        Squared distance of each width from the prior, in its standard deviations, shape `(widths,)`.
    """

    edges: Float64s
    entries: NDArray[np.intp]
    weights: Float64s
    widths: NDArray[np.intp]
    scales: Float64s
    penalties: Float64s


class Products(NamedTuple):
    """Inner products of a tissue curve `c`, a box `g` of unit flow and its derivatives.

    `delay` and `width` stand for the first derivatives of `g`, `start` and `end` for the second ones at
    either edge: by delay twice ``start - end``, by width, or by both, ``-end``.
    """

    gg: float
    gc: float
    g_delay: float
    g_width: float
    c_delay: float
    c_width: float
    delay_delay: float
    delay_width: float
    width_width: float
    g_start: float
    g_end: float
    c_start: float
    c_end: float


class Fit(NamedTuple):
    """A box: delay and width [s], flow [1/s], the sum of squares that it explains, and its products."""

    delay: float
    width: float
    flow: float
    gain: float
    products: Products


def lattice_of(shifts: Shifts, rules: Rules, *, step_s: float = 1.0, n_widths: int = 16) -> Lattice:
    """Lay out the boxes of the coarse search, their widths about evenly apart by their logarithm."""
    step = max(step_s, 0.25 * shifts.dt)
    widths = np.unique(np.round(np.geomspace(rules.narrowest, rules.widest, n_widths) / step)).astype(np.intp)
    n_delays = int((rules.latest - rules.earliest) / step) + 1
    edges = rules.earliest + step * np.arange(n_delays + widths[-1])
    places = [place(shifts, edge) for edge in edges]
    entries, weights = np.array([p[0] for p in places]), np.array([p[1] for p in places])
    curves = np.einsum("ek,ekt->et", weights, shifts.basis[entries])
    starts = np.arange(n_delays)
    norms = np.array([np.linalg.norm(curves[starts] - curves[starts + width], axis=1) for width in widths])
    seen = norms > 1e-6 * norms.max()
    scales = np.where(seen, 1.0 / np.where(seen, norms, 1.0), 0.0)
    penalties = (np.log(step * widths / rules.median) / rules.spread) ** 2
    return Lattice(edges, entries, weights, widths, scales, penalties)


@njit(parallel=True, cache=True)
def fit_all(
    overlaps: Float64s, energies: Float64s, shifts: Shifts, lattice: Lattice, rules: Rules, found: Float64s
) -> None:
    """Fit a box to each voxel.

    Parameters
    ----------
    overlaps
        Inner products of tissue curves with `shifts.basis`, shape `(voxels, shifts, 3)`.
    energies
        Their sums of squares, shape `(voxels,)`; voxels whose own is not finite are left out.
    found
        Result, shape `(voxels, N_FOUND)`; NaN where no box of positive flow fits.
    """
    for row in prange(energies.size):
        found[row] = np.nan
        if not np.isfinite(energies[row]):
            continue
        fit = coarse(overlaps[row], energies[row], shifts, lattice, rules)
        fit = refine(fit, overlaps[row], energies[row], shifts, rules)
        if fit.flow > 0:
            conclude(fit, energies[row], rules, found[row])


@njit(cache=True)
def place(shifts: Shifts, when: float) -> tuple[int, Triple, Triple]:
    """Return the entry of a shift [s], and the weights that make the integral and the curve there."""
    shift = when / shifts.dt
    lag = min(max(int(np.ceil(shift)), shifts.first), shifts.first + shifts.gram.shape[0] - 1)
    part = lag - shift
    later = 0.5 * shifts.dt * part * part
    return lag - shifts.first, (1.0, shifts.dt * part - later, later), (0.0, 1.0 - part, part)


@njit(cache=True)
def _dot(numbers: Float64s, weights: Triple) -> float:
    return numbers[0] * weights[0] + numbers[1] * weights[1] + numbers[2] * weights[2]  # type: ignore[no-any-return]


@njit(cache=True)
def _form(gram: Float64s, left: Triple, right: Triple) -> float:
    first, second, third = _dot(gram[0], right), _dot(gram[1], right), _dot(gram[2], right)
    return left[0] * first + left[1] * second + left[2] * third  # type: ignore[no-any-return]


@njit(cache=True)
def products_of(shifts: Shifts, overlap: Float64s, delay: float, width: float) -> Products:
    """Return the inner products of one tissue curve and one box, from `overlap`, shape `(shifts, 3)`."""
    # at either edge: integral A, curve a and slope s of the shifted artery, by d or e
    i, a_d, c_d = place(shifts, delay)
    k, a_e, c_e = place(shifts, delay + width)
    s = (0.0, -1.0 / shifts.dt, 1.0 / shifts.dt)
    dd, de, ee = shifts.gram[i, i], shifts.gram[i, k], shifts.gram[k, k]
    start, end = overlap[i], overlap[k]
    g_d, g_e = _form(dd, a_d, c_d) - _form(de, c_d, a_e), _form(de, a_d, c_e) - _form(ee, a_e, c_e)
    both, last = _form(de, c_d, c_e), _form(ee, c_e, c_e)
    return Products(
        gg=_form(dd, a_d, a_d) - 2.0 * _form(de, a_d, a_e) + _form(ee, a_e, a_e),
        gc=_dot(start, a_d) - _dot(end, a_e),
        g_delay=g_e - g_d,
        g_width=g_e,
        c_delay=_dot(end, c_e) - _dot(start, c_d),
        c_width=_dot(end, c_e),
        delay_delay=_form(dd, c_d, c_d) - 2.0 * both + last,
        delay_width=last - both,
        width_width=last,
        g_start=_form(dd, a_d, s) - _form(de, s, a_e),
        g_end=_form(de, a_d, s) - _form(ee, a_e, s),
        c_start=_dot(start, s),
        c_end=_dot(end, s),
    )


@njit(fastmath=True, cache=True)
def _greatest(first: Float64s, second: Float64s, scales: Float64s) -> float:
    """Return the greatest scaled difference, at least 0."""
    most = 0.0
    for i in range(scales.size):
        most = max(most, (first[i] - second[i]) * scales[i])
    return most


@njit(cache=True)
def coarse(overlap: Float64s, energy: float, shifts: Shifts, lattice: Lattice, rules: Rules) -> Fit:
    """Return the best box of the lattice."""
    n_widths, n_delays = lattice.scales.shape
    edges = np.empty(lattice.edges.size)
    for i in range(edges.size):
        edges[i] = _dot(overlap[lattice.entries[i]], lattice.weights[i])
    gains = np.empty(n_widths)
    for i in range(n_widths):
        width = lattice.widths[i]
        gains[i] = _greatest(edges[:n_delays], edges[width : width + n_delays], lattice.scales[i]) ** 2
    variance = max(energy - gains.max(), 0.0) / rules.n_free
    best, value = 0, -np.inf
    for i in range(n_widths):
        if gains[i] - variance * lattice.penalties[i] > value:
            best, value = i, gains[i] - variance * lattice.penalties[i]
    start, most, width = 0, 0.0, lattice.widths[best]
    for i in range(n_delays):
        if (edges[i] - edges[i + width]) * lattice.scales[best, i] > most:
            start, most = i, (edges[i] - edges[i + width]) * lattice.scales[best, i]
    found = lattice.edges[start], lattice.edges[width] - lattice.edges[0]
    return fit_of(overlap, shifts, found[0], found[1], rules)  # type: ignore[no-any-return]


@njit(cache=True)
def fit_of(overlap: Float64s, shifts: Shifts, delay: float, width: float, rules: Rules) -> Fit:
    """Return the box within bounds that is nearest to a delay and a width, with its best flow."""
    delay = min(max(delay, rules.earliest), rules.latest)
    width = min(max(width, rules.narrowest), rules.widest)
    products = products_of(shifts, overlap, delay, width)
    flow = 0.0
    if products.gg > 0 and products.gc > 0:
        flow = min(products.gc / products.gg, rules.most_flow)
    return Fit(delay, width, flow, flow * (2.0 * products.gc - flow * products.gg), products)


@njit(cache=True)
def refine(fit: Fit, overlap: Float64s, energy: float, shifts: Shifts, rules: Rules) -> Fit:
    """Improve a box by damped steps of delay and width, each of which must explain more."""
    damping = 1e-2
    for _ in range(rules.steps):
        variance = max(energy - fit.gain, 0.0) / rules.n_free
        value = fit.gain - variance * _penalty(fit.width, rules)
        is_better = False
        for _ in range(_TRIES):
            by_delay, by_width = _step(fit, variance, damping, rules)
            trial = fit_of(overlap, shifts, fit.delay + by_delay, fit.width + by_width, rules)
            is_better = trial.gain - variance * _penalty(trial.width, rules) > value
            if is_better:
                fit, damping = trial, 0.1 * damping
                break
            damping *= 10.0
        if not is_better:
            break
    return fit


@njit(cache=True)
def _penalty(width: float, rules: Rules) -> float:
    """Return the squared distance from the prior, in its standard deviations."""
    return (np.log(width / rules.median) / rules.spread) ** 2  # type: ignore[no-any-return]


@njit(cache=True)
def _step(fit: Fit, variance: float, damping: float, rules: Rules) -> tuple[float, float]:
    """Return a damped step of delay and width [s]."""
    p, f = fit.products, fit.flow
    if f <= 0:
        return 0.0, 0.0
    dd, dw, ww = _full_curvature(fit, variance, rules)
    if not (dd > 0 and ww > 0 and dd * ww > 1.001 * dw * dw):  # not a valley
        dd, dw, ww = curvature(fit, variance, rules)
    later = f * (p.c_delay - f * p.g_delay)
    pull = variance * np.log(fit.width / rules.median) / (rules.spread**2 * fit.width)
    wider = f * (p.c_width - f * p.g_width) - pull
    is_held = (fit.width <= rules.narrowest and wider < 0) or (fit.width >= rules.widest and wider > 0)
    dd, ww = dd * (1.0 + damping), ww * (1.0 + damping)
    determinant = dd * ww - dw * dw
    # on a bound, or where the end of the box is not seen, only the delay can move
    if is_held or not determinant > 1e-12 * dd * ww:
        return (later / dd if dd > 0 else 0.0), 0.0
    return (ww * later - dw * wider) / determinant, (dd * wider - dw * later) / determinant


@njit(cache=True)
def curvature(fit: Fit, variance: float, rules: Rules) -> Triple:
    """Return half the curvature of the sum of squares, flow projected out, as if the fit were perfect.

    By delay, by both and by width: the approximation of Gauss, Newton and Kaufman, never negative.
    """
    p, f2 = fit.products, fit.flow * fit.flow
    share = f2 / p.gg if fit.flow < rules.most_flow else 0.0
    return (
        f2 * p.delay_delay - share * p.g_delay * p.g_delay,
        f2 * p.delay_width - share * p.g_delay * p.g_width,
        f2 * p.width_width - share * p.g_width * p.g_width + variance / (rules.spread * fit.width) ** 2,
    )


@njit(cache=True)
def _full_curvature(fit: Fit, variance: float, rules: Rules) -> Triple:
    """Return half the curvature of the sum of squares, flow projected out, with what the fit leaves."""
    p, f = fit.products, fit.flow
    share = 1.0 / p.gg if f < rules.most_flow else 0.0
    by_delay, by_width = p.c_delay - 2.0 * f * p.g_delay, p.c_width - 2.0 * f * p.g_width
    start, end = f * (p.c_start - f * p.g_start), f * (p.c_end - f * p.g_end)
    return (
        f * f * p.delay_delay - share * by_delay * by_delay - start + end,
        f * f * p.delay_width - share * by_delay * by_width + end,
        f * f * p.width_width
        - share * by_width * by_width
        + end
        + variance / (rules.spread * fit.width) ** 2,
    )


@njit(cache=True)
def conclude(fit: Fit, energy: float, rules: Rules, found: Float64s) -> None:
    """Write down a box and its linearised standard deviations; NaN where the curve does not fix it."""
    squares = max(energy - fit.gain, 0.0)
    found[0], found[1], found[2], found[3] = fit.flow, fit.delay, fit.width, squares
    variance = squares / rules.n_free
    dd, dw, ww = curvature(fit, variance, rules)
    determinant = dd * ww - dw * dw
    if not determinant > 1e-9 * dd * ww:
        return
    delay, both, width = (
        variance * ww / determinant,
        -variance * dw / determinant,
        variance * dd / determinant,
    )
    p = fit.products
    by_delay, by_width = fit.flow * p.g_delay / p.gg, fit.flow * p.g_width / p.gg
    passed_on = by_delay * by_delay * delay + 2.0 * by_delay * by_width * both + by_width * by_width * width
    found[4] = np.sqrt(variance / p.gg + max(passed_on, 0.0))
    found[5], found[6] = np.sqrt(delay), np.sqrt(width)
    found[7] = np.sqrt(max(delay + both + 0.25 * width, 0.0))
