"""A large core or not, from the maps: its volume with an interval, and the chance that it is larger."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.special import ndtr, ndtri

from bolus.core.errors import BadInput
from bolus.core.lesion import Intervals, Lesions
from bolus.core.result import Result

LEAST_WIDTH: Final = 0.05
"""Least standard deviation of log(1 + volume [mL]) that is believed."""


def chance_above(
    limit_ml: float, volume_ml: float, bounds_ml: tuple[float, float], *, level: float = 0.9
) -> float:
    """Return the chance that a volume exceeds a limit, from what was measured and its interval.

    Parameters
    ----------
    limit_ml
        The limit [mL].
    volume_ml, bounds_ml
        The volume, and its interval as `bolus.core.lesion.Intervals` has it [mL].
    level
        Part of true volumes that the interval holds.

    Returns
    -------
    0-1, never either.

    Notes
    -----
    log(1 + volume) is taken as normal about what was measured, and as wide as the interval. The samples
    that the interval is made from are not counted themselves: they have noise added to maps that are noisy
    already, and so lean towards larger cores.
    """
    low, high = (float(np.log1p(bound)) for bound in bounds_ml)
    width = max((high - low) / (2.0 * float(ndtri(0.5 * (1.0 + level)))), LEAST_WIDTH)
    above = (np.log1p(volume_ml) - np.log1p(limit_ml)) / width
    return float(np.clip(ndtr(above), 1e-6, 1.0 - 1e-6))


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


def remarks(result: Result | None, limit_ml: float) -> dict[str, Any]:
    """Return what the maps of a run say of the core, for the cases that networks are compared on.

    Returns
    -------
    `maps_core_ml`, `maps_low_ml`, `maps_high_ml` [mL] and `maps_chance` of a core beyond the limit, 0-1; None
    where there is none.
    """
    names = ("maps_core_ml", "maps_low_ml", "maps_high_ml", "maps_chance")
    if result is None or result.lesions is None or result.lesions.intervals is None:
        return dict.fromkeys(names)
    lesions, intervals = measured(result)
    volume, bounds = lesions.volumes_ml["core"], intervals.volumes_ml["core"]
    numbers = (volume, *bounds, chance_above(limit_ml, volume, bounds, level=intervals.level))
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}
