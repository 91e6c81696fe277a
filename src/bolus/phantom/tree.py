"""Arteries and veins of the head as tubes, and how much of each voxel they fill.

Way points are in head coordinates (see `bolus.phantom.anatomy`) with the radius last [mm]; those with
x > 0 are mirrored to the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.spatial import cKDTree

from bolus.core.arrays import Float32s, Float64s, Indices, Volume
from bolus.core.grid import Grid
from bolus.phantom.anatomy import CENTRE, distance_from_skull

Way = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Vessel:
    """One tube.

    Parameters
    ----------
    name
        Name in anatomy.
    way
        Way points: x, y, z and radius [mm].
    delay_s
        Arrival of contrast at the first and the last way point after the arterial curve [s].
    fed_by
        `mca`, `aca` or `pca` where an occlusion of that cerebral artery changes the arrival, else empty.
    """

    name: str
    way: Way
    delay_s: tuple[float, float]
    fed_by: str = ""


ARTERIES: Final = (
    Vessel("ICA", ((17.0, 8.0, -60.0, 2.5), (15.0, 9.0, -26.0, 2.5), (12.0, 7.0, -12.0, 2.3)), (0.0, 0.0)),
    Vessel(
        "M1", ((12.0, 7.0, -12.0, 1.7), (24.0, 8.0, -10.0, 1.6), (35.0, 8.0, -8.0, 1.5)), (0.0, 0.2), "mca"
    ),
    Vessel(
        "M2 superior",
        ((35.0, 8.0, -8.0, 1.4), (37.0, 14.0, 4.0, 1.3), (38.0, 16.0, 18.0, 1.2), (52.0, 22.0, 24.0, 1.0)),
        (0.2, 0.7),
        "mca",
    ),
    Vessel(
        "M2 inferior",
        ((35.0, 8.0, -8.0, 1.4), (37.0, -4.0, 2.0, 1.3), (41.0, -16.0, 12.0, 1.2), (56.0, -26.0, 20.0, 1.0)),
        (0.2, 0.8),
        "mca",
    ),
    Vessel("M4 rolandic", ((52.0, 22.0, 24.0, 1.0), (57.0, 2.0, 36.0, 0.8)), (0.7, 1.0), "mca"),
    Vessel("M4 parietal", ((56.0, -26.0, 20.0, 1.0), (52.0, -44.0, 36.0, 0.8)), (0.8, 1.1), "mca"),
    Vessel("A1", ((12.0, 7.0, -12.0, 1.3), (7.0, 13.0, -11.0, 1.3), (2.2, 17.0, -9.0, 1.3)), (0.0, 0.2)),
    Vessel(
        "A2",
        (
            (2.0, 17.0, -9.0, 1.3),
            (2.0, 32.0, 0.0, 1.3),
            (2.0, 38.0, 14.0, 1.2),
            (2.0, 32.0, 30.0, 1.2),
            (2.0, 14.0, 38.0, 1.0),
            (2.0, -16.0, 42.0, 0.8),
        ),
        (0.2, 1.2),
        "aca",
    ),
    Vessel("basilar", ((0.0, -3.0, -60.0, 1.7), (0.0, -3.0, -17.0, 1.7)), (0.2, 0.4)),
    Vessel(
        "PCA",
        (
            (1.0, -3.0, -16.0, 1.3),
            (13.0, -10.0, -14.0, 1.3),
            (17.0, -24.0, -8.0, 1.2),
            (10.0, -44.0, 2.0, 1.1),
            (7.0, -66.0, 6.0, 0.9),
        ),
        (0.4, 1.3),
        "pca",
    ),
)
"""Courses after any atlas of anatomy; radii 0.8-2.5 mm, delays 0-1.5 s (science sheet of the phantom)."""

VEINS: Final = (
    Vessel("straight sinus", ((0.0, -38.0, 10.0, 1.6), (0.0, -76.0, -2.0, 2.4)), (5.0, 5.5)),
    Vessel("internal cerebral vein", ((1.5, 6.0, 12.0, 0.8), (1.5, -36.0, 10.0, 1.2)), (4.5, 5.0)),
    Vessel("cortical vein", ((50.0, -2.0, 42.0, 0.8), (24.0, -8.0, 66.0, 1.1)), (4.0, 4.5)),
)
"""Veins other than the sinuses that follow the skull."""


SWAY_MM: Final = 0.7
"""How far vessels wind about their course [mm]."""


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """How vessels of one kind fill a grid, shape `(x, y, z)` each.

    Parameters
    ----------
    fraction
        Part of the voxel inside the vessel, 0-1.
    delay_s
        Arrival there after the arterial curve [s]; 0 where there is no vessel.
    """

    fraction: Volume
    delay_s: Volume


def sagittal_sinus() -> Vessel:
    """Return the superior sagittal sinus: along the inner table in the midline, growing to the back."""
    angles = np.linspace(np.deg2rad(35.0), np.deg2rad(192.0), 28)
    directions = np.stack([np.zeros_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    return _along_skull("superior sagittal sinus", directions, (1.2, 4.2), (4.0, 5.5))


def transverse_sinus() -> Vessel:
    """Return the transverse sinus: along the inner table from the back to the side, sinking a little."""
    angles = np.linspace(np.deg2rad(2.0), np.deg2rad(62.0), 12)
    down = np.linspace(-0.2, -0.34, 12)
    directions = np.stack([np.sin(angles), -np.cos(angles), down], axis=1)
    return _along_skull("transverse sinus", directions, (3.6, 2.8), (5.5, 6.0))


def _along_skull(
    name: str, directions: Float64s, radii: tuple[float, float], delay_s: tuple[float, float]
) -> Vessel:
    """Return a vessel that touches the inner table in directions from the centre, shape `(n, 3)`."""
    way = []
    for direction, radius in zip(directions, np.linspace(*radii, len(directions)), strict=True):
        unit = direction / np.linalg.norm(direction)
        place = np.array(CENTRE) + (_reach(unit) - radius - 0.3) * unit
        way.append((float(place[0]), float(place[1]), float(place[2]), float(radius)))
    return Vessel(name, tuple(way), delay_s)


def _reach(direction: Float64s) -> float:
    """Return how far the inner table lies from the centre in a direction [mm]."""
    far = 40.0
    for _ in range(20):
        point = (np.array(CENTRE) + far * direction).astype(np.float32).reshape(3, 1)
        far -= float(distance_from_skull(point)[0])
    return far


def mirrored(vessels: tuple[Vessel, ...]) -> list[tuple[Vessel, int]]:
    """Return vessels of both sides with their side: 1 right, -1 left, 0 midline."""
    both: list[tuple[Vessel, int]] = []
    for vessel in vessels:
        if all(point[0] == 0 for point in vessel.way):
            both.append((vessel, 0))
            continue
        both.append((vessel, 1))
        way = tuple((-x, y, z, r) for x, y, z, r in vessel.way)
        both.append((Vessel(vessel.name, way, vessel.delay_s, vessel.fed_by), -1))
    return both


def fill(vessels: list[Vessel], grid: Grid, pose: Float64s, added_s: float = 0.0) -> Filling:
    """Find how much of each voxel the vessels fill.

    Parameters
    ----------
    vessels
        Tubes.
    grid
        Where the voxels are.
    pose
        Head to patient coordinates (RAS), shape `(4, 4)`.
    added_s
        What is added to every delay [s].
    """
    fraction = np.zeros(grid.shape, dtype=np.float32)
    delay = np.zeros(grid.shape, dtype=np.float32)
    if not vessels:
        return Filling(fraction, delay)
    points, radii, delays = (np.concatenate(part) for part in zip(*map(_samples, vessels), strict=True))
    places = points @ pose[:3, :3].T + pose[:3, 3]
    widest = float(radii.max())
    voxels = _near(grid, places, widest)
    inside_of = _subpoints(grid)
    tree = cKDTree(places)
    covered = np.zeros(len(voxels))
    _, nearest = tree.query(grid.position_mm(voxels))
    reach = np.append(radii, -np.inf)  # what the tree gives where no vessel is near
    for offset in inside_of:
        distance, index = tree.query(grid.position_mm(voxels + offset), distance_upper_bound=1.01 * widest)
        covered += distance <= reach[index]
    at = tuple(voxels.T)
    fraction[at] = covered / len(inside_of)
    delay[at] = np.where(covered > 0, delays[nearest] + added_s, 0.0)
    return Filling(fraction, delay)


def _samples(vessel: Vessel, step_mm: float = 0.35) -> tuple[Float64s, Float64s, Float64s]:
    """Return points along a vessel with radii and delays, `(n, 3)`, `(n,)`, `(n,)`."""
    way = np.array(vessel.way)
    gaps = np.linalg.norm(np.diff(way[:, :3], axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    at = np.linspace(0.0, along[-1], int(along[-1] / step_mm) + 2)
    values = make_interp_spline(along, way, k=min(2, len(way) - 1))(at)
    sway = np.sin(np.pi * at / along[-1])[:, None]  # nothing at the ends, where vessels join
    values[:, :3] += SWAY_MM * sway * np.sin(at[:, None] / 4.0 + np.array([0.0, 2.0, 4.0]))
    delays = np.interp(at, along[[0, -1]], vessel.delay_s)
    return values[:, :3], values[:, 3], delays


def _near(grid: Grid, places: Float64s, radius: float) -> Indices:
    """Return indices `(n, 3)` of the voxels that any vessel could touch."""
    reach = np.ceil(radius / np.array(grid.spacing_mm) + 0.5).astype(int)
    index = np.unique(np.rint(grid.index_of(places)).astype(int), axis=0)
    boxes = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1)
    touched = np.zeros(grid.shape, dtype=np.bool_)
    for offset in boxes.reshape(-1, 3):
        moved = index + offset
        moved = moved[((moved >= 0) & (moved < grid.shape)).all(axis=1)]
        touched[tuple(moved.T)] = True
    return np.argwhere(touched)


def _subpoints(grid: Grid) -> Float32s:
    """Return offsets [voxels] of points spread evenly through a voxel, about 1 mm apart, `(n, 3)`."""
    counts = [int(np.clip(round(spacing / 0.7), 2, 6)) for spacing in grid.spacing_mm]
    axes = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
