"""Volumes as SimpleITK sees them. Its physical space is ours here: right, anterior, superior."""

from __future__ import annotations

from typing import Any

import numpy as np

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid


def as_image(volume: Volume, grid: Grid) -> Any:
    """Wrap a volume `(x, y, z)` as a SimpleITK image on its grid, whose axes must be at right angles."""
    import SimpleITK as sitk  # noqa: N813, PLC0415 - 90 MB that most studies do without

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    spacing = np.array(grid.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetDirection((grid.affine[:3, :3] / spacing).ravel().tolist())
    return image


def splined(volume: Volume, grid: Grid, to_frame: Float64s) -> Volume:
    """Read a volume by cubic B-splines where a transform takes the points of its grid.

    Parameters
    ----------
    volume
        Shape `(x, y, z)`, finite.
    grid
        Of the volume, with axes at right angles.
    to_frame
        Affine transform of patient coordinates [mm], shape `(4, 4)`.

    Returns
    -------
    Shape `(x, y, z)`; beyond the volume its nearest voxel goes on.
    """
    import SimpleITK as sitk  # noqa: N813, PLC0415 - as above

    image = as_image(volume, grid)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_frame[:3, :3].ravel().tolist())
    transform.SetTranslation(to_frame[:3, 3].tolist())
    turn = sitk.ResampleImageFilter()
    turn.SetNumberOfThreads(1)
    turn.SetReferenceImage(image)
    turn.SetTransform(transform)
    turn.SetInterpolator(sitk.sitkBSpline3)
    turn.SetUseNearestNeighborExtrapolator(True)
    result: Volume = sitk.GetArrayFromImage(turn.Execute(image)).T
    return result
