"""A head: scalp, skull, fluid, folded cortex, white matter, deep nuclei and ventricles.

Head coordinates [mm]: x to the right, y forward, z up, origin between the foramina of Monro. The head is
described for x >= 0 and mirrored, so it is exactly symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Float32s, Mask
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
INSULA: Final = ((57.0, 27.0), (46.0, 22.0), (37.0, 14.0), (36.0, -8.0), (43.0, -20.0), (62.0, -25.0))
"""Axial course of the Sylvian fissure and the insular cistern: way points x, y [mm]."""


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """The right half of a head on a lattice, shape `(i, j, k)` each.

    Parameters
    ----------
    outward
        Distance from the inner table of the skull, positive outwards [mm].
    gm, wm, csf, bone, falx, fat, soft
        1 where the tissue is, else 0; `soft` is skin and muscle.
    ventricle
        Fluid that the ventricles hold, part of `csf`.
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
    ventricle: Mask

    @staticmethod
    def index(points_mm: Float32s) -> Float32s:
        """Return lattice indices of head coordinates `(3, ...)` [mm], both halves folded on one."""
        folded = np.stack([np.abs(points_mm[0]), points_mm[1], points_mm[2]])
        shape = (3,) + (1,) * (points_mm.ndim - 1)
        low, step = np.reshape(LOW, shape), np.reshape(STEP, shape)
        return ((folded - low) / step).astype(np.float32)


def build_atlas(rng: np.random.Generator) -> Atlas:
    """Draw a head; the folds of its cortex differ from draw to draw, its plan does not."""
    points = lattice_points()
    outward = distance_from_skull(points)
    ventricle = _ventricles(points)
    falx, cleft = _midline_cleft(points, outward)
    rim = outward > -RIM_MM - 0.7 * random_field(rng, 9.0)(points)
    bent = points + 1.6 * np.stack([random_field(rng, 7.0)(points) for _ in range(3)])
    fluid = rim | ventricle | cleft | _sylvian(bent) | _cisterns(bent) | _sulci(rng, points, outward)
    inside = outward < 0
    csf = inside & fluid
    brain = inside & ~fluid
    gm = brain & (_ribbon(csf & ~ventricle, outward) | _nuclei(points))
    thickness = SKULL_MM + 0.6 * random_field(rng, 14.0)(points)
    bone = ~inside & (outward < thickness)
    skin = ~inside & ~bone & (outward < thickness + SCALP_MM)
    fat = skin & (outward > thickness + 1.2) & (outward < thickness + SCALP_MM - 2.0)
    fat &= random_field(rng, 10.0)(points) > -0.6
    diploe = bone & (outward > 2.2) & (outward < thickness - 2.2)
    falx &= csf
    return Atlas(
        outward, gm, brain & ~gm, csf & ~falx, bone, diploe, falx, fat, skin & ~fat, ventricle & inside
    )


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


def _ellipsoid(points: Float32s, centre: tuple[float, ...], half: tuple[float, ...]) -> Mask:
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
    for start, stop in zip(way[:-1], way[1:], strict=True):
        a, b = np.float32(start[:3]), np.float32(stop[:3])
        along = b - a
        offset = [points[i] - a[i] for i in range(len(a))]
        part = np.clip(sum(o * d for o, d in zip(offset, along, strict=True)) / (along @ along), 0, 1)
        gap = np.sqrt(sum((o - part * d) ** 2 for o, d in zip(offset, along, strict=True)))
        nearest = np.minimum(nearest, gap - (start[3] + part * (stop[3] - start[3])))
    return nearest


def _ventricles(points: Float32s) -> Mask:
    third = _ellipsoid(points, (0.0, -8.0, 2.0), (2.2, 14.0, 11.0))
    return (tube(points, LATERAL_VENTRICLE) < 0) | (tube(points, TEMPORAL_HORN) < 0) | third


def _midline_cleft(points: Float32s, outward: Float32s) -> tuple[Mask, Mask]:
    """Return the falx and the fissure between the hemispheres, around the corpus callosum."""
    x, y, z = points
    beyond = ((y + 6.0) / 40.0) ** 2 + ((z - 8.0) / 26.0) ** 2 > 1.0
    above_tentorium = z > -14.0 + 0.25 * (y + 40.0)
    open_here = beyond & above_tentorium & ((z > 0) | (np.abs(y + 6.0) > 34.0))
    width = 1.1 + 1.4 * np.exp(outward / 8.0)
    return (x < 0.9) & open_here, (x < width) & open_here


def _sylvian(points: Float32s) -> Mask:
    """Return the Sylvian fissure: a sheet that leans forward as it comes down."""
    _, y, z = points
    lean = y - 0.35 * (z - 4.0)
    flat = np.stack([points[0], lean, np.zeros_like(z)])
    half_width = np.float32(1.1)
    way = tuple((px, py, 0.0, 0.0) for px, py in INSULA)
    return (tube(flat, way) < half_width) & (z > -14.0) & (z < 20.0)


def _cisterns(points: Float32s) -> Mask:
    x, y, z = points
    suprasellar = _ellipsoid(points, (0.0, 6.0, -16.0), (15.0, 10.0, 8.0))
    ring = np.abs(np.hypot(x / 1.05, y + 18.0) - 17.0) < 1.7
    ambient = ring & (y < -8.0) & (z < -2.0) & (z > -24.0)
    quadrigeminal = _ellipsoid(points, (0.0, -37.0, 0.0), (9.0, 4.0, 8.0))
    return suprasellar | ambient | quadrigeminal


def _sulci(rng: np.random.Generator, points: Float32s, outward: Float32s) -> Mask:
    """Return the furrows of the cortex.

    They are where a random field on the surface of the brain changes sign, carried inwards along rays,
    so that they cut into the brain at right angles to its surface.
    """
    centre = np.float32(CENTRE).reshape(3, 1, 1, 1)
    rays = points - centre
    length = np.maximum(np.sqrt((rays**2).sum(axis=0)), 1.0)
    surface = centre + rays * (1.0 - outward / length)
    place = surface + 0.35 * (points - surface)  # the furrows bend a little with depth
    value = random_field(rng, 4.6)(place)
    slope = np.sqrt(sum(g**2 for g in np.gradient(value, *STEP)))
    distance = np.abs(value) / np.maximum(slope, 1e-3)
    depth = -outward - RIM_MM
    reach = 19.0 + 5.0 * random_field(rng, 12.0)(points)
    half_width = 0.45 + 1.0 * np.exp(-np.maximum(depth, 0.0) / 5.0)
    return np.asarray((distance < half_width) & (depth < reach))


def _ribbon(fluid: Mask, outward: Float32s) -> Mask:
    """Return what lies within the thickness of the cortex from outer fluid."""
    reach = ndimage.distance_transform_edt(~(fluid | (outward >= 0)), sampling=STEP)
    return np.asarray((reach < RIBBON_MM) & (outward > -40.0))


def _nuclei(points: Float32s) -> Mask:
    found = np.zeros(points.shape[1:], dtype=np.bool_)
    for centre, half in NUCLEI:
        found |= _ellipsoid(points, centre, half)
    return found
