"""A patient seen from one side: line integrals of contrast, frame by frame, and what each pixel shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.phantom.angiogram.curves import BIN_S, Kind
from bolus.phantom.angiogram.flow import Strand
from bolus.phantom.angiogram.kernels import COLUMNS, draw, enlarge, mark
from bolus.phantom.angiogram.motion import Hold
from bolus.phantom.angiogram.patient import Patient

BLUSH_MM: Final = 8.5
"""How far an artery feeds tissue around its end, standard deviation [mm]."""
COARSE_MM: Final = 2.5
"""Distance of the points that the blush is computed at [mm]."""
COARSE_S: Final = 0.25
"""Step of arrivals in tissue [s]."""
LATE: Final = 10_000
"""What tells late arrivals from others where both are numbered in one row."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How a view projects the head.

    Parameters
    ----------
    name
        `AP`, seen by someone who faces the patient, or `LAT`, with the face to the left.
    size, pixel_mm
        Pixels a side and their size [mm].
    across
        Direction in head coordinates that a row of pixels runs in, shape `(3,)`.
    centre_mm
        Where the middle of the field lies, along a row and down [mm].
    """

    name: str
    size: int
    pixel_mm: float
    across: tuple[float, float, float]
    centre_mm: tuple[float, float]

    def seen(self, points: Float64s, hold: Hold | None = None) -> Float64s:
        """Return pixel coordinates of points in the room `(n, 3)` [mm]: x and y, shape `(n, 2)`."""
        flat = np.column_stack([points @ np.asarray(self.across), -points[:, 2]]) - np.asarray(self.centre_mm)
        if hold is not None:
            flat = hold.moved(flat)
        return np.asarray(flat / self.pixel_mm + (self.size - 1) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Straight pieces of tubes as the kernels want them.

    Parameters
    ----------
    values, rows
        Shape `(pieces, COLUMNS)` and `(pieces,)`: see `kernels.draw`.
    """

    values: Float32s
    rows: NDArray[np.int64]


def pieces(patient: Patient, camera: Camera, vessels: Sequence[Strand], hold: Hold | None = None) -> Pieces:
    """Return the pieces of vessels as a camera sees them."""
    if not vessels:
        return Pieces(np.empty((0, COLUMNS), dtype=np.float32), np.empty(0, dtype=np.int64))
    n_points = [len(v.course) for v in vessels]
    course = np.concatenate([v.course for v in vessels])
    room = course[:, :3] @ patient.head.T
    scale = float(np.cbrt(np.abs(np.linalg.det(patient.head))))
    delay, strength = (
        np.concatenate([getattr(v, name) for v in vessels]) for name in ("delay_s", "strength")
    )
    one = np.column_stack([camera.seen(room, hold), scale * course[:, 3], room, delay, strength])
    ends = np.cumsum(n_points) - 1
    inner = np.ones(len(course), dtype=np.bool_)
    inner[ends] = False
    a, b = one[:-1][inner[:-1]], one[1:][inner[:-1]]
    length = np.linalg.norm(b[:, 3:6] - a[:, 3:6], axis=1)
    columns = [
        a[:, :2],
        b[:, :2],
        a[:, 2:3],
        b[:, 2:3],
        length[:, None],
        a[:, 6:7],
        b[:, 6:7],
        a[:, 7:],
        b[:, 7:],
    ]
    kinds = np.repeat([int(v.kind) for v in vessels], [n - 1 for n in n_points])
    return Pieces(np.hstack(columns).astype(np.float32), kinds * patient.table.shape[1])


def contrast(patient: Patient, camera: Camera, holds: Sequence[Hold], texture: Float32s) -> Float32s:
    """Return line integrals of contrast [nat], shape `(x, y, t)`.

    Parameters
    ----------
    holds
        Spells in which the head lies still.
    texture
        How uneven tissue is, on any coarse grid over the field.
    """
    n_frames = patient.table.shape[2]
    density = np.zeros((camera.size, camera.size, n_frames), dtype=np.float32)
    rows = patient.table.reshape(-1, n_frames)
    for hold in holds:
        part = density[:, :, hold.first : hold.last]
        table = np.ascontiguousarray(rows[:, hold.first : hold.last])
        shown = pieces(patient, camera, patient.vessels, hold)
        draw(part, shown.values, shown.rows, table, (camera.pixel_mm, BIN_S))
        _blush(part, patient, camera, hold, texture)
    density *= np.float32(patient.mu)
    return density


