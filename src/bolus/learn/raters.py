"""Two thresholding raters who stand in for the radiologists of the CTP paper, and what they outline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.ndimage import median_filter

from bolus.core.arrays import Float32s, Mask

TISSUE_FLOW: Final = 5.0
"""Pixels of the brain whose CBF and 10 times CBV are together no more than this are fluid, not tissue."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """Medians of tissue that contrast reaches in time: CBF, CBV and time of the middle of the residue."""

    flow: float
    volume: float
    time_s: float


Rate = Callable[[Float32s, Mask, Healthy], tuple[Mask, Mask]]
"""Outlines core and hypoperfused tissue, by maps `(3, slices, y, x)`, tissue, and what is healthy."""


def absolute(maps: Float32s, tissue: Mask, _healthy: Healthy) -> tuple[Mask, Mask]:
    """Outline by fixed limits: hypoperfused where TTP exceeds 6 s, core where CBV is under 1.2 too."""
    late = tissue & (maps[2] > 6.0)
    return late & (maps[1] < 1.2), late


def relative(maps: Float32s, tissue: Mask, healthy: Healthy) -> tuple[Mask, Mask]:
    """Outline by healthy tissue: TTP 3.5 s later and CBF under 80 %; core where CBV is under 45 % too."""
    late = tissue & (maps[2] > healthy.time_s + 3.5) & (maps[0] < 0.8 * healthy.flow)
    return late & (maps[1] < 0.45 * healthy.volume), late


RATERS: Final[Mapping[str, Rate]] = MappingProxyType(
    {"thresholds, absolute": absolute, "thresholds, relative": relative}
)
"""They are thresholds, not people, and are named so wherever they appear."""


def outlines(maps: Float32s, brain: Mask, rate: Rate) -> tuple[Mask, Mask]:
    """Return core and hypoperfused tissue of a patient's slices as a rater outlines them on maps.

    Parameters
    ----------
    maps
        CBF [mL/100 g/min], CBV [mL/100 g] and TTP of the residue's middle [s], shape `(3, slices, y, x)`.
    brain
        Shape `(slices, y, x)`.
    rate
        One of `RATERS`.

    Returns
    -------
    Masks `(slices, y, x)`, without specks: each is the majority of 3 x 3 pixels.
    """
    tissue = brain & (maps[0] + 10.0 * maps[1] > TISSUE_FLOW)
    core, late = rate(maps, tissue, healthy_of(maps, tissue))
    late = median_filter(late, size=(1, 3, 3))
    return median_filter(core, size=(1, 3, 3)) & late, late


def healthy_of(maps: Float32s, tissue: Mask) -> Healthy:
    """Return medians of tissue that contrast reaches within 6 s; of all tissue where there is none such."""
    in_time = tissue & (maps[2] <= 6.0)
    where = in_time if in_time.any() else tissue
    if not where.any():
        return Healthy(0.0, 0.0, 0.0)
    flow, volume, time_s = (float(np.median(one[where])) for one in maps)
    return Healthy(flow, volume, time_s)
