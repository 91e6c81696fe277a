"""Volumes as NIfTI, in the geometry in which the series was stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s, Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import PROJECTION_WINDOWS, WINDOWS, Map
from bolus.core.units import Unit

_SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
_SHEAR_TOLERANCE = 1e-4


def write_map(path: Path, made: Map) -> None:
    """Write a map as float32, with its name as intent, its unit and its display window."""
    write_volume(path, made.values, made.grid, intent="estimate", name=made.name, unit=made.unit.value)


def write_deviation(path: Path, made: Map) -> None:
    """Write the standard deviations of a map, which must have them."""
    if made.sd is None:
        raise ValueError(f"the {made.name} map has no standard deviations")
    write_volume(path, made.sd, made.grid, intent="estimate", name=f"{made.name} SD", unit=made.unit.value)


def write_mask(path: Path, mask: Mask, grid: Grid, name: str) -> None:
    """Write a mask as uint8: 1 inside, 0 outside."""
    write_volume(path, mask.astype(np.uint8), grid, intent="label", name=name, unit="")


def write_chance(path: Path, chance: Volume, grid: Grid, name: str) -> None:
    """Write the chance of each voxel to belong to a region: float32, 0 to 1."""
    write_volume(path, chance, grid, intent="estimate", name=f"P({name})", unit="1")


def write_volume(path: Path, values: NDArray[Any], grid: Grid, *, intent: str, name: str, unit: str) -> None:
    """Write a volume in the axis order and the place of the file that the series came from.

    Parameters
    ----------
    path
        Ends in `.nii` or `.nii.gz`.
    values
        Shape `(x, y, z)` of `grid`; written in its own type, floats as float32.
    intent
        NIfTI intent: `estimate` or `label`.
    name, unit
        What a value is, for the header.

    Raises
    ------
    ShapeMismatch
        If the array does not fit the grid.

    Notes
    -----
    A sheared affine (tilted gantry) cannot be a quaternion: then only the sform is set, because a
    nearly right qform would put voxels at a wrong place without a word.
    """
    stored, affine = grid.stored(values)
    kind = np.float32 if np.issubdtype(stored.dtype, np.floating) else stored.dtype
    image = nib.Nifti1Image(np.ascontiguousarray(stored, dtype=kind), affine)
    image.set_sform(affine, code=_SCANNER)
    image.set_qform(affine, code=0 if _is_sheared(affine) else _SCANNER)
    header = image.header
    header.set_xyzt_units(xyz="mm", t="sec")
    header.set_intent(intent, name=name[:15])
    header["descrip"] = f"{name} [{unit}] bolus"[:79] if unit else f"{name} bolus"[:79]
    relative = PROJECTION_WINDOWS if unit in {Unit.RATIO, Unit.PER_SECOND} else {}
    window = relative.get(name) or WINDOWS.get(name)
    if window:
        header["cal_min"], header["cal_max"] = window
    nib.save(image, path)


def _is_sheared(affine: Float64s) -> bool:
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR_TOLERANCE)
