"""A head: scalp, skull, fluid, folded cortex, white matter, deep nuclei and ventricles.

Head coordinates [mm]: x to the right, y forward, z up, origin between the foramina of Monro. The head is
described for x >= 0 and mirrored, so it is exactly symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Float32s, Mask, locked
from bolus.phantom.field import random_field

CENTRE: Final = (0.0, -6.0, 12.0)
"""Centre of the cranial cavity [mm]."""
HALF_AXES: Final = (66.0, 82.0, 64.0)
"""Half-axes of the cranial cavity: sideways, lengthwise, upwards [mm]."""
DEPTH_BELOW: Final = 84.0
"""Half-axis downwards [mm]: the cavity narrows less towards the base than towards the vertex."""
SKULL_MM: Final = 7.0
SCALP_MM: Final = 6.0
RIM_MM: Final = 2.2
"""Fluid between brain and skull."""
RIBBON_MM: Final = 4.0
"""Thickness of cortex."""
STEP: Final = (1.0, 1.0, 2.0)
"""Spacing of the lattice that the head is described on [mm]."""
LOW: Final = (0.0, -114.0, -44.0)
HIGH: Final = (94.0, 102.0, 96.0)
"""Corners of the lattice [mm]."""

LATERAL_VENTRICLE: Final = (
    (5.0, 30.0, 8.0, 2.5),
    (8.5, 22.0, 15.0, 4.6),
    (8.0, 6.0, 22.0, 4.6),
    (9.0, -12.0, 26.0, 5.2),
    (16.0, -32.0, 21.0, 6.6),
    (20.0, -46.0, 12.0, 4.6),
    (17.0, -64.0, 8.0, 2.0),
)
TEMPORAL_HORN: Final = ((20.0, -42.0, 12.0, 4.2), (28.0, -30.0, -4.0, 3.0), (31.0, -14.0, -16.0, 2.4))
"""Way points x, y, z and radius [mm]."""
NUCLEI: Final = (
    ((14.0, 19.0, 13.0), (4.6, 9.0, 11.0)),  # head of the caudate
    ((26.0, 3.0, 5.0), (6.2, 15.0, 11.0)),  # lentiform
    ((11.0, -14.0, 9.0), (8.5, 12.5, 10.0)),  # thalamus
)
"""Centre and half-axes of deep grey matter [mm]."""
INSULA: Final = ((60.0, 29.0), (47.0, 23.0), (38.0, 14.0), (36.0, -6.0), (42.0, -19.0), (60.0, -25.0))
STEM: Final = ((13.0, 5.0), (26.0, 9.0), (38.0, 15.0), (48.0, 24.0), (60.0, 29.0))
"""Axial course of the Sylvian fissure around the insula and below it: way points x, y [mm]."""
CALCIUM: Final = (((0.0, -31.0, 4.0), (2.2, 2.6, 2.6)), ((18.5, -41.0, 15.0), (2.2, 3.4, 2.8)))
"""Calcified pineal gland and choroid plexus: centre and half-axes [mm]."""
_FURROWS_PER_MM: Final = 0.15
"""Part by which furrows widen for each mm of the ventricles."""

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """The right half of a head on a lattice, shape `(i, j, k)` each.

    Parameters
    ----------
    outward
        Distance from the inner table of the skull, positive outwards [mm].
    gm, wm, csf, bone, diploe, falx, fat, soft, calcium
        Masks of the tissues; `diploe` is part of `bone`, `soft` is skin and muscle.
    """

    outward: Float32s
    gm: Mask
    wm: Mask
    csf: Mask
    bone: Mask
    diploe: Mask
    falx: Mask
    fat: Mask
    soft: Mask
    calcium: Mask

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, locked(getattr(self, each.name)))

    @staticmethod
    def index(points_mm: Float32s) -> Float32s:
        """Return lattice indices of head coordinates `(3, ...)` [mm], both halves folded on one."""
        folded = np.stack([np.abs(points_mm[0]), points_mm[1], points_mm[2]])
        shape = (3,) + (1,) * (points_mm.ndim - 1)
        low, step = np.reshape(LOW, shape), np.reshape(STEP, shape)
        return np.asarray((folded - low) / step, dtype=np.float32)


@lru_cache(maxsize=4)
def build_atlas(seed: int, atrophy_mm: float = 0.0) -> Atlas:
    """Draw a head; the folds of its cortex differ from seed to seed, its plan does not.

    `atrophy_mm` is how much wider the ventricles are to each side [mm]: age. Furrows widen with them.

    The last heads are remembered: a head costs seconds, and many studies of one head are common.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    points = lattice_points()
    outward = distance_from_skull(points) + 0.8 * random_field(rng, 20.0)(points)
    bent = points + 1.8 * np.stack([random_field(rng, 6.0)(points) for _ in range(3)])
    ventricle = _ventricles(points + 0.4 * (bent - points), atrophy_mm)
    falx, cleft = _midline_cleft(points, outward)
    rim = outward > -RIM_MM - 0.7 * random_field(rng, 9.0)(points)
    furrows = _sulci(rng, points, outward, 1.0 + _FURROWS_PER_MM * atrophy_mm)
    fluid = rim | ventricle | cleft | _sylvian(bent) | _cisterns(bent) | furrows
    inside = outward < 0
    calcium = _any_ellipsoid(points, CALCIUM)
    csf = inside & fluid & ~calcium
    brain = inside & ~fluid & ~calcium
    gm = brain & (_ribbon(csf & ~ventricle, outward) | _any_ellipsoid(bent, NUCLEI))
    bone, diploe, fat, soft = _shell(rng, points, outward)
    falx &= csf
    return Atlas(outward, gm, brain & ~gm, csf & ~falx, bone, diploe, falx, fat, soft, calcium)


