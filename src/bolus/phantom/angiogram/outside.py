"""Arteries that are not the internal carotid's: the external carotid's and the vertebral's."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.phantom.angiogram.branch import Branch, smooth, wander
from bolus.phantom.angiogram.cerebral import Tree, posterior_cerebral, with_radii

Way = tuple[tuple[float, float, float, float], ...]

TRUNK: Final[Way] = (
    (29.0, 0.0, -95.0, 2.1), (32.0, 1.0, -78.0, 2.0), (37.0, 2.0, -62.0, 1.9), (42.0, 3.0, -47.0, 1.7),
)  # fmt: skip
EXTERNAL: Final[dict[str, tuple[float, float, Way]]] = {
    "facial": (0.35, 1.6, (
        (36.0, 14.0, -74.0, 1.1), (40.0, 34.0, -66.0, 1.0), (40.0, 52.0, -48.0, 0.9),
            (30.0, 66.0, -30.0, 0.7),
    )),
    "lingual": (0.25, 1.4, ((32.0, 12.0, -80.0, 0.9), (22.0, 34.0, -78.0, 0.8), (14.0, 48.0, -66.0, 0.6))),
    "occipital": (0.45, 2.4, (
        (36.0, -14.0, -62.0, 1.0), (42.0, -42.0, -52.0, 1.0), (50.0, -72.0, -34.0, 0.9),
        (46.0, -98.0, -4.0, 0.8), (34.0, -112.0, 22.0, 0.6), (22.0, -114.0, 46.0, 0.45),
    )),
    "posterior auricular": (0.7, 2.0, ((50.0, -14.0, -42.0, 0.6), (66.0, -34.0, -14.0, 0.5),
        (72.0, -46.0, 10.0, 0.4))),
    "maxillary": (1.0, 1.6, (
        (43.0, 12.0, -41.0, 1.35), (40.0, 26.0, -39.0, 1.2), (34.0, 39.0, -38.0, 1.1),
            (28.0, 44.0, -32.0, 0.9),
        (24.0, 56.0, -30.0, 0.6),
    )),
    "superficial temporal": (1.0, 1.5, ((54.0, 0.0, -30.0, 1.1), (66.0, -3.0, -10.0, 1.0),
        (73.0, -2.0, 14.0, 0.95))),
}  # fmt: skip
"""Branches of the external carotid: part of the trunk that each leaves at, how it winds, its course [mm]."""
SECOND: Final[dict[str, tuple[str, float, float, Way]]] = {
    "frontal": ("superficial temporal", 1.0, 3.0, (
        (73.0, 14.0, 30.0, 0.8), (67.0, 38.0, 52.0, 0.65), (52.0, 56.0, 70.0, 0.5), (36.0, 60.0, 84.0, 0.35),
    )),
    "parietal": ("superficial temporal", 1.0, 2.6, (
        (75.0, -14.0, 40.0, 0.75), (68.0, -26.0, 68.0, 0.6), (46.0, -36.0, 92.0, 0.4),
    )),
    "middle meningeal": ("maxillary", 0.25, 0.9, (
        (42.0, 10.0, -30.0, 0.65), (46.0, 12.0, -22.0, 0.62), (60.0, 16.0, -8.0, 0.6),
            (65.0, 22.0, 16.0, 0.5),
        (60.0, 16.0, 48.0, 0.42), (44.0, 2.0, 76.0, 0.35),
    )),
    "meningeal, posterior branch": ("middle meningeal", 0.42, 0.9, (
        (67.0, -6.0, 4.0, 0.45), (66.0, -36.0, 22.0, 0.4), (54.0, -66.0, 46.0, 0.35),
    )),
    "deep temporal": ("maxillary", 0.45, 1.2, ((46.0, 26.0, -22.0, 0.6), (54.0, 26.0, -2.0, 0.45))),
    "descending palatine": ("maxillary", 0.8, 1.2, ((26.0, 42.0, -48.0, 0.6), (20.0, 48.0, -56.0, 0.45))),
    "sphenopalatine": ("maxillary", 0.85, 1.6, ((14.0, 46.0, -26.0, 0.6), (7.0, 54.0, -22.0, 0.45))),
}  # fmt: skip

VERTEBRAL: Final[Way] = (
    (15.0, -26.0, -95.0, 1.8), (15.0, -28.0, -78.0, 1.8), (22.0, -31.0, -66.0, 1.75),
        (23.0, -42.0, -59.0, 1.7),
    (12.0, -46.0, -55.0, 1.7), (6.0, -34.0, -46.0, 1.7), (1.0, -25.0, -35.0, 1.7),
)  # fmt: skip
BASILAR: Final[Way] = ((0.5, -20.0, -24.0, 1.75), (0.0, -16.5, -12.0, 1.7), (0.0, -15.0, -1.0, 1.6))
CEREBELLAR: Final[dict[str, tuple[float, Way]]] = {
    "SCA": (0.93, ((10.0, -20.0, -3.0, 0.7), (20.0, -34.0, -2.0, 0.65), (22.0, -58.0, -8.0, 0.5),
        (16.0, -76.0, -16.0, 0.35))),
    "AICA": (0.3, ((10.0, -22.0, -24.0, 0.55), (24.0, -28.0, -26.0, 0.5), (36.0, -46.0, -30.0, 0.35))),
}  # fmt: skip
PICA: Final[Way] = (
    (12.0, -40.0, -48.0, 0.8), (9.0, -50.0, -58.0, 0.75), (7.0, -60.0, -46.0, 0.7), (14.0, -78.0, -44.0, 0.5),
    (22.0, -88.0, -34.0, 0.35),
)  # fmt: skip


def external_carotid(tree: Tree, rng: np.random.Generator) -> None:
    """Add the external carotid artery with its branches to the scalp, the face and the meninges."""
    tree.rng = rng
    trunk = tree.add(Branch("ECA", wander(smooth(TRUNK), tree.rng, tree.tortuosity)))
    placed = {}
    for name, (part, winding, way) in EXTERNAL.items():
        if tree.rng.random() > 0.12:
            placed[name] = _leave(tree, name, (trunk, part), way, winding)
    for name, (stem, part, winding, way) in SECOND.items():
        if stem in placed and tree.rng.random() > 0.12:
            placed[name] = _leave(tree, name, (placed[stem], part), way, winding)
    for number in tuple(placed.values()):
        _twigs(tree, number)


def _twigs(tree: Tree, stem: int) -> None:
    """Add small branches to muscles, glands and skin."""
    course = tree.branches[stem].course
    for at in tree.rng.integers(2, len(course), int(tree.rng.integers(2, 7))):
        size = float(np.clip(0.45 * course[at, 3], 0.2, 0.4))
        away = tree.rng.normal(0.0, [6.0, 13.0, 13.0], 3)
        ends = course[at, :3] + np.linspace(0.3, 1.0, 4)[:, None] * away
        tree.grow("ECA twigs", with_radii(ends, size, 0.18), stem, int(at), 1.6)


def _leave(tree: Tree, name: str, origin: tuple[int, float], way: Way, winding: float) -> int:
    """Add a branch that leaves another at a part of it."""
    stem, part = origin
    points = np.array(way)
    points[:, :3] += tree.rng.normal(0.0, 2.5, (len(way), 3)) + tree.rng.normal(0.0, 2.0, 3)
    at = int(part * (len(tree.branches[stem].course) - 1))
    return tree.grow(f"ECA {name}", points, stem, at, winding)


def vertebral(tree: Tree) -> None:
    """Add one vertebral artery, the basilar, the cerebellar arteries and both posterior cerebral arteries."""
    stem = tree.add(Branch("VA", wander(smooth(VERTEBRAL), tree.rng, 0.8 * tree.tortuosity)))
    tree.grow("PICA", PICA, stem, int(0.85 * len(tree.branches[stem].course)), 1.0)
    basilar = tree.grow("basilar", BASILAR, stem, -1, 0.7)
    for across in (1.0, -1.0):
        for name, (part, way) in CEREBELLAR.items():
            points = np.array(way) * np.array([across, 1.0, 1.0, 1.0])
            at = int(part * (len(tree.branches[basilar].course) - 1))
            tree.grow(name, points, basilar, at, 1.0)
        posterior_cerebral(tree, basilar, mirrored=across < 0)
