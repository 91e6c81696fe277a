"""Small arteries that grow from named ones, by Murray's law, along the surface of the brain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.phantom.angiogram.branch import Branch
from bolus.phantom.angiogram.cerebral import AXES, CENTRE, Tree, on_cortex

THINNEST_MM: Final = 0.18
"""Radius at which arteries end for the eye of an X-ray system [mm]."""
GENERATIONS: Final = 3
SHAPE: Final = np.linspace(0.0, 1.0, 7)
"""Where along a small artery its points lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Buds:
    """Where small arteries start.

    Parameters
    ----------
    place, heading
        Head coordinates [mm] and directions, shape `(n, 3)`.
    radius, parent, at
        Radius [mm], branch, and the point of its course, shape `(n,)`.
    """

    place: Float64s
    heading: Float64s
    radius: Float64s
    parent: Float64s
    at: Float64s


def sprout(tree: Tree) -> None:
    """Grow small arteries from all cortical branches, generation by generation.

    A branch of radius r0 splits into r1 and r2 with ``r0^3 = r1^3 + r2^3``, at the angles that cost least.

    References
    ----------
    Murray, PNAS 12:207-214 (1926), doi:10.1073/pnas.12.3.207
    """
    buds = _first_buds(tree)
    for _ in range(GENERATIONS):
        if not len(buds.radius):
            return
        buds = _next_buds(tree, buds, _grown(tree, buds))


def _first_buds(tree: Tree) -> Buds:
    """Return buds every 6 to 13 mm along cortical branches, by turns to one side and the other."""
    rows = []
    for number, branch in enumerate(tree.branches):
        if branch.name[:2] not in {"M4", "A4"} and not branch.name.startswith(
            ("PCA ", "M2 anterior temporal")
        ):
            continue
        at, side = int(tree.rng.integers(6, 14)), 1.0
        while at < len(branch.course) - 1:
            rows.append((number, at, side))
            at += int(tree.rng.integers(7, 14))
            side = -side
        rows.append((number, len(branch.course) - 1, side))
    return _buds_at(tree, rows)


def _buds_at(tree: Tree, rows: list[tuple[int, int, float]]) -> Buds:
    """Return buds at points of branches, given as number, point and side."""
    if not rows:
        empty = np.empty((0, 3))
        return Buds(empty, empty, np.empty(0), np.empty(0), np.empty(0))
    points = np.array([tree.branches[n].course[at] for n, at, _ in rows])
    before = np.array([tree.branches[n].course[max(at - 2, 0), :3] for n, at, _ in rows])
    heading = _unit(points[:, :3] - before)
    number, at, side = np.array(rows).T
    angle = np.deg2rad(tree.rng.uniform(35.0, 75.0, len(rows))) * side
    radius = points[:, 3] * tree.rng.uniform(0.6, 0.8, len(rows))
    return Buds(points[:, :3], _turned(heading, points[:, :3], angle), radius, number, at)


def _grown(tree: Tree, buds: Buds) -> list[int]:
    """Add one small artery a bud and return their numbers."""
    n = len(buds.radius)
    length = 14.0 * buds.radius * tree.rng.uniform(0.75, 1.25, n) + tree.rng.uniform(3.0, 9.0, n)
    bend = tree.rng.normal(0.0, 0.35, (n, 3))
    ahead = SHAPE[None, :, None] * length[:, None, None]
    points = buds.place[:, None] + ahead * (buds.heading[:, None] + SHAPE[None, :, None] * bend[:, None])
    points = _kept_inside(points, buds.place, tree.rng)
    radius = buds.radius[:, None] * (1.0 - 0.2 * SHAPE)
    courses = np.concatenate([points, radius[..., None]], axis=2)
    return [
        tree.add(Branch("small arteries", course, int(parent), int(at)))
        for course, parent, at in zip(courses, buds.parent, buds.at, strict=True)
    ]


def _kept_inside(points: Float64s, start: Float64s, rng: np.random.Generator) -> Float64s:
    """Pull points `(n, points, 3)` towards the surface of the brain, keeping where they start.

    Arteries near the midline stay there: the inner face of the hemisphere is flat.
    """
    flat = points.reshape(-1, 3)
    depth = rng.uniform(0.5, 7.0, len(points)).repeat(points.shape[1])
    surface = on_cortex(flat, depth).reshape(points.shape)
    medial = (np.abs(start[:, 0]) < 9.0) & (np.linalg.norm((start - CENTRE) / AXES, axis=1) < 0.93)
    pull = np.where(medial, 0.0, 1.0)[:, None, None] * SHAPE[None, :, None] ** 0.7
    return np.asarray(points + pull * (surface - points))


def _next_buds(tree: Tree, buds: Buds, numbers: list[int]) -> Buds:
    """Return the two buds at the end of each small artery, without those too thin."""
    share = tree.rng.uniform(0.35, 0.65, len(numbers))
    r0 = 0.8 * buds.radius
    parts = [r0 * share ** (1 / 3), r0 * (1 - share) ** (1 / 3)]
    ends = np.array([tree.branches[n].course[-1, :3] for n in numbers])
    heading = _unit(ends - np.array([tree.branches[n].course[-3, :3] for n in numbers]))
    made = []
    for sign, radius, other in ((1.0, parts[0], parts[1]), (-1.0, parts[1], parts[0])):
        turned = _turned(heading, ends, sign * _angle(r0, radius, other))
        made.append((ends, turned, radius, np.array(numbers, dtype=float), np.full(len(numbers), -1.0)))
    place, turned, radius, parent, at = (np.concatenate(column) for column in zip(*made, strict=True))
    keep = radius >= THINNEST_MM
    return Buds(place[keep], turned[keep], radius[keep], parent[keep], at[keep])


def _angle(r0: Float64s, r1: Float64s, r2: Float64s) -> Float64s:
    """Return the angle [rad] at which a daughter of radius r1 leaves a mother of radius r0."""
    cosine = (r0**4 + r1**4 - r2**4) / (2 * r0**2 * r1**2)
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _turned(heading: Float64s, place: Float64s, angle: Float64s) -> Float64s:
    """Turn directions `(n, 3)` about the outward normal of the brain there, by angles [rad] `(n,)`."""
    normal = _unit((place - CENTRE) / AXES**2)
    flat = _unit(heading - 0.8 * normal * np.sum(heading * normal, axis=1, keepdims=True))
    across = np.cross(normal, flat)
    return np.asarray(np.cos(angle)[:, None] * flat + np.sin(angle)[:, None] * across)


def _unit(vectors: Float64s) -> Float64s:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
