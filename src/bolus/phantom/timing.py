"""When each slice of each frame is sampled."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.arrays import Times
from bolus.core.errors import BadRecipe

TIMINGS: Final = ("even", "uneven", "shuttle")
"""Sampling patterns on offer."""
SWEEP: Final = 0.6
"""Part of the frame interval that the table of a shuttle scan needs from one end to the other."""


def sample_times(pattern: str, n_frames: int, dt: float, n_slices: int) -> Times:
    """Return sample times [s].

    Parameters
    ----------
    pattern
        `even`; `uneven`: the last third of the frames at twice the interval, as in protocols that
        save dose; `shuttle`: the table goes to and fro, so each slice has its own uneven clock.

    Returns
    -------
    Shape `(t,)`, or `(z, t)` for `shuttle`; the first sample is at 0.

    Raises
    ------
    BadRecipe
        If there is no such pattern.
    """
    if pattern not in TIMINGS:
        raise BadRecipe("there is no such timing", wanted=", ".join(TIMINGS), found=repr(pattern))
    frames = np.arange(n_frames, dtype=np.float64)
    if pattern == "even":
        return np.asarray(frames * dt, dtype=np.float64)
    if pattern == "uneven":
        slow = frames - np.floor(n_frames * 2 / 3)
        uneven: Times = (frames + np.maximum(slow, 0.0)) * dt
        return uneven
    way = np.linspace(0.0, SWEEP, n_slices)[:, None]
    forth = np.arange(n_frames)[None, :] % 2 == 0
    shuttle: Times = (frames[None, :] + np.where(forth, way, SWEEP - way)) * dt
    return shuttle


def sweep_times(times: Times) -> Times:
    """Return one clock for curves that belong to no slice: the mean over slices, shape `(t,)`."""
    return times if times.ndim == 1 else np.asarray(times.mean(axis=0), dtype=np.float64)
