"""Named arteries of the brain: middle, anterior and posterior cerebral, and their cortical branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.phantom.angiogram.branch import Branch, length_along, smooth, wander

CENTRE: Final = np.array([0.0, -16.0, 30.0])
"""Centre of the brain [mm]; the carotid ends in front of it and below."""
AXES: Final = np.array([66.0, 84.0, 61.0])
"""Half axes of the brain [mm]."""

Point = tuple[float, float, float]
Points = Sequence[Sequence[float] | Float64s] | Float64s
"""Way points, one row each."""

FORK: Final[Point] = (33.0, 2.0, 5.5)
SUPERIOR: Final = {
    "orbitofrontal": ((38.0, 14.0, 9.0), (50.0, 25.0, 6.0), (44.0, 50.0, 8.0)),
    "prefrontal": ((38.0, 17.0, 18.0), (54.0, 22.0, 10.0), (50.0, 44.0, 36.0)),
    "precentral": ((38.0, 10.0, 22.0), (57.0, 13.0, 14.0), (52.0, 18.0, 62.0)),
    "central": ((37.5, 3.0, 24.0), (59.0, 4.0, 17.0), (50.0, -4.0, 72.0)),
    "anterior parietal": ((37.0, -6.0, 25.0), (60.0, -6.0, 21.0), (46.0, -26.0, 76.0)),
}
INFERIOR: Final = {
    "posterior parietal": ((36.0, -14.0, 25.0), (60.0, -17.0, 27.0), (42.0, -52.0, 70.0)),
    "angular": ((36.0, -18.0, 23.0), (58.0, -26.0, 28.0), (44.0, -74.0, 50.0)),
    "temporo-occipital": ((37.0, -14.0, 15.0), (60.0, -24.0, 16.0), (44.0, -80.0, 20.0)),
    "posterior temporal": ((38.0, -6.0, 8.0), (60.0, -12.0, 6.0), (52.0, -58.0, -4.0)),
    "middle temporal": ((38.0, 1.0, 2.0), (58.0, 2.0, -2.0), (56.0, -26.0, -18.0)),
}
"""Cortical branches of the middle cerebral artery: where each leaves the insula, where it comes out of the
Sylvian fissure, and where it ends [mm]."""

CALLOSAL: Final = (
    (2.2, 14.0, 4.0, 1.05), (2.0, 22.0, 2.0, 1.05), (2.0, 30.5, 9.0, 1.0), (2.2, 33.0, 20.0, 0.95),
    (2.0, 27.0, 32.0, 0.85), (2.0, 13.0, 38.0, 0.75), (2.0, -7.0, 39.5, 0.65), (2.0, -27.0, 37.0, 0.55),
    (2.0, -44.0, 31.0, 0.4),
)  # fmt: skip
MARGINAL: Final = (
    (2.2, 33.0, 17.0, 0.8), (2.6, 40.0, 28.0, 0.75), (2.8, 33.0, 44.0, 0.7), (3.0, 14.0, 55.0, 0.6),
    (3.4, -8.0, 58.0, 0.5), (4.0, -26.0, 70.0, 0.4),
)  # fmt: skip
MEDIAL: Final = {
    "medial orbitofrontal": ("callosal", 0.12, (4.0, 54.0, 0.0)),
    "frontopolar": ("callosal", 0.2, (5.0, 64.0, 22.0)),
    "anterior frontal": ("marginal", 0.2, (6.0, 58.0, 54.0)),
    "middle frontal": ("marginal", 0.4, (7.0, 36.0, 76.0)),
    "posterior frontal": ("marginal", 0.65, (8.0, 10.0, 88.0)),
    "paracentral": ("callosal", 0.62, (8.0, -20.0, 90.0)),
    "superior precuneal": ("callosal", 0.78, (7.0, -50.0, 80.0)),
    "inferior precuneal": ("callosal", 0.9, (6.0, -72.0, 60.0)),
}
"""Branches of the anterior cerebral artery: what each leaves, at which part of it, and its end [mm]."""

POSTERIOR: Final = (
    (8.0, -15.0, 1.0, 1.1),
    (15.0, -24.0, 3.0, 1.05),
    (17.0, -34.0, 6.0, 1.0),
    (12.0, -50.0, 11.0, 0.9),
)
OCCIPITAL: Final = {
    "calcarine": ((9.0, -72.0, 14.0), (8.0, -96.0, 20.0)),
    "parieto-occipital": ((7.0, -68.0, 28.0), (7.0, -84.0, 48.0)),
    "posterior inferior temporal": ((30.0, -54.0, -2.0), (44.0, -74.0, -4.0)),
}


def on_cortex(points: Float64s, depth: Float64s | float = 0.0) -> Float64s:
    """Move points `(n, 3)` onto the surface of the brain, `depth` [mm] below it."""
    rays = (points - CENTRE) / AXES
    reach = np.linalg.norm(rays, axis=-1, keepdims=True)
    inner = 1.0 - np.asarray(depth).reshape(-1, 1) / AXES.mean()
    return np.asarray(CENTRE + AXES * rays / np.maximum(reach, 1e-9) * inner)


class Tree:
    """Branches as they are put on each other.

    The first is the carotid or what stands for it; `top` is the point where the carotid's top begins.
    """

    def __init__(self, rng: np.random.Generator, tortuosity: float) -> None:
        self.rng, self.tortuosity = rng, tortuosity
        self.branches: list[Branch] = []
        self.top = 0

    def add(self, branch: Branch) -> int:
        """Add a branch and return its number."""
        self.branches.append(branch)
        return len(self.branches) - 1

    def grow(self, name: str, way: Points, parent: int, at: int, winding: float = 1.0) -> int:
        """Add a smooth branch from a point of its parent through way points, and return its number."""
        start = self.branches[parent].course[at, :3] if parent >= 0 else np.asarray(way[0])[:3]
        points = np.asarray(way, dtype=np.float64)
        points = np.vstack([np.append(start, points[0, 3]), points])
        course = wander(smooth(points), self.rng, winding * self.tortuosity)
        return self.add(Branch(name, course, parent, at))

    def shaken(self, point: Sequence[float] | Float64s, size_mm: float) -> Float64s:
        """Return a point somewhere near a point [mm]."""
        return np.asarray(point, dtype=np.float64) + self.rng.normal(0.0, size_mm, 3)


def with_radii(points: Points, first: float, last: float) -> Float64s:
    """Add radii that fall evenly from the first to the last of points `(n, 3)` [mm]: shape `(n, 4)`."""
    array = np.asarray(points, dtype=np.float64)
    return np.column_stack([array, np.linspace(first, last, len(array))])


def middle_cerebral(tree: Tree, carotid: int) -> None:
    """Add the middle cerebral artery of the carotid's side: M1, two trunks, ten branches, perforators."""
    rng = tree.rng
    end = len(tree.branches[carotid].course) - 1
    start = tree.branches[carotid].course[end, :3]
    fork = tree.shaken(FORK, 1.8)
    bow = np.array([0.0, rng.normal(0.0, 1.5), rng.normal(1.0, 2.2)])
    middle = 0.5 * (start + fork) + bow
    m1 = tree.grow("M1", with_radii([middle, fork], 1.45, 1.3), carotid, end, 0.5)
    _perforators(tree, m1)
    temporal = with_radii([[33, 10, -5], [44, 20, -10], [54, 12, -22], [57, -2, -28]], 0.8, 0.5)
    tree.grow("M2 anterior temporal", temporal, m1, int(len(tree.branches[m1].course) * 0.7), 1.4)
    last = len(tree.branches[m1].course) - 1
    for name, ways, trunk in (
        ("superior", SUPERIOR, (37.0, 6.0, 15.0)),
        ("inferior", INFERIOR, (37.0, -5.0, 12.0)),
    ):
        stem = [tree.shaken(0.5 * (fork + np.array(trunk)), 1.0), tree.shaken(trunk, 1.5)]
        number = tree.grow(f"M2 {name}", with_radii(stem, 1.15, 1.0), m1, last, 0.8)
        _cortical(tree, number, ways)


