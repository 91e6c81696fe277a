"""Whether chances are what they say: reliability, and the numbers that put them right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import expit, logit

from bolus.core.arrays import Float64s
from bolus.core.errors import BadInput

BINS: Final = 10
_LEAST: Final = 1e-7
"""Chances are kept so far from 0 and 1."""
_RANGE: Final = (-3.0, 3.0)
"""Bounds of the logarithm of the temperature."""
_OFFSETS: Final = (-10.0, 10.0)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What was said and what was so, in equal intervals of chance; intervals without cases are left out.

    Parameters
    ----------
    said, found
        Mean chance, and part of the cases that are positive, shape `(intervals,)`.
    n
        Cases in each.
    """

    said: Float64s
    found: Float64s
    n: Float64s

    @property
    def error(self) -> float:
        """Expected calibration error: mean difference of said and found, over cases."""
        return float(np.sum(self.n * np.abs(self.said - self.found)) / np.sum(self.n))


def reliability(chances: Any, labels: Any, *, bins: int = BINS) -> Reliability:
    """Compare chances with what was so.

    Parameters
    ----------
    chances, labels
        Of being positive, 0-1, and whether it is; shape `(cases,)`.
    bins
        Equal intervals of chance.

    References
    ----------
    Naeini et al., AAAI 29:2901-2907 (2015), doi:10.1609/aaai.v29i1.9602.
    """
    said, truth = np.asarray(chances, dtype=np.float64), np.asarray(labels) > 0
    which = np.minimum((said * bins).astype(np.intp), bins - 1)
    n = np.bincount(which, minlength=bins).astype(np.float64)
    there = n > 0
    sums = (np.bincount(which, values, minlength=bins)[there] for values in (said, truth.astype(np.float64)))
    means = [values / n[there] for values in sums]
    return Reliability(means[0], means[1], n[there])


def expected_error(chances: Any, labels: Any, *, bins: int = BINS) -> float:
    """Return the expected calibration error; see `reliability`."""
    return reliability(chances, labels, bins=bins).error


def log_loss(chances: Any, labels: Any) -> float:
    """Return the mean negative logarithm of the chance that was given to what was so."""
    said = np.clip(np.asarray(chances, dtype=np.float64), _LEAST, 1.0 - _LEAST)
    truth = np.asarray(labels) > 0
    return float(-np.mean(np.log(np.where(truth, said, 1.0 - said))))


def fit_temperature(chances: Any, labels: Any) -> float:
    """Return what log-odds are to be divided by for the least log loss; above 1, chances were too bold.

    Parameters
    ----------
    chances, labels
        Of validation cases, shape `(cases,)`.

    Raises
    ------
    BadInput
        If all cases are the same.

    References
    ----------
    Guo et al., ICML 2017, doi:10.48550/arXiv.1706.04599.
    Platt, in: Advances in Large Margin Classifiers, MIT Press (1999), 61-74 (labels that are never certain).

    Notes
    -----
    Of n cases of a kind the label counts as 1/(n + 2) short of certain, as Platt has it: a few cases that are
    told apart without an error do not make chances of 0 and 1.
    """
    from scipy.optimize import minimize_scalar

    wanted = _wanted(labels)

    def loss(power: float) -> float:
        return _short_of(wanted, cooled(chances, float(np.exp(power))))

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def fit_scaling(chances: Any, labels: Any) -> dict[str, float]:
    """Return the `temperature` and the `offset` with which `put_right` has the least log loss.

    Parameters
    ----------
    chances, labels
        Of validation cases, shape `(cases,)`. An offset is what a network lacks that has learned where
        positive cases are as frequent, or as plain, as they are not here.

    Raises
    ------
    BadInput
        If all cases are the same.

    References
    ----------
    Platt, in: Advances in Large Margin Classifiers, MIT Press (1999), 61-74.

    Notes
    -----
    Labels are short of certain as in `fit_temperature`.
    """
    from scipy.optimize import minimize

    wanted = _wanted(labels)

    def loss(numbers: Float64s) -> float:
        return _short_of(wanted, put_right(chances, _scaling(numbers)))

    start = np.array([np.log(fit_temperature(chances, labels)), 0.0])
    found = minimize(loss, start, bounds=(_RANGE, _OFFSETS), method="Nelder-Mead")
    return _scaling(found.x)


def _scaling(numbers: Float64s) -> dict[str, float]:
    return {"temperature": float(np.exp(numbers[0])), "offset": float(numbers[1])}


def _wanted(labels: Any) -> Float64s:
    """Return what chances are fitted to: Platt's labels, which are never certain."""
    truth = np.asarray(labels) > 0
    if truth.all() or not truth.any():
        raise BadInput("a temperature needs cases of both kinds", found=f"{truth.size} of one")
    yes, no = int(np.count_nonzero(truth)), int(np.count_nonzero(~truth))
    return np.where(truth, (yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0))


def _short_of(wanted: Float64s, said: Float64s) -> float:
    return float(-np.mean(wanted * np.log(said) + (1.0 - wanted) * np.log1p(-said)))


def cooled(chances: Any, temperature: float) -> Float64s:
    """Return chances whose log-odds are divided by a temperature."""
    return put_right(chances, {"temperature": temperature})


def put_right(chances: Any, known: Mapping[str, Any]) -> Float64s:
    """Return chances after a calibration: log-odds over its `temperature` (1), plus its `offset` (0)."""
    odds = _odds(chances) / float(known.get("temperature", 1.0)) + float(known.get("offset", 0.0))
    return np.clip(expit(odds), _LEAST, 1.0 - _LEAST)


def undone(chances: Any, known: Mapping[str, Any]) -> Float64s:
    """Return the chances that `put_right` was given."""
    odds = (_odds(chances) - float(known.get("offset", 0.0))) * float(known.get("temperature", 1.0))
    return np.clip(expit(odds), _LEAST, 1.0 - _LEAST)


def _odds(chances: Any) -> Float64s:
    """Return log-odds of chances that are kept from 0 and 1."""
    return np.asarray(logit(np.clip(np.asarray(chances, dtype=np.float64), _LEAST, 1.0 - _LEAST)))


def mean_chance(chances: Any) -> float:
    """Return the chance of mean log-odds: what several views or networks say together."""
    return float(expit(np.mean(_odds(chances))))


def unsure_band(chances: Any, labels: Any, *, right: float = 0.95) -> tuple[float, float]:
    """Return the narrowest band of chances about 0.5, even in log-odds, outside which enough are right.

    Parameters
    ----------
    chances, labels
        Of validation cases, shape `(cases,)`, calibrated.
    right
        Part of the cases outside the band that are called right.

    Returns
    -------
    Least and greatest chance of the band, both 0.5 where none is needed.
    """
    odds = _odds(chances)
    truth = np.asarray(labels) > 0
    for width in (0.0, *np.sort(np.abs(odds))):
        sure = np.abs(odds) > width
        if not sure.any() or np.mean((odds > 0)[sure] == truth[sure]) >= right:
            break
    return float(expit(-width)), float(expit(width))