def _shell(rng: np.random.Generator, points: Float32s, outward: Float32s) -> tuple[Mask, Mask, Mask, Mask]:
    """Return bone, the marrow in it, fat, and skin with muscle."""
    thickness = SKULL_MM + 0.7 * random_field(rng, 14.0)(points)
    bone = (outward >= 0) & (outward < thickness)
    diploe = bone & (outward > 2.2) & (outward < thickness - 2.2)
    muscle = 4.0 * np.exp(-(((points[1] - 12.0) / 26.0) ** 2) - ((points[2] + 8.0) / 22.0) ** 2)
    scalp = SCALP_MM + muscle + 0.8 * random_field(rng, 16.0)(points)
    skin = (outward >= thickness) & (outward < thickness + scalp)
    fat = skin & (outward > thickness + 1.0 + muscle) & (outward < thickness + scalp - 2.4)
    fat &= random_field(rng, 8.0)(points) > -1.2
    return bone, diploe, fat, skin & ~fat


def lattice_points() -> Float32s:
    """Return head coordinates of the lattice [mm], shape `(3, i, j, k)`."""
    axes = [
        np.arange(low, high + 0.5 * step, step, dtype=np.float32)
        for low, high, step in zip(LOW, HIGH, STEP, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def distance_from_skull(points: Float32s) -> Float32s:
    """Return the distance from the inner table [mm], measured along rays from the centre.

    Parameters
    ----------
    points
        Head coordinates, shape `(3, ...)` [mm].

    Returns
    -------
    Positive outside, negative inside, shape `(...)`.
    """
    x, y, z = (points[i] - np.float32(CENTRE[i]) for i in range(3))
    wide = HALF_AXES[0] * (1.0 - 0.10 * np.clip(y / HALF_AXES[1], -1.2, 1.2))  # broader at the back
    high = np.where(z > 0, HALF_AXES[2], DEPTH_BELOW)
    power = 2.25  # a little squarer than an ellipsoid
    scaled = np.abs(x / wide) ** power + np.abs(y / HALF_AXES[1]) ** power + np.abs(z / high) ** power
    rho = np.maximum(scaled, 1e-9) ** (1 / power)
    radius = np.sqrt(x**2 + y**2 + z**2) / rho
    return np.asarray((rho - 1.0) * radius, dtype=np.float32)


def _ellipsoid(points: Float32s, centre: Triple, half: Triple) -> Mask:
    total = sum(((points[i] - c) / h) ** 2 for i, (c, h) in enumerate(zip(centre, half, strict=True)))
    return np.asarray(total < 1.0)


def tube(points: Float32s, way: tuple[tuple[float, float, float, float], ...]) -> Float32s:
    """Return the distance from the wall of a tapering tube [mm], negative inside, shape `(...)`.

    Parameters
    ----------
    way
        Way points: x, y, z and radius [mm].
    """
    nearest = np.full(points.shape[1:], np.inf, dtype=np.float32)
    for start, stop in pairwise(way):
        along = [stop[i] - start[i] for i in range(3)]
        offset = [points[i] - np.float32(start[i]) for i in range(3)]
        dot = sum((o * np.float32(d) for o, d in zip(offset, along, strict=True)), np.float32(0))
        part = np.clip(dot / np.float32(sum(d * d for d in along)), 0, 1)
        gap = sum(
            ((o - part * np.float32(d)) ** 2 for o, d in zip(offset, along, strict=True)), np.float32(0)
        )
        nearest = np.minimum(nearest, np.sqrt(gap) - (start[3] + part * (stop[3] - start[3])))
    return nearest


def _ventricles(points: Float32s, wider_mm: float) -> Mask:
    third = _ellipsoid(points, (0.0, -8.0, 2.0), (2.2 + 0.7 * wider_mm, 14.0, 11.0))
    horns = (tube(points, LATERAL_VENTRICLE) < wider_mm) | (tube(points, TEMPORAL_HORN) < 0.7 * wider_mm)
    return np.asarray(horns | third)


def _midline_cleft(points: Float32s, outward: Float32s) -> tuple[Mask, Mask]:
    """Return the falx and the fissure between the hemispheres, around the corpus callosum."""
    x, y, z = points
    beyond = ((y + 6.0) / 40.0) ** 2 + ((z - 8.0) / 26.0) ** 2 > 1.0
    above_tentorium = z > -14.0 + 0.25 * (y + 40.0)
    open_here = beyond & above_tentorium & ((z > 0) | (np.abs(y + 6.0) > 34.0))
    width = 1.1 + 1.4 * np.exp(outward / 8.0)
    return (x < 0.9) & open_here, (x < width) & open_here


def _sylvian(points: Float32s) -> Mask:
    """Return the Sylvian fissure: a sheet around the insula, and its stem below, which carries the artery."""
    x, y, z = points
    around = _sheet(x, y - 0.35 * (z - 4.0), INSULA, 1.2) & (z > -7.0) & (z < 21.0)
    below = _sheet(x, y, STEM, 1.6) & (z < -5.0) & (z > -18.0)
    return np.asarray(around | below)


def _sheet(x: Float32s, y: Float32s, way: tuple[tuple[float, float], ...], half_width: float) -> Mask:
    """Return what is within half a width [mm] of an upright sheet."""
    flat = np.stack([x, y, np.zeros_like(x)])
    return np.asarray(tube(flat, tuple((px, py, 0.0, half_width) for px, py in rounded(way))) < 0)


def rounded(way: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Cut the corners of a course of way points x, y [mm]."""
    cut = [way[0]]
    for (ax, ay), (bx, by) in pairwise(way):
        cut += [
            (0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by),
            (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by),
        ]
    return [*cut, way[-1]]


def _cisterns(points: Float32s) -> Mask:
    x, y, z = points
    suprasellar = (x + 1.3 * np.abs(y - 7.0) < 14.0) & (np.abs(z + 16.0) < 8.0)
    ring = np.abs(np.hypot(x / 1.1, y + 19.0) - 16.0) < 1.2
    ambient = ring & (y < -8.0) & (z < -2.0) & (z > -24.0)
    quadrigeminal = _ellipsoid(points, (0.0, -37.0, 0.0), (9.0, 4.0, 8.0))
    return np.asarray(suprasellar | ambient | quadrigeminal)


def _sulci(rng: np.random.Generator, points: Float32s, outward: Float32s, wider: float) -> Mask:
    """Return the furrows of the cortex, `wider` times as wide as usual.

    They are where a random field on the surface of the brain changes sign, carried inwards along rays,
    so that they cut into the brain at right angles to its surface.
    """
    centre = np.array(CENTRE, dtype=np.float32).reshape(3, 1, 1, 1)
    rays = points - centre
    length = np.maximum(np.sqrt((rays**2).sum(axis=0)), 1.0)
    surface = centre + rays * (1.0 - outward / length)
    place = surface + 0.35 * (points - surface)  # the furrows bend a little with depth
    value = random_field(rng, 3.8)(place)
    slope = np.sqrt(sum(g**2 for g in np.gradient(value, *STEP)))
    distance = np.abs(value) / np.maximum(slope, 1e-3)
    depth = -outward - RIM_MM
    reach = 23.0 + 5.0 * random_field(rng, 12.0)(points)
    half_width = wider * (0.45 + 1.0 * np.exp(-np.maximum(depth, 0.0) / 5.0))
    return np.asarray((distance < half_width) & (depth < reach))


def _ribbon(fluid: Mask, outward: Float32s) -> Mask:
    """Return what lies within the thickness of the cortex from outer fluid."""
    reach = ndimage.distance_transform_edt(~(fluid | (outward >= 0)), sampling=STEP)
    return np.asarray((reach < RIBBON_MM) & (outward > -40.0))


def _any_ellipsoid(points: Float32s, each: tuple[tuple[Triple, Triple], ...]) -> Mask:
    found = np.zeros(points.shape[1:], dtype=np.bool_)
    for centre, half in each:
        found |= _ellipsoid(points, centre, half)
    return found