def _cortical(tree: Tree, trunk: int, ways: dict[str, tuple[Point, Point, Point]]) -> None:
    """Add the branches of one trunk: up the insula, over its rim, out and along the cortex."""
    length = len(tree.branches[trunk].course) - 1
    for place, (name, (rim, fissure, end)) in enumerate(ways.items()):
        if tree.rng.random() < 0.08:
            continue  # another branch takes its territory
        size = tree.rng.uniform(0.65, 0.9)
        at = length if place else int(0.7 * length)
        insular = with_radii([tree.shaken(rim, 2.2)], size, size)
        m2 = tree.grow(f"M2 {name}", insular, trunk, at, 1.3)
        out, target = tree.shaken(fissure, 2.5), on_cortex(tree.shaken(end, 6.0)[None])[0]
        dip = 0.5 * (tree.branches[m2].course[-1, :3] + out) - np.array(
            [0.0, 0.0, tree.rng.uniform(1.0, 6.0)]
        )
        m3 = tree.grow(f"M3 {name}", with_radii([dip, out], size, 0.9 * size), m2, -1, 1.2)
        tree.grow(f"M4 {name}", _along_cortex(tree, out, target, 0.85 * size), m3, -1, 1.3)


def _along_cortex(tree: Tree, start: Float64s, end: Float64s, size: float) -> Float64s:
    """Return way points along the cortex, in and out of furrows, with radii that fall to 0.35 mm."""
    parts = np.linspace(0.0, 1.0, max(int(np.linalg.norm(end - start) / 9.0), 3) + 1)[1:, None]
    points = on_cortex(start + parts * (end - start), tree.rng.uniform(0.0, 7.0, len(parts)))
    points[:, :3] += tree.rng.normal(0.0, 1.8 * tree.tortuosity, points.shape)
    return with_radii(points, size, 0.38)


