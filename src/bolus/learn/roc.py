"""How well chances tell yes from no: over all cases together, with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.core.errors import BadInput, ShapeMismatch

POINTS: Final = 100
"""False positive rates at which curves are averaged."""
_MANY: Final = 1000
"""Draws of the bootstrap after which one gives up finding both answers in one."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many cases were called what.

    Parameters
    ----------
    tp, fp, fn, tn
        True and false positives, false and true negatives.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient, -1 to 1; 0 where it has no value.

        References
        ----------
        Matthews, Biochim Biophys Acta 405:442-451 (1975), doi:10.1016/0005-2795(75)90109-9.
        """
        sides = (self.tp + self.fp, self.tp + self.fn, self.tn + self.fp, self.tn + self.fn)
        below = float(np.prod([float(n) for n in sides])) ** 0.5
        return (self.tp * self.tn - self.fp * self.fn) / below if below else 0.0


def confusion(chances: Any, labels: Any, *, threshold: float = 0.5) -> Confusion:
    """Count what is called yes from a threshold on.

    Parameters
    ----------
    chances, labels
        Of being positive, 0-1, and whether it is; shape `(cases,)`.
    threshold
        Chance from which a case is called positive.
    """
    found, truth = _checked(chances, labels)
    called = found >= threshold
    pairs = ((called, truth), (called, ~truth), (~called, truth), (~called, ~truth))
    return Confusion(*(int(np.count_nonzero(a & b)) for a, b in pairs))


def mcc(chances: Any, labels: Any, *, threshold: float = 0.5) -> float:
    """Return Matthews' correlation coefficient of what is called yes from a threshold on."""
    return confusion(chances, labels, threshold=threshold).mcc


def auc(chances: Any, labels: Any) -> float:
    """Return the chance that a positive case has a higher value than a negative one; ties count half.

    NaN where all cases are the same.

    References
    ----------
    Hanley and McNeil, Radiology 143:29-36 (1982), doi:10.1148/radiology.143.1.7063747.
    """
    found, truth = _checked(chances, labels)
    yes, no = int(np.count_nonzero(truth)), int(np.count_nonzero(~truth))
    if not yes or not no:
        return float("nan")
    above = float(_ranks(found)[truth].sum()) - 0.5 * yes * (yes + 1)
    return above / (yes * no)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A receiver operating characteristic.

    Parameters
    ----------
    false_rate, true_rate
        Part of the negative and of the positive cases that are called positive, rising, shape `(n,)`.
    sd
        Standard deviation of `true_rate` over folds; empty for a single curve.
    """

    false_rate: Float64s
    true_rate: Float64s
    sd: Float64s


def curve(chances: Any, labels: Any) -> Curve:
    """Return the characteristic of some cases, from nothing called positive to everything.

    Raises
    ------
    BadInput
        If all cases are the same.
    """
    found, truth = _checked(chances, labels)
    if truth.all() or not truth.any():
        raise BadInput("a characteristic needs cases of both kinds", found=f"{truth.size} of one")
    order = np.argsort(-found, kind="stable")
    ends = np.append(
        np.flatnonzero(np.diff(found[order])), found.size - 1
    )  # equal values change sides at once
    yes, no = (np.cumsum(side[order])[ends] for side in (truth, ~truth))
    return Curve(np.append(0.0, no / no[-1]), np.append(0.0, yes / yes[-1]), np.empty(0))


def mean_curve(folds: Sequence[Curve]) -> Curve:
    """Average the true positive rates of folds at 100 false positive rates, with their standard deviation.

    References
    ----------
    Fawcett, Pattern Recognit Lett 27:861-874 (2006), doi:10.1016/j.patrec.2005.10.010 (vertical averaging).
    """
    at = np.linspace(0.0, 1.0, POINTS)
    rows = np.array([np.interp(at, fold.false_rate, fold.true_rate) for fold in folds])
    rows[:, 0] = 0.0
    sd = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(POINTS)
    return Curve(at, rows.mean(axis=0), sd)


Statistic = Callable[[NDArray[Any], NDArray[Any]], float]
"""`statistic(chances, labels)` of some cases, such as `auc` and `mcc`."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval that the bootstrap gives it."""

    value: float
    low: float
    high: float


def with_interval(
    statistic: Statistic,
    cases: tuple[Any, Any, Sequence[str]],
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Give a number of all cases an interval, by drawing whole patients again.

    Parameters
    ----------
    statistic
        Of chances and labels.
    cases
        Chances, labels and patients, one a case.
    level
        Chance that the percentile interval is made for.
    draws, seed
        Of the bootstrap; a draw in which all cases are the same is made anew.

    Returns
    -------
    The number of the cases as they are, and NaN bounds where no draw has both kinds.

    References
    ----------
    Efron, Ann Stat 7:1-26 (1979), doi:10.1214/aos/1176344552.
    """
    found, truth = _checked(cases[0], cases[1])
    names, whose = np.unique(list(cases[2]), return_inverse=True)
    rows = [np.flatnonzero(whose == i) for i in range(names.size)]
    rng = np.random.default_rng(seed)
    values: list[float] = []
    vain = 0
    while len(values) < draws and vain < _MANY:
        drawn = np.concatenate([rows[i] for i in rng.integers(0, names.size, names.size)])
        if truth[drawn].all() or not truth[drawn].any():
            vain += 1
            continue
        values.append(statistic(found[drawn], truth[drawn]))
    bounds = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) if values else (np.nan, np.nan)
    return Estimate(statistic(found, truth), float(bounds[0]), float(bounds[1]))


def folds_summary(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (of a sample) of what folds reached."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def pair_chances(front: Any, side: Any) -> Float64s:
    """Return the chance of pairs of views: the mean of both."""
    return 0.5 * (np.asarray(front, dtype=np.float64) + np.asarray(side, dtype=np.float64))


def distance_percent(where: NDArray[Any], point: tuple[float, float]) -> float:
    """Return how far the likeliest place lies from the true one [% of the image's width].

    Parameters
    ----------
    where
        Chance of each pixel, shape `(y, x)`.
    point
        True place, x and y [pixels].
    """
    y, x = np.unravel_index(int(np.argmax(where)), where.shape)
    return float(100.0 * np.hypot(x - point[0], y - point[1]) / where.shape[1])


def _ranks(values: Float64s) -> Float64s:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, which, n = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(n)
    return np.asarray((last - 0.5 * (n - 1))[which], dtype=np.float64)


def _checked(chances: Any, labels: Any) -> tuple[Float64s, NDArray[np.bool_]]:
    found, truth = np.asarray(chances, dtype=np.float64), np.asarray(labels) > 0
    if found.shape != truth.shape or found.ndim != 1:
        raise ShapeMismatch(
            "chances and labels differ in number", wanted=str(truth.shape), found=str(found.shape)
        )
    if not np.isfinite(found).all():
        raise BadInput("some chances are no numbers")
    return found, truth
