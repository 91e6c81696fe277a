"""What the rules of quality look at."""

from __future__ import annotations

from dataclasses import dataclass

from bolus.core.brain import Brain
from bolus.core.maps import Maps
from bolus.core.result import MotionTrace
from bolus.core.series import Concentration, Series
from bolus.core.vessel import Vessels


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the rules look at.

    Parameters
    ----------
    series
        As it was read, before motion correction.
    motion
        What was corrected; None where nothing was looked for.
    brain
        Masks.
    concentration
        Contrast as it was deconvolved, after the filter.
    raw
        Contrast before the filter, in which the vessels were found; its curves may be gone by now.
    vessels
        Arterial and venous curves.
    maps
        Maps by name.
    second
        Maps by another method, where there are any.
    by_numbers
        Whether the lesion rule compares flow or volume with a number, and not with healthy tissue.
    """

    series: Series
    motion: MotionTrace | None
    brain: Brain
    concentration: Concentration
    raw: Concentration
    vessels: Vessels
    maps: Maps
    second: Maps | None = None
    by_numbers: bool = False
