"""How far two ways of measuring the same volumes agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bolus.core.arrays import Float64s
from bolus.core.errors import ShapeMismatch


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Differences of pairs of measurements, in their unit.

    Parameters
    ----------
    bias, sd
        Mean and standard deviation of the differences, first less second.
    low, high
        Limits of agreement, bias less and plus 1.96 SD.
    repeatability
        Coefficient of repeatability, 1.96 SD.
    """

    bias: float
    sd: float
    low: float
    high: float
    repeatability: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """An intraclass correlation with its 95 % interval."""

    icc: float
    low: float
    high: float


def bland_altman(first: Sequence[float] | Float64s, second: Sequence[float] | Float64s) -> BlandAltman:
    """Compare pairs of measurements.

    References
    ----------
    Bland & Altman, Lancet 327:307-310 (1986), doi:10.1016/S0140-6736(86)90837-8
    """
    gaps = _pairs(first, second)
    bias, sd = float(gaps.mean()), float(gaps.std(ddof=1)) if gaps.size > 1 else float("nan")
    reach = 1.96 * sd
    return BlandAltman(bias, sd, bias - reach, bias + reach, reach)


def icc1k(values: Float64s) -> Reliability:
    """Return the reliability of the mean of several raters, each of whom is one of many: ICC(1,k).

    Parameters
    ----------
    values
        Shape `(patients, raters)`.

    Returns
    -------
    ``(MSB - MSW) / MSB`` of the mean squares between and within patients, with its interval; NaN where
    patients do not differ.

    References
    ----------
    Shrout & Fleiss, Psychol Bull 86:420-428 (1979), doi:10.1037/0033-2909.86.2.420
    """
    n, k = values.shape
    if n < 2 or k < 2:
        raise ShapeMismatch("reliability needs raters", wanted="2 patients and 2 raters", found=f"{n}, {k}")
    means = values.mean(axis=1)
    between = k * float(((means - values.mean()) ** 2).sum()) / (n - 1)
    within = float(((values - means[:, None]) ** 2).sum()) / (n * (k - 1))
    if between <= 0:
        return Reliability(float("nan"), float("nan"), float("nan"))
    if within <= 0:
        return Reliability(1.0, 1.0, 1.0)
    ratio, free = between / within, (n - 1, n * (k - 1))
    low = 1.0 - float(stats.f.ppf(0.975, *free)) / ratio
    high = 1.0 - 1.0 / (ratio * float(stats.f.ppf(0.975, *free[::-1])))
    return Reliability(1.0 - 1.0 / ratio, low, high)


def friedman_p(values: Float64s) -> float:
    """Return the chance of ranks so different among raters `(patients, raters)` if they were all alike.

    NaN where all raters agree throughout, or there are fewer than three.

    References
    ----------
    Friedman, J Am Stat Assoc 32:675-701 (1937), doi:10.1080/01621459.1937.10503522
    """
    if values.shape[1] < 3 or (values == values[:, :1]).all():
        return float("nan")
    return float(stats.friedmanchisquare(*values.T).pvalue)


def pearson(first: Sequence[float] | Float64s, second: Sequence[float] | Float64s) -> tuple[float, float]:
    """Return the correlation of two sets of measurements and its p; NaN where one does not vary."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    _pairs(a, b)
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan"), float("nan")
    found = stats.pearsonr(a, b)
    return float(found.statistic), float(found.pvalue)


def _pairs(first: Sequence[float] | Float64s, second: Sequence[float] | Float64s) -> Float64s:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or not a.size:
        raise ShapeMismatch("measurements do not pair", wanted=str(a.shape), found=str(b.shape))
    return np.asarray(a - b, dtype=np.float64)
