"""Masks that users give."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bolus.core.arrays import Frames, Mask
from bolus.core.errors import BadGeometry, BadInput
from bolus.core.grid import Grid, same_place
from bolus.read.nifti.header import StoredImage, read_header
from bolus.read.nifti.values import read_values
from bolus.read.placement import place_onto

_TOLERANCE_MM = 0.1


def load_mask(path: Path, grid: Grid) -> Mask:
    """Read a NIfTI mask that lies on a series' grid.

    Parameters
    ----------
    path
        NIfTI file, three axes in any stored order; voxels above 0 are inside.
    grid
        The series' grid.

    Returns
    -------
    Shape `(x, y, z)` of the grid.

    Raises
    ------
    UnreadableFile
        If the file is no NIfTI image, is damaged, or claims what it cannot hold.
    BadGeometry
        If it does not lie on the grid.
    BadInput
        If it is empty.
    """
    image = read_header(path)
    if len(image.shape) != 3:
        raise BadGeometry(
            "the mask is not a volume",
            wanted="three axes",
            found=" x ".join(map(str, image.shape)),
            where=path,
            remedy="Give one volume, as large as one frame of the series.",
        )
    own = place_onto(image.shape, image.affine, grid)
    if not same_place(own, grid, _TOLERANCE_MM):
        raise BadGeometry(
            "the mask does not lie on the series",
            wanted=f"shape {grid.shape} and the series' affine",
            found=f"shape {own.shape}",
            where=path,
            remedy="Draw or resample it on one of the maps that bolus wrote for this series.",
        )
    values = values_of(image, own)
    inside: Mask = values > 0
    if not inside.any():
        raise BadInput(
            "the mask is empty",
            wanted="voxels above 0",
            where=path,
            remedy="Draw it again, or leave it away.",
        )
    return inside


def values_of(image: StoredImage, grid: Grid) -> Frames:
    """Return the values of a NIfTI volume on a grid made from its affine, shape `(x, y, z)`."""
    stored, _ = read_values(image, grid)
    slope, intercept = image.scale_of(stored)
    return stored[..., 0] * np.float32(slope) + np.float32(intercept)
