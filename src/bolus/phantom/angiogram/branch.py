"""A vessel as a tube along a course, and the small operations on courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from scipy.interpolate import make_interp_spline

from bolus.core.arrays import Float64s

STEP_MM: Final = 0.9
"""Distance of points along a course [mm]."""
NO_DELAY: Final = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One vessel.

    Parameters
    ----------
    name
        Name in anatomy: what the truth calls it.
    course
        Points of the centre line in head coordinates (x to the injected side, y to the front, z to the
        head) and the radius there [mm], shape `(n, 4)`.
    parent
        Number of the branch that it leaves; -1: none.
    leaves_at
        Point of the parent's course that it leaves from.
    strength
        Contrast there as a part of the injected, one number or one a point, shape `(n,)`.
    delay_s
        Arrival at each point after the injection [s], shape `(n,)`; empty until the blood is let in.
    """

    name: str
    course: Float64s
    parent: int = -1
    leaves_at: int = 0
    strength: float | Float64s = 1.0
    delay_s: Float64s = field(default_factory=lambda: NO_DELAY)

    def moved(self, **changes: object) -> Branch:
        """Return the branch with other values."""
        return replace(self, **changes)  # type: ignore[arg-type]  # the names are checked by replace


def smooth(way: Sequence[Sequence[float]] | Float64s, step_mm: float = STEP_MM) -> Float64s:
    """Return a smooth course through way points of x, y, z and radius [mm], shape `(n, 4)`."""
    points = np.asarray(way, dtype=np.float64)
    gaps = np.maximum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1), 1e-3)
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(gaps))])  # centripetal: no overshoot at short gaps
    n = max(int(gaps.sum() / step_mm), 2) + 1
    course = make_interp_spline(along, points, k=min(3, len(points) - 1))(np.linspace(0.0, along[-1], n))
    course[:, 3] = np.clip(course[:, 3], points[:, 3].min(), points[:, 3].max())
    return np.asarray(course, dtype=np.float64)


def wander(course: Float64s, rng: np.random.Generator, size_mm: float, wave_mm: float = 22.0) -> Float64s:
    """Let a course wind about itself; its ends stay where they are.

    Parameters
    ----------
    size_mm, wave_mm
        How far, and how long the longest wave is [mm].
    """
    along = length_along(course)
    out = np.array(course)
    envelope = np.minimum(1.0, 4.0 * np.minimum(along, along[-1] - along) / max(along[-1], 1e-6))
    for octave in (1.0, 1.7, 2.9):
        push = rng.normal(0.0, size_mm / octave / 1.7, 3)
        phase = rng.uniform(0.0, 2 * np.pi, 3)
        out[:, :3] += envelope[:, None] * push * np.sin(2 * np.pi * octave * along[:, None] / wave_mm + phase)
    return out


def length_along(course: Float64s) -> Float64s:
    """Return the distance from the start at each point [mm], shape `(n,)`."""
    gaps = np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(gaps)])


def transit(course: Float64s, speed: float) -> Float64s:
    """Return the time that blood takes from the start to each point [s], shape `(n,)`.

    Parameters
    ----------
    speed
        Velocity over radius [1/s].
    """
    gaps = np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1)
    radius = 0.5 * (course[1:, 3] + course[:-1, 3])
    return np.concatenate([[0.0], np.cumsum(gaps / (speed * radius))])
