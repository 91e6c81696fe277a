"""How good answers are: metrics by name, and means with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.core.errors import ShapeMismatch
from bolus.learn.calibration import log_loss
from bolus.learn.cases import Arrays

Metric: TypeAlias = Callable[[NDArray[Any], Arrays], float]
"""`metric(answer, arrays)` of one case."""


def dice(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return Dice's coefficient of two masks: twice the common pixels over the sum of both; 1 if empty.

    References
    ----------
    Dice, Ecology 26:297-302 (1945), doi:10.2307/1932409.
    """
    _require_same_shape(found, truth)
    total = np.count_nonzero(found) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(found & truth) / total) if total else 1.0


def sensitivity(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the part of the truth that was found; NaN if there is no truth."""
    _require_same_shape(found, truth)
    total = np.count_nonzero(truth)
    return float(np.count_nonzero(found & truth) / total) if total else float("nan")


def precision(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the part of what was found that is true; NaN if nothing was found."""
    _require_same_shape(found, truth)
    total = np.count_nonzero(found)
    return float(np.count_nonzero(found & truth) / total) if total else float("nan")


def _dice_of(answer: NDArray[Any], arrays: Arrays) -> float:
    return dice(answer >= 0.5, arrays["target"] > 0)


def _mae_of(answer: NDArray[Any], arrays: Arrays) -> float:
    error = np.abs(answer - arrays["target"])
    inside = (
        np.broadcast_to(arrays["mask"] > 0, error.shape) if "mask" in arrays else np.ones_like(error, bool)
    )
    return float(error[inside].mean())


def _mse_of(answer: NDArray[Any], arrays: Arrays) -> float:
    return float(np.mean((answer - arrays["target"]) ** 2))


def _nll_of(answer: NDArray[Any], arrays: Arrays) -> float:
    """Return the mean negative log-likelihood of maps under means and deviations, inside the mask."""
    mean, deviation = np.split(answer, 2)
    lost = 0.5 * ((arrays["target"] - mean) / deviation) ** 2 + np.log(deviation)
    return float(lost[:, arrays["mask"][0] > 0].mean())


def chance_of(answer: NDArray[Any]) -> float:
    """Return the chance in a classifier's answer: `(1,)`, or `(2, y, x)` with the place before it."""
    return float(answer[0] if answer.ndim == 1 else answer[1, 0, 0])


def _log_loss_of(answer: NDArray[Any], arrays: Arrays) -> float:
    return log_loss([chance_of(answer)], [float(arrays["target"][0])])


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {"dice": _dice_of, "mae": _mae_of, "mse": _mse_of, "log_loss": _log_loss_of, "nll": _nll_of}
)
"""What validation can watch."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over patients and the interval that the bootstrap gives it.

    Parameters
    ----------
    mean, low, high
        Of the patients' means.
    sd
        Standard deviation over cases.
    least
        The worst case.
    n_patients, n_cases
        How many.
    """

    mean: float
    low: float
    high: float
    sd: float
    least: float
    n_patients: int
    n_cases: int


def over_patients(
    values: Sequence[float],
    patients: Sequence[str],
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval | None:
    """Average over patients, and draw whole patients again for the interval.

    Cases of one patient are alike, so an interval over cases would be too narrow.

    Parameters
    ----------
    values, patients
        One a case; cases without a number are left out.
    level
        Chance that the percentile interval is made for.
    draws, seed
        Of the bootstrap.

    Returns
    -------
    None if no case has a number.

    References
    ----------
    Efron, Ann Stat 7:1-26 (1979), doi:10.1214/aos/1176344552.
    """
    cases = [(v, p) for v, p in zip(values, patients, strict=True) if np.isfinite(v)]
    if not cases:
        return None
    numbers = np.array([v for v, _ in cases])
    names, whose = np.unique([p for _, p in cases], return_inverse=True)
    means = np.bincount(whose, numbers) / np.bincount(whose)
    low, high = _bootstrap(means, level, draws, np.random.default_rng(seed))
    sd = float(numbers.std(ddof=1)) if numbers.size > 1 else 0.0
    return Interval(float(means.mean()), low, high, sd, float(numbers.min()), names.size, numbers.size)


def _bootstrap(means: Float64s, level: float, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    drawn = means[rng.integers(0, means.size, (draws, means.size))].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _require_same_shape(found: NDArray[Any], truth: NDArray[Any]) -> None:
    if found.shape != truth.shape:
        raise ShapeMismatch("masks differ in shape", wanted=str(truth.shape), found=str(found.shape))
