"""The weights of atoms as whole arrays: at home on any device, and in memory where weights are wanted.

The formulas are those of `mixture`, whose compiled kernel is several times faster in memory; tests hold the
two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Floats
from bolus.deconvolve.place import beside, fetched, is_here, namespace

ROWS_HERE: Final = 512
"""Voxels at a time in memory."""
ROWS_THERE: Final = 16_384
"""Voxels at a time on a device: four arrays of 200 MB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What decides on a weight besides the atoms.

    Parameters
    ----------
    n_free
        Samples less what a fit takes.
    independence
        Part of the samples that is independent.
    least_noise
        Least noise power as a part of the curve's.
    inverted
        Part of a curve's power that atoms turned upside down may explain.
    """

    n_free: float
    independence: float
    least_noise: float
    inverted: float


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Atoms as plain matrices, `(d, atoms)` and `(n, atoms)`; see `bolus.deconvolve.mixture.Mixture`."""

    directions: Any
    parts: Any
    log_weight: Any
    gains: Any
    features: Any
    table: Any

    def beside(self, curves: Any) -> Tables:
        """Return the tables where the curves are."""
        return Tables(*(beside(getattr(self, name), curves) for name in self.__slots__))


def moments(curves: Any, tables: Tables, rules: Rules, leaning: Float32s | None) -> tuple[Float32s, Floats]:
    """Return noise, the first two moments of volume and flow, and the means of the table, for all curves.

    Returns
    -------
    Shape `(voxels, 5 + quantities)`, for curves of unit length, NaN where no atom fits; and the index of
    the likeliest atom, `(voxels,)`. Both in memory.
    """
    xp, there = namespace(curves), tables.beside(curves)
    found, best = [], []
    for _, likely, scores, noise, known in _weighed(curves, there, rules, leaning):
        positive = xp.clip(scores, 0.0, None)
        columns = [noise]
        for gain in there.gains:
            columns.append((likely * positive) @ gain)
            columns.append((likely * positive * positive) @ gain**2 + noise * (likely @ gain**2))
        values = np.concatenate(
            [fetched(c)[:, None] for c in columns] + [fetched(likely @ there.table.T)], axis=1
        )
        values[np.logical_not(fetched(known))] = np.nan
        found.append(values.astype(np.float32))
        best.append(fetched(xp.argmax(likely, 1)))
    return np.concatenate(found), np.concatenate(best)


def weights(
    curves: Any, tables: Tables, rules: Rules, leaning: Float32s | None
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Yield rows, each atom's weight and its flow for curves of unit length [1/s], `(rows, atoms)` each."""
    xp, there = namespace(curves), tables.beside(curves)
    for rows, likely, scores, _, _ in _weighed(curves, there, rules, leaning):
        yield rows, fetched(likely), fetched(xp.clip(scores, 0.0, None) * there.gains[1])


def _weighed(
    curves: Any, tables: Tables, rules: Rules, leaning: Float32s | None
) -> Iterator[tuple[slice, Any, Any, Any, Any]]:
    """Yield rows, weights, scores, noise and whether any atom fits."""
    xp, step = namespace(curves), ROWS_HERE if is_here(curves) else ROWS_THERE
    for first in range(0, len(curves), step):
        rows = slice(first, first + step)
        size = xp.sqrt((curves[rows] * curves[rows]).sum(1))
        scores = (curves[rows] / size[:, None]) @ tables.directions @ tables.parts
        top, bottom = xp.amax(scores, 1), -xp.amax(-scores, 1)
        noise = xp.clip(1.0 - top * top, rules.least_noise, None) / rules.n_free
        logs = scores * xp.abs(scores) * (0.5 * rules.independence / noise)[:, None] + tables.log_weight
        if leaning is not None:
            logs = logs + beside(leaning[rows], curves) @ tables.features
        likely = xp.exp(logs - xp.amax(logs, 1)[:, None])
        is_up = (top * top > rules.inverted) | (bottom > -(rules.inverted**0.5))
        yield rows, likely / likely.sum(1)[:, None], scores, noise, (size > 0) & (size < 1e15) & is_up
