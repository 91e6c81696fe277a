"""What to do about slices that are missing at some times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s, Frames
from bolus.core.errors import BadGeometry
from bolus.core.finding import Finding, Severity

_MOST_FILLED = 0.2  # of all images: beyond it the series is more guess than measurement
_MOST_DROPPED = 0.1  # of all frames, and two of them always


@dataclass(frozen=True, slots=True)
class Repair:
    """Which frames stay, and which slices of these are to be interpolated.

    Parameters
    ----------
    kept
        Frames that stay, shape `(t,)`.
    fills
        Slice and frame (counted among the kept) of every image to interpolate, shape `(n, 2)`.
    """

    kept: NDArray[np.intp]
    fills: NDArray[np.intp]
    findings: tuple[Finding, ...]


def plan_repair(missing: NDArray[np.bool_], where: Path | str) -> Repair:
    """Decide what becomes of missing images.

    A slice that is missing at one time only, between two times that are there, is interpolated in
    time. Otherwise the whole frame is left out.

    Parameters
    ----------
    missing
        Where there is no image, shape `(z, t)`.

    Raises
    ------
    BadGeometry
        If more than 20 % of the images would be interpolated or more than 10 % of the frames left out.
    """
    kept = np.arange(missing.shape[1])
    dropped = 0
    while (hopeless := _hopeless(missing[:, kept])).any():
        dropped += int(hopeless.sum())
        kept = kept[~hopeless]
    fills = np.argwhere(missing[:, kept])
    too_many = dropped > max(2, _MOST_DROPPED * missing.shape[1]) or kept.size < 2
    if too_many or len(fills) > _MOST_FILLED * missing[:, kept].size:
        raise BadGeometry(
            "too many slices are missing at some times",
            wanted=f"at most {_MOST_DROPPED:.0%} of the frames incomplete",
            found=f"{missing.sum()} of {missing.size} images missing, in {missing.any(axis=0).sum()} frames",
            where=where,
            remedy="Send the series again from the scanner or the archive.",
        )
    return Repair(kept, fills, _findings(len(fills), dropped))


def _hopeless(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which frames hold a gap that has no image before or after it, shape `(t,)`."""
    walled = np.pad(missing, ((0, 0), (1, 1)), constant_values=True)
    alone: NDArray[np.bool_] = missing & (walled[:, :-2] | walled[:, 2:])
    return np.asarray(alone.any(axis=0))


def _findings(filled: int, dropped: int) -> tuple[Finding, ...]:
    found = []
    if filled:
        text = f"{filled} missing slices were interpolated in time between the frames before and after."
        found.append(Finding("MISSING_SLICES", Severity.WARN, text, filled))
    if dropped:
        text = f"{dropped} incomplete frames were left out; the times of the others are unchanged."
        found.append(Finding("FRAMES_DROPPED", Severity.WARN, text, dropped))
    return tuple(found)


def fill(
    frames: Frames, fills: NDArray[np.intp], times: Float64s, slope: Float64s, intercept: Float64s
) -> None:
    """Interpolate missing images in time, in place.

    Parameters
    ----------
    frames
        Stored values, shape `(x, y, z, t)`.
    fills
        Slice and frame of the images to write, shape `(n, 2)`.
    times, slope, intercept
        Times [s] and scale of every image, shape `(z, t)`; the scale of a missing image must be set.
    """
    for k, t in fills:
        weight = (times[k, t] - times[k, t - 1]) / (times[k, t + 1] - times[k, t - 1])
        values = np.zeros(frames.shape[:2])
        for side, share in ((t - 1, 1 - weight), (t + 1, weight)):
            values += share * (frames[:, :, k, side] * slope[k, side] + intercept[k, side])
        stored = np.rint((values - intercept[k, t]) / slope[k, t])
        limits = np.iinfo(frames.dtype)
        frames[:, :, k, t] = np.clip(stored, limits.min, limits.max)
