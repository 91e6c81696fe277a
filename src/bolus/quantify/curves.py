"""What a curve says without deconvolution: area, times and first moment, for many voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Curve, Curves, Float32s, Float64s
from bolus.core.errors import BadRecipe
from bolus.physics.features import area, arrival, bolus_start, first_moment, time_to_peak

ROWS: Final = 50_000
"""Voxels in a block: its temporary arrays take some 50 MB at 60 frames."""
ORIGINS: Final = ("scan", "arrival", "peak")
"""Where time to peak may be counted from."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveFeatures:
    """Features of curves, float32, shape `(voxels,)` each; NaN where a curve has none.

    Parameters
    ----------
    area
        Area from the start of the bolus to the end of the scan [unit of the curve times s].
    arrival
        Last crossing of 10 % of the peak before the peak, after the first frame [s].
    peak
        Time of the peak after the first frame, between frames [s].
    moment
        Mean time over the same span as the area, negative samples counted as 0 [s].
    """

    area: Float32s
    arrival: Float32s
    peak: Float32s
    moment: Float32s


def measure(curves: Curves, times: Float64s, start: int) -> CurveFeatures:
    """Measure curves `(voxels, t)` at times [s] `(t,)`; areas and moments count from frame `start`."""
    n = len(curves)
    found = CurveFeatures(*(np.empty(n, dtype=np.float32) for _ in range(4)))
    clock = times - times[0]
    for rows in _blocks(n):
        block = curves[rows]
        found.area[rows] = area(block[:, start:], clock[start:])
        found.arrival[rows] = arrival(block, clock)
        found.peak[rows] = time_to_peak(block, clock)
        found.moment[rows] = first_moment(block[:, start:], clock[start:])
    return found


def _blocks(n: int) -> Iterator[slice]:
    for first in range(0, n, ROWS):
        yield slice(first, first + ROWS)


def measure_artery(aif: Curve, times: Float64s) -> tuple[CurveFeatures, int]:
    """Measure the arterial curve `(t,)`, and return the frame that its bolus starts in."""
    start = bolus_start(aif)
    return measure(np.asarray(aif)[None, :], times, start), start


def require_origin(origin: str) -> str:
    """Return an origin of time to peak, or raise `BadRecipe` if it is none of `ORIGINS`."""
    if origin not in ORIGINS:
        raise BadRecipe("unknown origin of TTP", wanted=" or ".join(ORIGINS), found=repr(origin))
    return origin


def origin_of(artery: CurveFeatures, origin: str) -> float:
    """Return the time that time to peak is counted from, after the first frame [s].

    Raises
    ------
    BadRecipe
        If the origin is none of `ORIGINS`.
    """
    zero = {"scan": 0.0, "arrival": float(artery.arrival[0]), "peak": float(artery.peak[0])}
    return zero[require_origin(origin)]
