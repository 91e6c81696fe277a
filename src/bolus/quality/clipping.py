"""Whether the values of an X-ray run were cut off at the end of the detector's range."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.quality.evidence import Evidence
from bolus.quality.measures import NOTHING

_NEAR: Final = 3
"""Stored values beside the last one that tell how many pixels would reach it by chance."""
_PILED: Final = 3.0
"""A last value that so many times more pixels hold than each of these was cut off, not reached."""
_FEWEST: Final = 50
"""Pixels of vessels that a share is taken of."""


def clipped_percent(evidence: Evidence) -> float:
    """Return the share of vessel pixels whose lowest or highest stored value is one that was cut off [%].

    Vessels are the pixels that reach half of the arterial peak. Where values are cut off, many pixels share
    the very last one; noise alone spreads them. Which end contrast lies at, and whether the range ends at 0
    or elsewhere, need not be known.
    """
    vessels = evidence.brain.inside & ~evidence.brain.tissue
    if np.count_nonzero(vessels) < _FEWEST or vessels.shape != evidence.series.frames.shape[:3]:
        return NOTHING
    stored: NDArray[Any] = evidence.series.frames[vessels]
    lowest, highest = (ends.astype(np.float64) for ends in (stored.min(axis=1), stored.max(axis=1)))
    return 100.0 * max(_piled(lowest), _piled(-highest))


def _piled(ends: NDArray[np.float64]) -> float:
    """Return the share of ends that are equal to the least of them, 0 where that is no pile."""
    above = ends - ends.min()
    share = float(np.mean(above == 0.0))
    near = float(np.mean((above > 0.0) & (above <= _NEAR))) / _NEAR
    return share if share > _PILED * near else 0.0