def _blush(density: Float32s, patient: Patient, camera: Camera, hold: Hold, texture: Float32s) -> None:
    """Add the line integrals of tissue [mm times contrast] to the frames of a spell."""
    tissue = patient.tissue
    if not tissue.weight.sum() > 0:
        return
    bins = np.rint(tissue.delay_s / COARSE_S).astype(np.intp)
    keys, which = np.unique(bins + LATE * (tissue.late > 0.5), return_inverse=True)
    maps, place = _spread(patient, camera, hold, (which, tissue.weight))
    maps *= np.float32(1000.0 * patient.blood_ml / COARSE_MM**2)
    maps *= zoom(texture, maps.shape[1] / texture.shape[0], order=1, grid_mode=True, mode="nearest")
    late, bin_of = np.divmod(keys, LATE)
    row = np.minimum((bin_of * COARSE_S / BIN_S).astype(np.intp), patient.table.shape[1] - 1)
    curves = patient.table[np.where(late > 0, Kind.LATE_TISSUE, Kind.TISSUE), row, hold.first : hold.last]
    enlarge(density, np.tensordot(maps, curves, axes=(0, 0)).astype(np.float32), place)


def _spread(
    patient: Patient, camera: Camera, hold: Hold, shares: tuple[NDArray[np.intp], Float64s]
) -> tuple[Float32s, tuple[float, float, float]]:
    """Spread what terminals give over the tissue around them, on a coarse grid.

    Parameters
    ----------
    shares
        Map that each terminal belongs to, and what it gives, shape `(n,)` each.

    Returns
    -------
    Shape `(maps, u, v)`, and how its grid lies on the pixels; see `kernels.enlarge`.
    """
    margin = 4 * BLUSH_MM
    n = int((camera.size * camera.pixel_mm + 2 * margin) / COARSE_MM) + 1
    per, offset = camera.pixel_mm / COARSE_MM, margin / COARSE_MM
    at = camera.seen(patient.tissue.place @ patient.head.T, hold) * per + offset
    u, v = np.clip(np.rint(at).astype(np.intp), 0, n - 1).T
    maps = np.zeros((int(shares[0].max()) + 1, n, n), dtype=np.float32)
    np.add.at(maps, (shares[0], u, v), shares[1])
    sigma = BLUSH_MM / COARSE_MM
    return np.asarray(gaussian_filter(maps, (0.0, sigma, sigma))), (per, offset, offset)


def tissue_arrival(patient: Patient, camera: Camera, hold: Hold) -> Float32s:
    """Return the mean arrival of contrast in tissue [s after the injection], shape `(x, y)`; NaN without."""
    tissue = patient.tissue
    nothing = np.full((camera.size, camera.size), np.nan, dtype=np.float32)
    if not tissue.weight.sum() > 0:
        return nothing
    which = np.repeat(np.arange(2), tissue.weight.size)
    given = np.concatenate([tissue.weight, tissue.weight * tissue.delay_s])
    twice = replace(patient, tissue=replace(tissue, place=np.tile(tissue.place, (2, 1))))
    maps, place = _spread(twice, camera, hold, (which, given))
    fine = np.zeros((camera.size, camera.size, 2), dtype=np.float32)
    enlarge(fine, np.ascontiguousarray(np.moveaxis(maps, 0, 2)), place)
    return np.divide(fine[..., 1], fine[..., 0], out=nothing, where=fine[..., 0] > 1e-7)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What vessels cover, shape `(x, y)` each.

    Parameters
    ----------
    peak
        Greatest line integral over the frames [nat], of these vessels alone.
    inside, arrival_s
        Whether the pixel lies inside one, and the earliest arrival there after the injection [s].
    """

    peak: Float32s
    inside: Mask
    arrival_s: Float32s


def shown(patient: Patient, camera: Camera, hold: Hold, vessels: Sequence[Strand]) -> Shown:
    """Return what some vessels cover during one spell."""
    picked = pieces(patient, camera, vessels, hold)
    shape = (camera.size, camera.size)
    peak = np.zeros((*shape, 1), dtype=np.float32)
    inside = np.zeros(shape, dtype=np.bool_)
    arrival = np.full(shape, np.inf, dtype=np.float32)
    rows = patient.table[:, :, hold.first : hold.last].max(axis=2).reshape(-1, 1)
    draw(peak, picked.values, picked.rows, rows, (camera.pixel_mm, BIN_S))
    mark(inside, arrival, picked.values, camera.pixel_mm)
    return Shown(peak[..., 0] * np.float32(patient.mu), inside, arrival)
