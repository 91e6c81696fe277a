"""How the head moves during a run: spells of stillness, and jumps between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s

JUMP_MM, JUMP_DEG = 1.2, 0.6
"""Standard deviations of a jump."""
DRIFT_MM: Final = 0.8
"""Standard deviation of how far the head drifts until the end [mm]."""
STEP_MM, STEP_DEG = 0.2, 0.1
"""Drifts are followed in steps of this: less than a pixel."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Frames in which the picture lies still.

    Parameters
    ----------
    first, last
        First frame, and the one after the last.
    shift_mm, turn_deg
        Where the picture lies: shift along a row and down [mm], turn about the middle of the field from
        the first to the second [degrees].
    """

    first: int
    last: int
    shift_mm: tuple[float, float] = (0.0, 0.0)
    turn_deg: float = 0.0

    def moved(self, points: Float64s) -> Float64s:
        """Return where points of the still picture `(n, 2)` [mm from the middle] lie now."""
        angle = np.deg2rad(self.turn_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(points @ turn.T + np.asarray(self.shift_mm))


def holds(n_frames: int, rng: np.random.Generator, *, moves: bool) -> tuple[Hold, ...]:
    """Return spells of stillness that cover all frames; one if the head does not move."""
    path = np.zeros((n_frames, 3))
    if moves:
        path += _jumps(n_frames, rng) + _drift(n_frames, rng)
    path[:, :2] = np.rint(path[:, :2] / STEP_MM) * STEP_MM
    path[:, 2] = np.rint(path[:, 2] / STEP_DEG) * STEP_DEG
    edges = [0, *(np.flatnonzero(np.abs(np.diff(path, axis=0)).max(axis=1) > 0) + 1), n_frames]
    return tuple(
        Hold(int(a), int(b), (float(path[a, 0]), float(path[a, 1])), float(path[a, 2]))
        for a, b in pairwise(edges)
    )


def _jumps(n_frames: int, rng: np.random.Generator) -> Float64s:
    """Return one or two jumps in the middle of the run, shape `(t, 3)` [mm, mm, degrees]."""
    path = np.zeros((n_frames, 3))
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.uniform(0.2, 0.7) * n_frames)
        path[max(at, 1) :] += rng.normal(0.0, [JUMP_MM, JUMP_MM, JUMP_DEG])
    return path


def _drift(n_frames: int, rng: np.random.Generator) -> Float64s:
    """Return a slow drift with breathing, shape `(t, 3)` [mm, mm, degrees]."""
    part = np.linspace(0.0, 1.0, n_frames)
    drift = part[:, None] * rng.normal(0.0, [DRIFT_MM, DRIFT_MM, 0.2])
    breath = np.sin(2 * np.pi * (rng.uniform(1.0, 3.0) * part + rng.random()))
    drift[:, 1] += 0.25 * (breath - breath[0])
    drift[0] = 0.0
    return drift


def table(spells: tuple[Hold, ...]) -> Float64s:
    """Return shift along a row and down [mm] and turn [degrees] of each frame, shape `(t, 3)`."""
    return np.concatenate(
        [np.tile([*hold.shift_mm, hold.turn_deg], (hold.last - hold.first, 1)) for hold in spells]
    )
