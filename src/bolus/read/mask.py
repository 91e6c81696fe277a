"""Masks that users give."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from bolus.core.arrays import Mask
from bolus.core.errors import BadGeometry, BadInput, UnreadableFile
from bolus.core.grid import Grid, canonical, same_place, turn_canonical

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
        If the file cannot be read.
    BadGeometry
        If it does not lie on the grid.
    BadInput
        If it is empty.
    """
    try:
        image = nib.Nifti1Image.from_filename(path)
        stored = np.asanyarray(image.dataobj)
    except (OSError, ValueError, EOFError, ImageFileError, WrapStructError, HeaderDataError) as error:
        raise UnreadableFile("the mask cannot be read", where=path, found=str(error)) from error
    if stored.ndim != 3:
        raise BadGeometry(
            "the mask is not a volume", wanted="three axes", found=str(stored.shape), where=path
        )
    own = canonical(stored.shape, image.affine)
    if not same_place(own, grid, _TOLERANCE_MM):
        raise BadGeometry(
            "the mask does not lie on the series",
            wanted=f"shape {grid.shape} and the series' affine",
            found=f"shape {own.shape}",
            where=path,
            remedy="Draw or resample it on one of the maps that bolus wrote for this series.",
        )
    inside: Mask = np.nan_to_num(turn_canonical(stored, own)) > 0
    if not inside.any():
        raise BadInput("the mask is empty", wanted="voxels above 0", where=path)
    return inside
