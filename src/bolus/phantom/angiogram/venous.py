"""Veins of the brain: bridging and cortical veins, the deep ones, and the sinuses they end in."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.phantom.angiogram.branch import Branch, smooth, wander
from bolus.phantom.angiogram.cerebral import AXES, CENTRE, on_cortex, with_radii

Way = tuple[tuple[float, float, float, float], ...]

TORCULA: Final = (0.0, -97.0, 8.0)
SINUSES: Final[dict[str, tuple[float, Way]]] = {
    "straight sinus": (1.3, ((1.0, -38.0, 20.0, 1.5), (0.0, -66.0, 17.0, 1.7), (*TORCULA, 2.0))),
    "transverse sinus": (2.2, (
        (*TORCULA, 3.0), (22.0, -95.0, 5.0, 3.0), (46.0, -80.0, -1.0, 3.0), (60.0, -54.0, -8.0, 3.0),
        (55.0, -44.0, -20.0, 3.0), (44.0, -38.0, -36.0, 2.9), (33.0, -26.0, -46.0, 3.0),
            (30.0, -20.0, -70.0, 3.4),
        (29.0, -18.0, -95.0, 3.6),
    )),
}  # fmt: skip
DEEP: Final[dict[str, tuple[float, Way]]] = {
    "internal cerebral vein": (0.8, ((3.0, 13.0, 21.0, 0.7), (2.0, -10.0, 27.0, 0.9),
        (1.0, -38.0, 20.0, 1.1))),
    "thalamostriate vein": (0.3, ((22.0, -8.0, 32.0, 0.5), (16.0, 8.0, 30.0, 0.6), (3.0, 13.0, 21.0, 0.7))),
    "basal vein": (0.6, ((16.0, 5.0, -3.0, 0.6), (21.0, -16.0, 3.0, 0.7), (3.0, -36.0, 18.0, 0.9))),
}  # fmt: skip
LARGE: Final[dict[str, tuple[float, float, Way]]] = {
    "vein of Labbe": (0.85, 0.7, ((56.0, -6.0, 14.0, 0.9), (62.0, -28.0, 8.0, 1.1),
        (60.0, -52.0, -5.0, 1.3))),
    "superficial middle cerebral vein": (0.8, 0.3, (
        (60.0, -12.0, 20.0, 0.7), (58.0, 10.0, 10.0, 0.9), (46.0, 24.0, -2.0, 1.0), (26.0, 18.0, -10.0, 1.1),
    )),
    "vein of Trolard": (0.7, 0.5, (
        (59.0, 0.0, 24.0, 0.9), (54.0, -14.0, 56.0, 1.1), (34.0, -30.0, 80.0, 1.3), (2.0, -42.0, 88.0, 1.5),
    )),
}  # fmt: skip
"""Each with its arrival after the first cortical veins, or its chance and arrival; then its course [mm]."""
OTHER_SIDE: Final = 0.52
"""How dense blood is in the sinuses, where half of it comes from the side without contrast."""
SPEED: Final = 110.0
"""Velocity over radius in veins [1/s]: a sinus of 3 mm flows at 330 mm/s."""


def veins(rng: np.random.Generator, tortuosity: float, *, behind: bool = False) -> list[Branch]:
    """Return veins of the injected side and the sinuses, with arrivals after the first cortical vein [s].

    Parameters
    ----------
    tortuosity
        How far they leave their course.
    behind
        Whether only the back of the brain is drained, as after a vertebral injection.
    """
    drawn = [] if behind else [_superior_sagittal(rng)]
    for name, (after, way) in (*SINUSES.items(), *DEEP.items()):
        strength = OTHER_SIDE if "sinus" in name else 0.8
        drawn.append(_vein(name, way, after, strength * rng.uniform(0.8, 1.2), rng))
    if rng.random() < 0.6:
        after, way = SINUSES["transverse sinus"]
        across = np.array(way) * np.array([-1.0, 1.0, 1.0, rng.uniform(0.5, 1.0)])
        drawn.append(_vein("transverse sinus", across, after, OTHER_SIDE * rng.uniform(0.5, 1.0), rng))
    if behind:
        return drawn
    for name, (chance, after, points) in LARGE.items():
        if rng.random() < chance:
            drawn.append(_vein(name, points, after, rng.uniform(0.7, 1.0), rng, tortuosity))
    return drawn + [_bridging(rng, tortuosity) for _ in range(int(rng.integers(8, 15)))]


def _vein(
    name: str,
    way: Way | Float64s,
    after_s: float,
    strength: float,
    rng: np.random.Generator,
    winding: float = 0.8,
) -> Branch:
    points = np.array(way)
    points[1:-1, :3] += rng.normal(0.0, 1.6, (len(points) - 2, 3))
    course = wander(smooth(points), rng, winding)
    return Branch(name, course, strength=strength, delay_s=after_s + _passage(course))


def _passage(course: Float64s) -> Float64s:
    """Return the time from the first to each point of a vein [s], shape `(n,)`."""
    gaps = np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(gaps / (SPEED * np.maximum(course[1:, 3], 0.5)))])


def _superior_sagittal(rng: np.random.Generator) -> Branch:
    """Return the sinus that follows the midline from the forehead over the top to the back."""
    angles = np.deg2rad(np.linspace(rng.uniform(5.0, 40.0), 196.0, 30))
    points = np.stack([np.zeros(30), np.cos(angles), np.sin(angles)], axis=1) * (AXES + 1.5) + CENTRE
    points[-3:] += np.linspace(0.0, 1.0, 3)[:, None] * (np.array(TORCULA) - points[-1])
    course = smooth(with_radii(points, 1.0, 3.0))
    return Branch(
        "superior sagittal sinus", course, strength=OTHER_SIDE, delay_s=0.8 + 0.6 * _passage(course)
    )


def _bridging(rng: np.random.Generator, tortuosity: float) -> Branch:
    """Return a cortical vein that climbs to the superior sagittal sinus and runs forward into it."""
    front = rng.uniform(-70.0, 50.0)
    low = on_cortex(np.array([[60.0, front * 0.8, rng.uniform(22.0, 60.0)]]), 1.0)[0]
    high = on_cortex(np.array([[3.0, front + rng.uniform(0.0, 16.0), 90.0]]), -1.0)[0]
    parts = np.linspace(0.0, 1.0, 6)[:, None]
    points = on_cortex(low + parts * (high - low), 0.5)
    points[1:-1] += rng.normal(0.0, 2.2 * tortuosity, (4, 3))
    course = wander(smooth(with_radii(points, 0.6, rng.uniform(1.0, 1.7))), rng, 0.7 * tortuosity)
    late = rng.uniform(0.0, 1.0)
    return Branch("cortical vein", course, strength=rng.uniform(0.8, 1.1), delay_s=late + _passage(course))
