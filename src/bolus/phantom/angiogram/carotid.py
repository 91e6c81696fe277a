"""The internal carotid artery with its siphon, and what leaves it below its end."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.phantom.angiogram.branch import Branch, length_along, smooth, wander

NECK: Final = ((25.0, -11.0, -92.0, 2.6), (25.5, -12.0, -74.0, 2.6), (26.0, -12.5, -58.0, 2.5))
PETROUS: Final = (
    (26.5, -12.5, -44.0, 2.45),
    (26.3, -11.5, -34.5, 2.4),
    (24.0, -7.5, -28.5, 2.35),
    (19.5, -1.5, -26.0, 2.3),
    (15.5, 2.5, -24.0, 2.3),
)
SIPHON: Final = (
    (13.0, 3.0, -18.5, 2.25),
    (12.3, 3.0, -12.5, 2.2),
    (12.0, 8.0, -10.2, 2.15),
    (11.8, 13.5, -9.6, 2.1),
    (11.6, 16.8, -6.2, 2.05),
    (11.8, 14.2, -2.6, 2.0),
)
TOP: Final = ((12.2, 9.0, -1.4, 1.95), (12.4, 5.0, -0.2, 1.9), (12.5, 2.5, 2.4, 1.8))
"""Way points of one side after any atlas: neck, petrous bone, cavernous siphon, and above the dura [mm]."""


def carotid(rng: np.random.Generator, tortuosity: float) -> tuple[Float64s, int]:
    """Return the course of an internal carotid artery and the point where its top begins.

    Siphons differ most in how far forward and how steeply they bend: from an open curve to a closed
    loop. Necks differ in how they wind; one in seven has a loop.
    """
    neck = np.array(NECK)
    neck[:, :2] += rng.normal(0.0, 2.0 * tortuosity, (3, 2))
    if rng.random() < 0.15:
        neck = _looped(neck, rng)
    siphon = _siphon(rng)
    petrous = np.array(PETROUS)
    petrous[:, :3] += rng.normal(0.0, 0.9, 3)
    whole = np.concatenate([neck, petrous, siphon])
    whole[:, :3] += rng.normal(0.0, 0.45 * tortuosity, (len(whole), 3))
    whole[-1, :3] = SIPHON[-1][:3] + 0.3 * (whole[-1, :3] - SIPHON[-1][:3])
    top = np.array(TOP)
    top[:2, :3] += rng.normal(0.0, [0.7, 0.9, 0.9], (2, 3))
    course = smooth(np.concatenate([whole, top]), 0.6)
    course = wander(course, rng, 0.7 * tortuosity, 45.0)
    course[:, 3] *= rng.uniform(0.88, 1.1)
    first = int(np.argmin(np.linalg.norm(course[:, :3] - whole[-1, :3], axis=1)))
    return _narrowed(course, rng), first


def _siphon(rng: np.random.Generator) -> Float64s:
    """Return way points of a siphon, bent more or less."""
    siphon = np.array(SIPHON)
    forward, steep, lift = rng.uniform(0.75, 1.35), rng.normal(0.0, 2.2), rng.normal(0.0, 1.3)
    siphon[2:5, 1] = 3.0 + (siphon[2:5, 1] - 3.0) * forward
    siphon[2:5, 2] += np.array([-0.5, 0.0, 0.5]) * steep
    siphon[1:4, 2] += lift
    siphon[1, 1] -= abs(rng.normal(0.0, 1.5))
    return siphon


def _looped(neck: Float64s, rng: np.random.Generator) -> Float64s:
    """Return way points of a neck artery that turns once on itself."""
    size, turn = rng.uniform(6.0, 12.0), rng.uniform(0.0, 2 * np.pi)
    angles = np.linspace(0.0, 2 * np.pi, 6)[1:-1]
    loop = np.repeat(neck[1:2], 4, axis=0)
    loop[:, 0] += size * np.cos(turn) * np.sin(angles)
    loop[:, 1] += size * np.sin(turn) * np.sin(angles)
    loop[:, 2] += 0.7 * size * (1 - np.cos(angles)) * np.sign(np.pi - angles + 1e-9) * 0.4 + 4.0
    return np.concatenate([neck[:2], loop, neck[2:]])


def _narrowed(course: Float64s, rng: np.random.Generator) -> Float64s:
    """Return a course with plaques: uneven calibre, and a stenosis in one of ten."""
    along = length_along(course)
    wave = 1.0 + 0.04 * np.sin(2 * np.pi * along / rng.uniform(14.0, 30.0) + rng.uniform(0, 6))
    if rng.random() < 0.1:
        place, width = rng.uniform(0.2, 0.9) * along[-1], rng.uniform(2.0, 4.0)
        wave *= 1.0 - rng.uniform(0.25, 0.55) * np.exp(-(((along - place) / width) ** 2))
    return np.column_stack([course[:, :3], course[:, 3] * wave])


def opacity(course: Float64s, rng: np.random.Generator, *, layered: bool) -> Float64s:
    """Return how dense contrast is along the internal carotid artery, shape `(n,)`.

    Layered is the low-high-low pattern: pale in the neck and above the dura, dark between, where unmixed
    contrast and blood take turns. Others vary by a tenth; one in eight is washed out by blood that
    comes from elsewhere.
    """
    part = length_along(course) / length_along(course)[-1]
    uneven = 1.0 + 0.08 * np.sin(2 * np.pi * (rng.uniform(0.8, 2.2) * part + rng.random()))
    if layered:
        rise, fall = rng.uniform(0.25, 0.55), rng.uniform(0.72, 0.9)
        low, high = rng.uniform(0.22, 0.42, 2), 1.0
        middle = 1.0 / (1.0 + np.exp(-(part - rise) / 0.025)) / (1.0 + np.exp((part - fall) / 0.02))
        pale = np.where(part < 0.5 * (rise + fall), low[0], low[1])
        return np.asarray(pale * (1 - middle) + high * middle * uneven)
    washed = rng.uniform(0.4, 0.7) if rng.random() < 0.12 else 1.0
    return np.asarray(uneven * (1.0 - (1.0 - washed) * part), dtype=np.float64)


def side_branches(course: Float64s, rng: np.random.Generator) -> list[Branch]:
    """Return what leaves the internal carotid (number 0) below its end, and an aneurysm in one of 15."""
    ways = {
        "ophthalmic": (15.5, ((1.5, 7.0, -1.0, 0.55), (5.0, 17.0, 1.5, 0.5), (1.0, 30.0, 4.0, 0.35)), 0.95),
        "PCom": (8.0, ((-2.0, -9.0, 1.0, 0.65), (-4.0, -19.0, 1.5, 0.6)), 0.5),
        "anterior choroidal": (5.0, ((2.0, -7.0, 0.5, 0.42), (8.0, -20.0, 3.0, 0.35)), 0.9),
    }
    branches = []
    for name, (front, way, chance) in ways.items():
        if rng.random() > chance:
            continue
        at = _above(course, front)
        start = np.append(course[at, :3], way[0][3])
        points = np.vstack([start, start * [1, 1, 1, 0] + np.array(way)])
        branches.append(Branch(name, wander(smooth(points), rng, 0.8), 0, at))
    if rng.random() < 0.07:
        branches.append(_aneurysm(course, rng))
    return branches


def _above(course: Float64s, front: float) -> int:
    """Return the point above the last bend that lies as far in front as asked [mm]."""
    last = int(0.8 * len(course))
    return last + int(np.argmin(np.abs(course[last:, 1] - front)))


def _aneurysm(course: Float64s, rng: np.random.Generator) -> Branch:
    """Return a sac on the top of the artery: a tube whose radius is that of a ball."""
    at = int(rng.uniform(0.86, 1.0) * (len(course) - 1))
    size = rng.uniform(1.8, 4.5)
    away = rng.normal(0.0, 1.0, 3)
    away /= np.linalg.norm(away)
    along = np.linspace(0.02, 1.98, 25) * size
    radius = np.sqrt(size**2 - (along - size) ** 2)
    return Branch("aneurysm", np.column_stack([course[at, :3] + along[:, None] * away, radius]), 0, at)
