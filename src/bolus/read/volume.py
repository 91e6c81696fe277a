"""Maps that others made, brought onto a series' grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from scipy.ndimage import map_coordinates

from bolus.core.arrays import Float64s, Volume
from bolus.core.errors import BadGeometry, UnreadableFile
from bolus.core.grid import Grid, canonical, same_place, turn_canonical
from bolus.read.mask import values_of
from bolus.read.nifti.header import read_header

_TO_RAS: Final = np.diag([-1.0, -1.0, 1.0])
_TOLERANCE_MM: Final = 0.1
_UNEVEN: Final = 0.1
"""Part of the usual step by which another may differ."""


def load_volume(path: Path, grid: Grid) -> Volume:
    """Read a map and interpolate it linearly on a series' grid.

    Parameters
    ----------
    path
        NIfTI file of three axes, or a DICOM folder with a file a slice.
    grid
        The series' grid.

    Returns
    -------
    Values in the file's own unit, shape `(x, y, z)` of the grid; NaN beyond the map.

    Raises
    ------
    UnreadableFile
        If there is no such image, or it is damaged.
    BadGeometry
        If it is not one volume, lacks a slice or holds one twice, or does not reach the grid.
    """
    values, own = _from_dicom(path) if path.is_dir() else _from_nifti(path)
    if same_place(own, grid, _TOLERANCE_MM):
        return values
    index = own.index_of(grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1)))
    found = map_coordinates(
        np.pad(values, ((0, 0), (0, 0), (1, 1)), mode="edge"),
        np.moveaxis(index + np.array([0.0, 0.0, 1.0]), -1, 0),
        order=1,
        mode="constant",
        cval=np.nan,
    )
    beyond = (index[..., 2] < -0.5) | (index[..., 2] > own.shape[2] - 0.5)  # half a slice is still the slice
    found = np.where(beyond, np.nan, found).astype(np.float32)
    if not np.isfinite(found).any():
        raise BadGeometry("the map lies elsewhere than the series", wanted="the same patient", where=path)
    return found


def _from_nifti(path: Path) -> tuple[Volume, Grid]:
    image = read_header(path)
    if len(image.shape) != 3:
        shape = " x ".join(map(str, image.shape))
        raise BadGeometry("the map is not a volume", wanted="three axes", found=shape, where=path)
    own = canonical((image.shape[0], image.shape[1], image.shape[2]), image.affine)
    return values_of(image, own), own


def _from_dicom(folder: Path) -> tuple[Volume, Grid]:
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."]
    slices = [_slice(path) for path in paths]
    if not slices:
        raise UnreadableFile("the folder of the map is empty", where=folder)
    along = np.cross(slices[0].ImageOrientationPatient[:3], slices[0].ImageOrientationPatient[3:])
    slices.sort(key=lambda one: float(along @ np.array(one.ImagePositionPatient, dtype=np.float64)))
    if len({(one.Rows, one.Columns, tuple(one.PixelSpacing)) for one in slices}) > 1:
        raise BadGeometry("slices of the map differ in size", where=folder)
    affine = _affine(slices, folder)
    stored = np.stack([_rescaled(one).T for one in slices], axis=-1)
    own = canonical((stored.shape[0], stored.shape[1], stored.shape[2]), affine)
    return np.ascontiguousarray(turn_canonical(stored, own)), own


def _slice(path: Path) -> Any:
    try:
        found = pydicom.dcmread(path)
        _ = found.pixel_array, found.ImagePositionPatient, found.ImageOrientationPatient, found.PixelSpacing
    except (OSError, InvalidDicomError, AttributeError, ValueError, RuntimeError) as error:
        raise UnreadableFile("no slice of a map", where=path, found=type(error).__name__) from error
    if found.pixel_array.ndim != 2:
        shape = " x ".join(map(str, found.pixel_array.shape))
        raise BadGeometry("a slice of the map is no grey image", wanted="two axes", found=shape, where=path)
    return found


def _rescaled(one: Any) -> Volume:
    slope, intercept = (float(one.get(n, d)) for n, d in (("RescaleSlope", 1), ("RescaleIntercept", 0)))
    return np.asarray(one.pixel_array * slope + intercept, dtype=np.float32)


def _affine(slices: list[Any], folder: Path) -> Float64s:
    """Return the affine of slices in order (RAS) [mm]; one alone is as thick as it says."""
    directions = np.array(slices[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    places: Float64s = np.array([one.ImagePositionPatient for one in slices], dtype=np.float64)
    step = (
        _step(places, folder)
        if len(slices) > 1
        else np.cross(*directions) * float(slices[0].get("SliceThickness") or 1.0)
    )
    down, across = (float(mm) for mm in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, :3] = _TO_RAS @ np.column_stack([directions[0] * across, directions[1] * down, step])
    affine[:3, 3] = _TO_RAS @ places[0]
    return affine


def _step(places: Float64s, folder: Path) -> Float64s:
    """Return the way from slice to slice, which must be the same throughout [mm]."""
    ways = np.diff(places, axis=0)
    usual = np.median(ways, axis=0)
    gap = float(np.linalg.norm(usual))
    worst = float(np.linalg.norm(ways - usual, axis=1).max())
    if worst > max(_UNEVEN * gap, _TOLERANCE_MM):
        raise BadGeometry(
            "slices of the map are not evenly spaced: one is missing, or is there twice",
            wanted=f"steps of {gap:.2f} mm",
            found=f"one that differs by {worst:.2f} mm",
            where=folder,
        )
    return np.asarray((places[-1] - places[0]) / (len(places) - 1))
