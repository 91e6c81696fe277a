"""A stroke in the territory of one middle cerebral artery: core inside penumbra, with ragged soft edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.phantom.field import random_field

Shape = tuple[tuple[float, float, float], tuple[float, float, float]]

LESIONS: Final = ("mca-right", "mca-left", "core-only-right", "none")
"""Lesions on offer; `core-only-right` is a small core without penumbra."""
EDGE_MM: Final = 6.0
CORE_EDGE_MM: Final = 4.0
"""Width of the edges of the lesion and of its core."""
PENUMBRA_SHAPE: Final = ((44.0, -4.0, 25.0), (26.0, 41.0, 36.0))
CORE_SHAPE: Final = ((34.0, -4.0, 29.0), (20.0, 31.0, 21.0))
"""Centre on the right and half-axes [mm]."""


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
    core_shape, penumbra_shape = (_changed(shape, size, shift_mm) for shape in (CORE_SHAPE, PENUMBRA_SHAPE))
    core = _belonging(there, core_shape, np.float32(0.6) * warp, CORE_EDGE_MM)
    around = core if name.startswith("core-only") else _belonging(there, penumbra_shape, warp)
    around = around * _belonging_beyond(there[0], 9.0)
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
    """Return 0 up to a distance from the midline, 1 beyond: the territory of the anterior artery."""
    return _step(x - from_mm)


def _step(inside_mm: Float32s, edge_mm: float = EDGE_MM) -> Float32s:
    part = np.clip(inside_mm / edge_mm + 0.5, 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part), dtype=np.float32)
