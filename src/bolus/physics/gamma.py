"""The gamma-variate: shape of a first passage of contrast."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from scipy.special import gamma

from bolus.core.arrays import Curve, Float64s


@dataclass(frozen=True, slots=True)
class GammaVariate:
    """``C(t) = peak * (u / (alpha beta))^alpha * exp(alpha - u / beta)``, ``u = t - onset > 0``.

    Parameters
    ----------
    peak
        Greatest value, reached at `onset_s + alpha * beta_s`, in the unit of the curve.
    onset_s
        Arrival [s].
    alpha, beta_s
        Shape [no unit] and scale [s].
    """

    peak: float
    onset_s: float
    alpha: float
    beta_s: float

    def __call__(self, times: ArrayLike) -> Float64s:
        """Return the curve at times [s], same shape as `times`."""
        u = np.maximum(np.asarray(times, dtype=np.float64) - self.onset_s, 0.0)
        scaled = u / (self.alpha * self.beta_s)
        curve: Float64s = self.peak * scaled**self.alpha * np.exp(self.alpha * (1.0 - scaled))
        return curve

    @property
    def area(self) -> float:
        """Area under the curve [unit of the curve times s]."""
        a = self.alpha
        return float(self.peak * self.beta_s * exp(a) * a**-a * gamma(a + 1))

    @property
    def mean_s(self) -> float:
        """Mean time (first moment) [s]."""
        return self.onset_s + self.beta_s * (self.alpha + 1)


def fit_gamma_variate(times: Float64s, curve: Curve, *, until: float = 0.4) -> tuple[GammaVariate, float]:
    """Fit a gamma-variate to the first passage of one curve.

    Parameters
    ----------
    times, curve
        Shape `(t,)`, seconds and any unit.
    until
        Samples after the peak count until the curve falls below this fraction of it, so that
        recirculation stays out.

    Returns
    -------
    The fit, and r2 over the samples that it saw (NaN where the curve is flat).
    """
    values = np.asarray(curve, dtype=np.float64)
    top = int(np.argmax(values))
    below = np.flatnonzero(values[top:] < until * values[top])
    stop = min(top + int(below[0]) + 1 if below.size else values.size, values.size)
    stop = max(stop, min(top + 3, values.size))
    t, c = times[:stop], values[:stop]
    peak, t_peak = max(float(values[top]), 1e-9), float(times[top])
    span = float(times[-1] - times[0])

    def residual(p: Float64s) -> Float64s:
        difference: Float64s = GammaVariate(peak * p[0], p[1], p[2], p[3])(t) / peak - c / peak
        return difference

    lower = [0.1, float(times[0]) - 0.1 * span - 1.0, 0.5, 0.1]
    upper = [5.0, t_peak + 1e-3, 20.0, max(8.0, 0.5 * span)]
    start = np.clip([1.0, t_peak - 5.0, 3.0, 5.0 / 3.0], np.array(lower) + 1e-6, np.array(upper) - 1e-6)
    found = least_squares(residual, start, bounds=(lower, upper), max_nfev=200)
    spread = float(np.sum((c - c.mean()) ** 2)) / peak**2
    r2 = 1.0 - float(np.sum(found.fun**2)) / spread if spread > 0 else float("nan")
    return GammaVariate(peak * float(found.x[0]), *(float(v) for v in found.x[1:])), r2
