"""A large core or not, from the maps: its volume with an interval, and the chance that it is larger."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.special import ndtr

from bolus.core.errors import BadInput
from bolus.core.lesion import Intervals, Lesions
from bolus.core.result import Result

LEAST_WIDTH: Final = 0.05
"""Least width of the kernel that samples are smoothed with, in logarithms of 1 + volume [mL]."""


def chance_above(samples_ml: Any, limit_ml: float) -> float:
    """Return the chance that a volume exceeds a limit, from samples of it.

    Parameters
    ----------
    samples_ml
        Equally likely volumes [mL], shape `(samples,)`.
    limit_ml
        The limit [mL].

    Returns
    -------
    0-1, never either: each sample stands for a normal distribution of log(1 + volume), whose width is
    Silverman's, so that few samples do not make certainty.

    References
    ----------
    Silverman, Density Estimation for Statistics and Data Analysis, Chapman and Hall (1986).
    """
    logs = np.log1p(np.asarray(samples_ml, dtype=np.float64))
    width = max(1.06 * float(logs.std()) * logs.size**-0.2, LEAST_WIDTH)
    return float(np.clip(ndtr((logs - np.log1p(limit_ml)) / width).mean(), 1e-6, 1.0 - 1e-6))


def measured(result: Result) -> tuple[Lesions, Intervals]:
    """Return lesions and intervals of a run.

    Raises
    ------
    BadInput
        If volumes are withheld, or have no intervals.
    """
    if result.lesions is None:
        raise BadInput("volumes are withheld", remedy="See the findings of severity fail.")
    if result.lesions.intervals is None:
        raise BadInput(
            "volumes have no intervals",
            found=f"method {result.recipe.method}",
            remedy="Use --method posterior or vascular.",
        )
    return result.lesions, result.lesions.intervals


def remarks(result: Result, limit_ml: float) -> dict[str, Any]:
    """Return what the maps say of the core, for the cases that networks are compared on.

    Returns
    -------
    `maps_core_ml`, `maps_low_ml`, `maps_high_ml` [mL] and `maps_chance` of a core beyond the limit, 0-1; None
    where there is none.
    """
    names = ("maps_core_ml", "maps_low_ml", "maps_high_ml", "maps_chance")
    try:
        lesions, intervals = measured(result)
    except BadInput:
        return dict.fromkeys(names)
    numbers = (
        lesions.volumes_ml["core"],
        *intervals.volumes_ml["core"],
        chance_above(intervals.core_ml, limit_ml),
    )
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}
