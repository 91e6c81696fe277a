"""What is believed of a voxel once its curve is seen: means over atoms, weighted by how well they fit.

A curve `c` is `f g_i` plus white noise of variance `s2`, with `g_i` the curve of atom `i` at unit flow. The
flow `f` is integrated out: with `u_i` the unit vector along `g_i` and volume `v = f m_i` as likely at one
size as at another, the weight of an atom is

``log w_i = s_i |s_i| / (2 s2) - log |g_i| + log m_i + log prior_i``, ``s_i = c . u_i``.

Where `s_i` is negative the flow would be: such atoms count little, and their flow as 0. The variance is each
voxel's own, from what its best atom leaves over. All products `c . u_i` go through the few directions that
atoms span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Float64s, Floats
from bolus.deconvolve import anywhere
from bolus.deconvolve.atoms import LATE_S, TRANSITS_S, Atoms, log_prior
from bolus.deconvolve.place import fetched, is_here

N_FITTED: Final = 4
"""Flow, delay, transit time and shape: what fitting takes from the degrees of freedom."""
GROUP: Final = 8
"""Voxels that share one pass over the atoms."""
TILE: Final = 64
"""Atoms that are taken or left together."""
PANEL: Final = 4 * TILE
"""Atoms multiplied together: few enough for the cache, enough that a vectorised loop pays."""
INVERTED: Final = 0.5
"""Part of a curve's power that atoms turned upside down may explain: noise leaves them less than a third."""
NEGLIGIBLE: Final = -16.0
"""Atoms this much less likely than the best do not count [log]: together less than 1e-3 of it."""
LEAST_NOISE: Final = 1e-4
"""Least noise power as a part of the curve's: finer differences are those between atoms."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Atoms made ready for many curves, in float32 but for `directions`, and padded to whole panels.

    Parameters
    ----------
    directions
        Few directions that the atoms span, shape `(t, d)`.
    parts
        Unit vector of each atom in them, panel by panel, shape `(panels, d, PANEL)`.
    log_weight
        All of the logarithm of the weight that does not depend on the curve, shape `(atoms,)`.
    gains
        From score to volume and from score to flow, shape `(2, atoms)`.
    features
        What a voxel's own prior may lean on: delay, its square, log MTT and its square, shape `(4, atoms)`.
    table
        What is to be averaged, shape `(quantities, atoms)`.
    """

    directions: Float64s
    parts: Float32s
    log_weight: Float32s
    gains: Float32s
    features: Float32s
    table: Float32s

    @classmethod
    def of(cls, atoms: Atoms, shape_weights: Float64s, table: Float64s, late_s: float = LATE_S) -> Mixture:
        """Prepare atoms with shapes this likely, `(shapes,)`, to average a table `(quantities, atoms)`."""
        with np.errstate(divide="ignore"):
            of_shape = np.maximum(np.log(shape_weights), -1e6)[atoms.shape]
        log_mtt = np.log(atoms.mtt)
        log_weight = log_prior(atoms, late_s) + np.log(atoms.mtt / atoms.norms) + of_shape
        return cls(
            atoms.directions,
            _panelled(_padded(atoms.parts)),
            _padded(log_weight, fill=-1e30),
            _padded(np.stack([atoms.mtt / atoms.norms, 1.0 / atoms.norms])),
            _padded(np.stack([atoms.delay, atoms.delay**2, log_mtt, log_mtt**2])),
            _padded(table),
        )

    def plain(self) -> anywhere.Tables:
        """Return the atoms as plain matrices."""
        flat = self.parts.swapaxes(0, 1).reshape(self.parts.shape[1], -1)
        return anywhere.Tables(self.directions, flat, self.log_weight, self.gains, self.features, self.table)


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What is believed of voxels, float32, shape `(voxels,)` each.

    NaN where a curve is empty, not finite, or goes down. Where noise hides all contrast, volume and flow are
    0, with what they may be.

    Parameters
    ----------
    noise
        Variance of one sample, squared unit of the curve.
    best
        Index of the most likely atom.
    volume, flow
        Means of volume [no unit] and flow [1/s], as `k` counts them.
    volume_sd, flow_sd
        Their standard deviations.
    means
        Means of the table, shape `(voxels, quantities)`.
    """

    noise: Float32s
    best: NDArray[np.intp]
    volume: Float32s
    flow: Float32s
    volume_sd: Float32s
    flow_sd: Float32s
    means: Float32s


_LN_STEP: Final = float(np.log(TRANSITS_S[1] / TRANSITS_S[0]))
WITHIN_STEP: Final = _LN_STEP**2 / 12.0
"""Variance of the logarithm of MTT within a step of the grid."""


def believe(
    curves: Floats, mixture: Mixture, *, independence: float = 1.0, leaning: Float32s | None = None
) -> Belief:
    """Weigh all atoms for every curve.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`.
    independence
        Part of the samples that is independent; below 1 where curves were interpolated in time.
    leaning
        Each voxel's own prior: factors of the features in its logarithm, shape `(voxels, 4)`.
    """
    size = _sizes(curves)
    weigh = _weigh_here if is_here(curves) else _weigh_there
    found, best = weigh(curves, size, mixture, (independence, leaning))
    found[:, :5] *= np.stack([size**2, size, size**2, size, size**2], axis=1)
    _, volume, volume2, flow, flow2 = found[:, :5].T
    return Belief(
        noise=found[:, 0],
        best=best,
        volume=volume,
        flow=flow,
        volume_sd=_deviation(volume, volume2),
        flow_sd=_deviation(flow, flow2 + np.float32(WITHIN_STEP) * flow**2),
        means=found[:, 5:],
    )


def weights(
    curves: Floats, mixture: Mixture, *, independence: float = 1.0, leaning: Float32s | None = None
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Yield rows of curves, the weight of each atom and its flow [1/s], `(rows, atoms)` each.

    For what cannot be averaged beforehand; slow.
    """
    size = _sizes(curves)
    rules = _rules(curves, independence)
    for rows, likely, flow in anywhere.weights(curves, mixture.plain(), rules, leaning):
        yield rows, likely, flow * size[rows, None]


def _weigh_here(
    curves: Floats, size: Float32s, mixture: Mixture, prior: tuple[float, Float32s | None]
) -> tuple[Float32s, NDArray[np.intp]]:
    """Run the compiled kernel."""
    independence, leaning = prior
    found = np.full((len(curves), 5 + len(mixture.table)), np.nan, dtype=np.float32)
    best = np.zeros(len(curves), dtype=np.intp)
    parts = _projected(curves, size, mixture)
    freedom = (np.float32(_n_free(curves)), np.float32(independence))
    tables = (mixture.log_weight, mixture.features, mixture.gains, mixture.table)
    tilt = np.zeros((len(curves), 0), dtype=np.float32) if leaning is None else leaning
    _weigh((parts, size, tilt), mixture.parts, tables, freedom, found, best)
    return found, best


def _weigh_there(
    curves: Any, _: Float32s, mixture: Mixture, prior: tuple[float, Float32s | None]
) -> tuple[Float32s, NDArray[np.intp]]:
    """Weigh on the device where the curves are."""
    independence, leaning = prior
    found, best = anywhere.moments(curves, mixture.plain(), _rules(curves, independence), leaning)
    return found, best.astype(np.intp)


def _n_free(curves: Any) -> int:
    return max(int(curves.shape[1]) - N_FITTED, 1)


def _rules(curves: Any, independence: float) -> anywhere.Rules:
    return anywhere.Rules(_n_free(curves), independence, LEAST_NOISE, INVERTED)


def _sizes(curves: Any) -> Float32s:
    """Return the Euclidean length of each curve, shape `(voxels,)`, in memory."""
    with np.errstate(invalid="ignore", over="ignore"):
        power = np.einsum("ij,ij->i", curves, curves) if is_here(curves) else (curves * curves).sum(1)
        return np.asarray(np.sqrt(fetched(power)), dtype=np.float32)


def _projected(curves: Floats, size: Float32s, mixture: Mixture) -> Float32s:
    """Return curves of unit length in the directions of the atoms, `(voxels, d)`.

    In double precision and at unit length, what is found depends neither on the unit of the curves nor on
    how many there are.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        units = curves / size[:, None].astype(np.float64)
        return np.asarray(units @ mixture.directions, dtype=np.float32)


def _deviation(mean: Float32s, of_squares: Float32s) -> Float32s:
    return np.sqrt(np.maximum(of_squares - mean * mean, 0.0))


def _padded(table: Float64s, fill: float = 0.0) -> Float32s:
    """Bring the last axis to whole panels, as float32."""
    rest = -table.shape[-1] % PANEL
    widths = [(0, 0)] * (table.ndim - 1) + [(0, rest)]
    return np.pad(table, widths, constant_values=fill).astype(np.float32)


def _panelled(parts: Float32s) -> Float32s:
    """Bring a table `(d, atoms)` to panels, `(panels, d, PANEL)`."""
    return np.ascontiguousarray(parts.reshape(len(parts), -1, PANEL).swapaxes(0, 1))


@njit(parallel=True, fastmath=True, cache=True)
def _weigh(
    voxels: tuple[Float32s, Float32s, Float32s],
    panels: Float32s,
    tables: tuple[Float32s, Float32s, Float32s, Float32s],
    freedom: tuple[Any, Any],
    found: Float32s,
    best: NDArray[np.intp],
) -> None:
    """Fill `found` with noise, the first two moments of volume and flow, and the means of the table."""
    n_free, independence = freedom
    parts, size, tilt = voxels
    for group in prange((parts.shape[0] + GROUP - 1) // GROUP):
        first = group * GROUP
        n_rows = min(GROUP, parts.shape[0] - first)
        here = np.zeros((GROUP, parts.shape[1]), dtype=np.float32)
        here[:n_rows] = parts[first : first + n_rows]
        scores = np.empty((GROUP, panels.shape[0] * PANEL), dtype=np.float32)
        logs, likely = np.empty(scores.shape[1], dtype=np.float32), np.empty(TILE, dtype=np.float32)
        _score(here, panels, scores)
        for i in range(n_rows):
            row = first + i
            top = max(_greatest(scores[i]), np.float32(0.0))
            if not (size[row] > 0 and size[row] < np.float32(1e15)) or _is_inverted(scores[i], top):
                continue
            noise = max(np.float32(1.0) - top * top, np.float32(LEAST_NOISE)) / n_free
            sharpness = independence * np.float32(0.5) / noise
            own = (sharpness, noise, tilt[row])
            best[row] = _moments(scores[i], tables, own, (logs, likely), found[row])


@njit(fastmath=True, cache=True)
def _score(parts: Float32s, panels: Float32s, scores: Float32s) -> None:
    """Write the product of each curve with each atom.

    Two curves by four directions at a time, as the compiler does not block it: what is loaded is used twice.
    """
    for panel in range(panels.shape[0]):
        here, a = slice(panel * PANEL, (panel + 1) * PANEL), panels[panel]
        for row in range(0, parts.shape[0], 2):
            s, t = scores[row, here], scores[row + 1, here]
            s[:], t[:] = 0, 0
            for d in range(0, parts.shape[1], 4):
                a0, a1, a2, a3 = a[d], a[d + 1], a[d + 2], a[d + 3]
                p, q = parts[row, d : d + 4], parts[row + 1, d : d + 4]
                p0, p1, p2, p3 = p[0], p[1], p[2], p[3]
                q0, q1, q2, q3 = q[0], q[1], q[2], q[3]
                for j in range(PANEL):
                    s[j] += p0 * a0[j] + p1 * a1[j] + p2 * a2[j] + p3 * a3[j]
                    t[j] += q0 * a0[j] + q1 * a1[j] + q2 * a2[j] + q3 * a3[j]


@njit(fastmath=True, cache=True)
def _greatest(values: Float32s) -> Any:
    """Return the greatest value, compared as integers: the compiler vectorises that alone.

    Flipping all bits of a negative float but its sign puts integers in the order of floats.
    """
    bits = values.view(np.int32)
    top = np.int32(-(2**31))
    for i in range(bits.size):
        ordered = bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(2**31 - 1))
        if ordered > top:  # noqa: PLR1730  max() would not vectorise
            top = ordered
    return np.int32(top ^ ((top >> np.int32(31)) & np.int32(2**31 - 1))).view(np.float32)


@njit(fastmath=True, cache=True)
def _is_inverted(scores: Float32s, top: Any) -> Any:
    """Tell a curve that goes down where contrast would go up, from its scores at unit length."""
    if top * top > np.float32(INVERTED):
        return False
    limit, n_below = -np.sqrt(np.float32(INVERTED)), 0
    for i in range(scores.size):
        n_below += scores[i] < limit
    return n_below > 0


@njit(fastmath=True, cache=True)
def _moments(
    scores: Float32s,
    tables: tuple[Float32s, Float32s, Float32s, Float32s],
    own: tuple[Any, Any, Float32s],
    room: tuple[Float32s, Float32s],
    sums: Float32s,
) -> Any:
    """Write noise, moments of volume and flow, and means of the table; return the likeliest atom."""
    log_weight, features, gains, table = tables
    (sharpness, noise, tilt), (logs, likely) = own, room
    tops = np.empty(logs.size // TILE, dtype=np.float32)
    for tile in range(tops.size):
        here = slice(tile * TILE, (tile + 1) * TILE)
        _weigh_scores(scores[here], log_weight[here], sharpness, logs[here])
        for f in range(tilt.size):
            _lean(tilt[f], features[f, here], logs[here])
        tops[tile] = _greatest(logs[here])
    most = tops.max()
    sums[:] = 0
    whole = np.float32(0.0)
    for tile in range(tops.size):
        if tops[tile] - most < np.float32(NEGLIGIBLE):
            continue
        here = slice(tile * TILE, (tile + 1) * TILE)
        whole += _exponentials(logs[here], most, likely)
        for kind in range(2):
            _add_moments(likely, scores[here], gains[kind, here], noise, sums[1 + 2 * kind : 3 + 2 * kind])
        for q in range(table.shape[0]):
            sums[5 + q] += _product(likely, table[q, here])
    for q in range(sums.size):
        sums[q] /= whole
    sums[0] = noise
    likeliest = np.argmax(tops)
    return likeliest * TILE + np.argmax(logs[likeliest * TILE : (likeliest + 1) * TILE])


@njit(fastmath=True, cache=True)
def _weigh_scores(score: Float32s, log_weight: Float32s, sharpness: Any, logs: Float32s) -> None:
    for i in range(TILE):
        logs[i] = score[i] * abs(score[i]) * sharpness + log_weight[i]


@njit(fastmath=True, cache=True)
def _lean(factor: Any, feature: Float32s, logs: Float32s) -> None:
    for i in range(TILE):
        logs[i] += factor * feature[i]


@njit(fastmath=True, cache=True)
def _exponentials(logs: Float32s, most: Any, likely: Float32s) -> Any:
    """Write ``exp(logs - most)`` to a relative 1e-6 and return the sum; `np.exp` would not vectorise."""
    total = np.float32(0.0)
    for i in range(TILE):
        x = (logs[i] - most) * np.float32(1.4426950408889634) + np.float32(126.0)
        x = np.float32(0.5) * (x + abs(x))
        floor = np.int32(x)
        y = (x - np.float32(floor)) * np.float32(0.6931471805599453)
        series = y * np.float32(1.0 / 720.0) + np.float32(1.0 / 120.0)
        series = series * y + np.float32(1.0 / 24.0)
        series = series * y + np.float32(1.0 / 6.0)
        series = series * y + np.float32(0.5)
        series = series * y + np.float32(1.0)
        bits = np.int32((floor + np.int32(1)) << np.int32(23))  # 2**(floor - 126), as a float is stored
        likely[i] = (series * y + np.float32(1.0)) * bits.view(np.float32)
        total += likely[i]
    return total


@njit(fastmath=True, cache=True)
def _add_moments(likely: Float32s, score: Float32s, gains: Float32s, noise: Any, sums: Float32s) -> None:
    """Add first and second moment of ``max(score, 0) * gain``, given its own spread ``noise * gain**2``."""
    first, second = np.float32(0.0), np.float32(0.0)
    for i in range(TILE):
        value = np.float32(0.5) * (score[i] + abs(score[i])) * gains[i]
        first += likely[i] * value
        second += likely[i] * (value * value + noise * gains[i] * gains[i])
    sums[0] += first
    sums[1] += second


@njit(fastmath=True, cache=True)
def _product(likely: Float32s, values: Float32s) -> Any:
    total = np.float32(0.0)
    for i in range(TILE):
        total += likely[i] * values[i]
    return total
