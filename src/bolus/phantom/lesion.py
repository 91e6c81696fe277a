"""A stroke, in the territory of a cerebral artery or of none: core in penumbra, with ragged soft edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.phantom.field import random_field

Shape = tuple[tuple[float, float, float], tuple[float, float, float]]

LESIONS: Final = (
    "mca-right", "mca-left", "core-only-right", "none",
    "aca-right", "aca-left", "pca-right", "pca-left", "blob-right", "blob-left",
)  # fmt: skip
"""Lesions on offer: of the middle, anterior and posterior cerebral artery; `core-only-right` is a small core
without penumbra; a `blob` keeps to no territory."""
EDGE_MM: Final = 6.0
CORE_EDGE_MM: Final = 4.0
"""Width of the edges of the lesion and of its core."""
PENUMBRA_SHAPE: Final = ((44.0, -4.0, 25.0), (26.0, 41.0, 36.0))
CORE_SHAPE: Final = ((34.0, -4.0, 29.0), (20.0, 31.0, 21.0))
"""Centre on the right and half-axes [mm], of the middle cerebral artery."""
_OTHERS: Final[Mapping[str, tuple[Shape, Shape]]] = {
    "aca": (((9.0, 26.0, 34.0), (13.0, 46.0, 34.0)), ((9.0, 26.0, 38.0), (9.0, 30.0, 18.0))),
    "pca": (((20.0, -66.0, 12.0), (20.0, 26.0, 28.0)), ((18.0, -70.0, 14.0), (13.0, 16.0, 15.0))),
    "blob": (((32.0, -8.0, 30.0), (24.0, 24.0, 24.0)), ((32.0, -8.0, 30.0), (14.0, 14.0, 14.0))),
}
"""Penumbra and core of the rest."""
MCA_FROM_MM: Final = 9.0
"""How far from the midline the territory of the middle cerebral artery begins; the rest begin there."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """How far each point belongs to a lesion: 0 outside, 1 inside, between them over 6 mm.

    Parameters
    ----------
    side
        `left`, `right` or `none`.
    hypoperfused, core
        Same shape as the points; core lies inside hypoperfused.
    """

    side: str
    hypoperfused: Float32s
    core: Float32s


def place_lesion(
    rng: np.random.Generator,
    points: Float32s,
    name: str,
    size: float = 1.0,
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Lesion:
    """Lay a lesion into head coordinates.

    Parameters
    ----------
    points
        Head coordinates, shape `(3, ...)` [mm].
    name
        One of `LESIONS`.
    size, shift_mm
        Factor of its half-axes, and where its centre lies from the usual place, with x to its side [mm].

    Raises
    ------
    BadRecipe
        If there is no such lesion.
    """
    if name not in LESIONS:
        raise BadRecipe("there is no such lesion", wanted=", ".join(LESIONS), found=repr(name))
    ragged = random_field(rng, 9.0), random_field(rng, 5.0)
    if name == "none":
        nothing = np.zeros(points.shape[1:], dtype=np.float32)
        return Lesion("none", nothing, nothing)
    side = "left" if name.endswith("left") else "right"
    mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0], dtype=np.float32)
    there = points * mirror.reshape(3, *(1,) * (points.ndim - 1))
    warp = np.asarray(4.5 * ragged[0](there) + 2.0 * ragged[1](there), dtype=np.float32)
    kind = name.rpartition("-")[0]
    shapes = _OTHERS.get(kind, (PENUMBRA_SHAPE, CORE_SHAPE))
    penumbra_shape, core_shape = (_changed(shape, size, shift_mm) for shape in shapes)
    core = _belonging(there, core_shape, np.float32(0.6) * warp, CORE_EDGE_MM)
    around = core if kind == "core-only" else _belonging(there, penumbra_shape, warp)
    around = around * _belonging_beyond(there[0], 0.0 if kind in _OTHERS else MCA_FROM_MM)
    return Lesion(side, np.maximum(around, core), core)


def _changed(shape: Shape, size: float, shift_mm: tuple[float, float, float]) -> Shape:
    (x, y, z), (a, b, c) = shape
    return (x + shift_mm[0], y + shift_mm[1], z + shift_mm[2]), (a * size, b * size, c * size)


def _belonging(points: Float32s, shape: Shape, warp_mm: Float32s, edge_mm: float = EDGE_MM) -> Float32s:
    """Return 1 inside an ellipsoid with a ragged surface, 0 outside, smooth between."""
    centre, half = shape
    rho = np.sqrt(sum(((points[i] - centre[i]) / half[i]) ** 2 for i in range(3)))
    mean = float(np.mean(half))
    return _step((1.0 - rho) * mean + warp_mm, edge_mm)


def _belonging_beyond(x: Float32s, from_mm: float) -> Float32s:
    """Return 0 up to a distance from the midline, 1 beyond: what the arteries of the other side feed."""
    return _step(x - from_mm)


def _step(inside_mm: Float32s, edge_mm: float = EDGE_MM) -> Float32s:
    part = np.clip(inside_mm / edge_mm + 0.5, 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part), dtype=np.float32)