def _perforators(tree: Tree, m1: int) -> None:
    """Add the lenticulostriate arteries."""
    course = tree.branches[m1].course
    for part in np.sort(tree.rng.uniform(0.15, 0.75, int(tree.rng.integers(3, 7)))):
        at = int(part * (len(course) - 1))
        x, y, z = course[at, :3]
        lean = tree.rng.normal(0.0, 1.2)
        way = [[x + 2 + lean, y - 3, z + 7], [x + 5 + lean, y - 5, z + 16], [x + 3 + lean, y - 6, z + 26]]
        tree.grow("lenticulostriate", with_radii(way, 0.26, 0.18), m1, at, 0.6)


def anterior_cerebral(tree: Tree, carotid: int) -> None:
    """Add the anterior cerebral artery of the carotid's side; its first part is too small in one of seven."""
    rng = tree.rng
    end = len(tree.branches[carotid].course) - 1
    start = tree.branches[carotid].course[end, :3]
    dip = 0.5 * (start + np.array(CALLOSAL[0][:3])) + np.array([0.0, 2.0, rng.normal(-1.0, 2.0)])
    size = 0.45 if rng.random() < 0.15 else rng.uniform(0.9, 1.15)
    a1 = tree.grow("A1", [[*dip, size], [*CALLOSAL[0][:3], size]], carotid, end, 0.5)
    shift = rng.normal(0.0, [0.4, 2.0, 2.0])
    spread = rng.uniform(0.9, 1.12)
    trunks: dict[str, int] = {}
    for name, way in (("callosal", CALLOSAL[1:]), ("marginal", MARGINAL[1:])):
        points = np.array(way)
        points[:, 1:3] = np.array([8.0, 20.0]) + spread * (points[:, 1:3] - np.array([8.0, 20.0]))
        points[:, :3] += shift
        parent = a1 if name == "callosal" else trunks["callosal"]
        at = -1 if name == "callosal" else int(0.27 * len(tree.branches[parent].course))
        title = "A2" if name == "callosal" else "A3 callosomarginal"
        trunks[name] = tree.grow(title, points, parent, at, 1.0)
    for name, (stem, part, end_point) in MEDIAL.items():
        _medial(tree, name, trunks[stem], part, end_point)


def cross_filled(tree: Tree, first: int) -> None:
    """Let contrast cross to the anterior cerebral artery of the other side.

    Parameters
    ----------
    first
        Number of the A1 that all branches from there on belong to.
    """
    a1 = tree.branches[first].course
    across = np.array([-1.0, 1.0, 1.0, 1.0])
    ends = np.vstack([a1[-1] * [0.1, 1, 1, 0.7], a1[-1] * across * [1, 1, 1, 0.7]])
    new = {first: tree.grow("ACom", ends, first, -1, 0.3)}
    for number in range(first + 1, len(tree.branches) - 1):
        branch = tree.branches[number]
        course = branch.course * across
        course[:, 1:3] += np.array([1.0, 1.5]) * length_along(course)[:, None] / 60.0
        name = f"{branch.name}, other side"
        new[number] = tree.add(Branch(name, course, new[branch.parent], branch.leaves_at))


def _medial(tree: Tree, name: str, stem: int, part: float, end: Point) -> None:
    """Add a branch on the inner face of the hemisphere, over its rim and a little down outside."""
    if tree.rng.random() < 0.12:
        return
    course = tree.branches[stem].course
    at = int(part * (len(course) - 1))
    start, size = course[at, :3], min(0.85 * float(course[at, 3]), 0.6)
    rim = on_cortex(tree.shaken(end, 4.0)[None])[0]
    rim[0] = abs(rim[0])
    parts = np.linspace(0.0, 1.0, 5)[1:, None]
    inner = start + parts * (rim - start)
    inner[:-1] += tree.rng.normal(0.0, [0.8, 2.6, 2.6], (3, 3))
    inner[:, 0] = np.maximum(inner[:, 0], 1.5)
    over = on_cortex((rim + np.array([tree.rng.uniform(7.0, 17.0), 0.0, 0.0]))[None])
    tree.grow(f"A4 {name}", with_radii(np.vstack([inner, over]), size, 0.36), stem, at, 1.2)


def posterior_cerebral(tree: Tree, parent: int, at: int = -1, *, mirrored: bool = False) -> None:
    """Add a posterior cerebral artery to a posterior communicating or a basilar artery."""
    across = np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
    way = np.array(POSTERIOR)
    way[:, :3] = (way[:, :3] + tree.rng.normal(0.0, 1.2, (len(way), 3))) * across
    stem = tree.grow("PCA", way, parent, at, 1.0)
    for name, points in OCCIPITAL.items():
        ends = np.array([tree.shaken(point, 3.0) for point in points]) * across
        tree.grow(f"PCA {name}", with_radii(ends, 0.65, 0.36), stem, -1, 1.3)
