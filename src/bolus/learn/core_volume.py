"""A large core or not, from the maps: its volume with an interval, and the chance that it is larger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.special import ndtr, ndtri

from bolus import pipeline
from bolus.core.errors import BadInput
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.core.series import Series

LEAST_WIDTH: Final = 0.05
"""Least standard deviation of log(1 + volume [mL]) that is believed."""
NOISE: Final = "LOW_SNR"
"""The finding that a second look may undo."""
WIDE_MM: Final = 8.0
"""Standard deviation of the noise filter of a second look [mm]: twice that of a run."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The core in the maps of a run.

    Parameters
    ----------
    volume_ml, bounds_ml
        Its volume and interval [mL].
    level
        Part of true volumes that the interval holds.
    again
        Whether the maps were made anew, because the run withholds its volumes for noise.
    """

    volume_ml: float
    bounds_ml: tuple[float, float]
    level: float
    again: bool = False

    def chance_above(self, limit_ml: float) -> float:
        """Return the chance of a core beyond a limit [mL]."""
        return chance_above(limit_ml, self.volume_ml, self.bounds_ml, level=self.level)


def measured(series: Series, result: Result) -> Measured:
    """Return the core that a run measured; where noise withholds it, that of a second look.

    Parameters
    ----------
    series, result
        As read, and what the run made of it.

    Raises
    ------
    BadInput
        If there is no artery, or volumes are withheld for more than noise or have no intervals, or the second
        look withholds them.

    Notes
    -----
    Where tissue hardly rises above the noise, much of it seems to have no flow, and volumes are far too
    large. Averaging before maps are made undoes that, at the price of small lesions, which do not decide
    whether a core is large: the second look filters twice as widely as a run, and takes `posterior`.
    """
    if result.lesions is not None or NOISE not in failures(result):
        return _core(result)
    try:
        return replace(_core(pipeline.run(series, _wider(result))), again=True)
    except BadInput as error:
        raise BadInput(
            f"volumes are withheld for noise, and averaging more widely does not help: {error}"
        ) from error


def failures(result: Result) -> tuple[str, ...]:
    """Return the codes of the findings that withhold the volumes of a run; none where it stands by them."""
    return tuple(f.code for f in result.findings if f.severity is Severity.FAIL)


def _core(result: Result) -> Measured:
    pipeline.require_artery(result)
    if result.lesions is None:
        found = ", ".join(failures(result))
        raise BadInput("volumes are withheld", found=found, remedy="See the findings of severity fail.")
    intervals = result.lesions.intervals
    if intervals is None:
        raise BadInput(
            "volumes have no intervals",
            found=f"method {result.recipe.method}",
            remedy="Use --method posterior or vascular.",
        )
    return Measured(result.lesions.volumes_ml["core"], intervals.volumes_ml["core"], intervals.level)


def lies_still(result: Result) -> bool:
    """Tell whether a run looked for motion and found none, so that nothing needs to be registered again."""
    motion = result.motion
    return motion is not None and motion.max_shift_mm == 0.0 and motion.max_rotation_deg == 0.0


def _wider(result: Result) -> Recipe:
    """Return the recipe of a second look; a head that was seen to lie still is not registered again."""
    return replace(
        result.recipe,
        method="posterior",
        method_options={},
        bootstrap=0,
        filter="profile",
        filter_sigma_mm=WIDE_MM,
        motion="none" if lies_still(result) else result.recipe.motion,
    )


def remarks(series: Series, result: Result | None, limit_ml: float) -> dict[str, Any]:
    """Return what the maps of a run say of the core, for the cases that networks are compared on.

    Returns
    -------
    `maps_core_ml`, `maps_low_ml`, `maps_high_ml` [mL], `maps_chance` of a core beyond the limit, 0-1, and
    `maps_again`, whether they come from a second look: None where there is no answer; and `maps_withheld`,
    the codes of the findings that withhold the volumes of the run.
    """
    names = ("maps_core_ml", "maps_low_ml", "maps_high_ml", "maps_chance", "maps_again")
    if result is None:
        return dict.fromkeys((*names, "maps_withheld"))
    about = {"maps_withheld": list(failures(result))}
    try:
        core = measured(series, result)
    except BadInput:
        return dict.fromkeys(names) | about
    numbers = (core.volume_ml, *core.bounds_ml, core.chance_above(limit_ml))
    return dict(zip(names, (*map(float, numbers), core.again), strict=True)) | about
