"""The reference that frames are aligned to, reduced to the points that tell motion best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from bolus.core.arrays import Float64s, Mask, Volume
from bolus.core.errors import NoBrain
from bolus.core.grid import Grid
from bolus.core.units import Modality
from bolus.prepare.pose import LEVER_MM, MAX_SLAB, centre_of, freedoms
from bolus.prepare.shapes import blurred
from bolus.prepare.shear import straight, straightened

BETWEEN_SLICES = 0.5
"""SD of the full level's blur along the slice axis [slices]. Without it a fit is drawn to poses that put
slices on slices: what is read between thick slices is blurred, what is read on one is not."""
LEAST_POINTS, MAX_POINTS = 5_000, 40_000
EDGES: Final = {Modality.CT: 0.01, Modality.MR: 0.3}
"""Part of the head's voxels that the full level looks at: those with the strongest edges. In CT these are
the skull's, which contrast does not change; in MR the outline's, which thick slices change most, so it
takes more of them."""
_MIN_POINTS = 50


@dataclass(frozen=True, slots=True)
class Level:
    """A resolution: pixels are averaged `factor` by `factor` in the slice plane, then blurred.

    Parameters
    ----------
    factor
        Pixels a side.
    blur_mm
        SD of the blur in the slice plane [mm].
    modality
        CT values are cropped, so that contrast does not drive the alignment.
    between
        SD of the blur along the slice axis [slices].
    share
        Part of the head's voxels that is looked at: those with the strongest edges.
    """

    factor: int
    blur_mm: float
    modality: Modality
    between: float = 0.0
    share: float = 1.0

    def image(self, volume: Volume, grid: Grid) -> Volume:
        """Return a frame `(x, y, z)` at this level, upright, without values that are not finite."""
        values = cropped(volume) if self.modality is Modality.CT else np.nan_to_num(volume)
        own = self.grid(grid)
        image: Volume = blurred(binned(straightened(values, grid), self.factor), own, self.blur_mm)
        if self.between > 0:
            image = gaussian_filter1d(image, self.between, axis=2, mode="nearest")
        return image

    def grid(self, grid: Grid) -> Grid:
        """Return the grid of this level's images: its slices lie straight above each other."""
        nx, ny, nz = grid.shape
        scale = np.diag([self.factor, self.factor, 1.0, 1.0])
        scale[:2, 3] = (self.factor - 1) / 2
        return Grid((nx // self.factor, ny // self.factor, nz), straight(grid).affine @ scale)


def levels(grid: Grid, modality: Modality) -> tuple[Level, Level]:
    """Return the coarse and the full resolution (Gava 2023: two levels, 8 times down-sampled, then full).

    Slices are not thinned out, being thick. Pixels of the coarse level are about 7 mm wide, which is 8 for
    0.86 mm, and at least four of them make a side; pixels much under 0.8 mm are binned for the full level.
    """
    pixel = max(grid.spacing_mm[:2])
    most = max(1, min(grid.shape[:2]) // 4)
    coarse, full = (max(1, min(round(wide / pixel), most)) for wide in (7.0, 0.8))
    between = BETWEEN_SLICES if grid.shape[2] > MAX_SLAB else 0.0
    return Level(coarse, 4.0, modality), Level(full, 0.7, modality, between, EDGES[modality])


def cropped(volume: Volume) -> Volume:
    """Crop CT values to 0-100 HU and, above that, to bone of 400-1000 HU.

    What contrast adds to a vessel lies between and is not seen.
    """
    bone = np.clip(volume, 400.0, 1000.0)
    soft: Volume = np.nan_to_num(np.clip(volume, 0.0, 100.0) + bone - 400.0).astype(np.float32)
    return soft


def binned(volume: Volume, factor: int) -> Volume:
    """Average squares of pixels, shape `(x // factor, y // factor, z)`."""
    if factor == 1:
        return volume
    nx, ny, nz = volume.shape[0] // factor, volume.shape[1] // factor, volume.shape[2]
    blocks = volume[: nx * factor, : ny * factor].reshape(nx, factor, ny, factor, nz)
    mean: Volume = blocks.mean(axis=(1, 3))
    return mean


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Points of the reference at one level, and how they change with motion.

    Parameters
    ----------
    level
        The resolution.
    points
        Places about the volume's centre (RAS) [mm], shape `(n, 3)`.
    values
        The reference there, shape `(n,)`.
    slopes
        Change of `values` with each free motion, shape `(n, f)`.
    nuisance
        What else may change a frame and is not motion, shape `(n, m)`.
    basis
        The free motions as twists, shape `(6, f)`.
    to_index
        Points to voxel indices at this level, shape `(4, 4)`.
    """

    level: Level
    points: Float64s
    values: Float64s
    slopes: Float64s
    nuisance: Float64s
    basis: Float64s
    to_index: Float64s


def make_template(reference: Volume, head: Mask, grid: Grid, level: Level) -> Template:
    """Pick the points of a head with the strongest edges, and the slopes there.

    Raises
    ------
    NoBrain
        If the head has no edges to align.
    """
    image, own = level.image(reference, grid), level.grid(grid)
    gradient = _gradient(image) @ np.linalg.inv(own.affine[:3, :3])
    inside = binned(straightened(head.astype(np.float32), grid), level.factor) > 0.5
    strength = np.where(inside, np.sum(gradient**2, axis=-1), 0.0)
    n = min(MAX_POINTS, max(LEAST_POINTS, int(level.share * inside.sum())))
    chosen = np.sort(np.argsort(strength, axis=None)[-n:])
    chosen = chosen[strength.ravel()[chosen] > 0]
    if chosen.size < _MIN_POINTS:
        raise NoBrain(
            "the frames show no head to align",
            wanted="a head with edges",
            found=f"{chosen.size} points with an edge",
            remedy="Check that this is a head series in the right unit, or switch motion correction off.",
        )
    index = np.stack(np.unravel_index(chosen, image.shape), axis=1)
    points = own.position_mm(index) - centre_of(grid)
    slopes = gradient.reshape(-1, 3)[chosen]
    twists = np.hstack([slopes, np.cross(points, slopes) / LEVER_MM])
    values = image.ravel()[chosen].astype(np.float64)
    shift = np.eye(4)
    shift[:3, 3] = centre_of(grid)
    basis = freedoms(grid)
    return Template(
        level,
        points,
        values,
        twists @ basis,
        _nuisance(values, points, level.modality),
        basis,
        np.linalg.inv(own.affine) @ shift,
    )


def _gradient(image: Volume) -> Float64s:
    """Return the change a voxel along each axis, shape `(x, y, z, 3)`; 0 along an axis of one voxel."""
    slopes = np.zeros((*image.shape, 3))
    for axis in range(3):
        if image.shape[axis] > 1:
            slopes[..., axis] = np.gradient(image.astype(np.float64), axis=axis)
    return slopes


def _nuisance(values: Float64s, points: Float64s, modality: Modality) -> Float64s:
    """Return an offset and a gain; for MR also a gain with two bends and gains that vary over the head.

    The signal of DSC-MRI falls by half when the bolus comes, more in grey matter than in white, and
    sooner on one side than the other.
    """
    scaled = (values - values.mean()) / max(float(values.std()), 1e-12)
    columns = [np.ones_like(scaled), scaled]
    if modality is not Modality.CT:
        columns += [scaled**2, scaled**3, *(scaled * points[:, axis] / LEVER_MM for axis in range(3))]
    return np.stack(columns, axis=1)
