"""Volumes as SimpleITK sees them. Its physical space is ours here: right, anterior, superior."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813  # as its own documentation does

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid
from bolus.prepare.pose import centre_of


def as_image(volume: Volume, grid: Grid) -> Any:
    """Wrap a volume `(x, y, z)` as a SimpleITK image on its grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    spacing = np.array(grid.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetDirection((grid.affine[:3, :3] / spacing).ravel().tolist())
    return image


def resampled(volume: Volume, grid: Grid, pose: Float64s) -> Volume:
    """Read a frame where a pose says that the points of the reference have gone, linearly.

    Parameters
    ----------
    volume
        Shape `(x, y, z)`, finite.
    pose
        Reference to frame about the centre of the grid, shape `(4, 4)`.

    Returns
    -------
    The frame on the reference, shape `(x, y, z)`. Beyond the volume its nearest voxel goes on: next to
    the first and last slice that is the same tissue, which air would not be.
    """
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(pose[:3, :3].ravel().tolist())
    transform.SetTranslation(pose[:3, 3].tolist())
    transform.SetCenter(centre_of(grid).tolist())
    image = as_image(volume, grid)
    turn = sitk.ResampleImageFilter()
    turn.SetNumberOfThreads(1)
    turn.SetReferenceImage(image)
    turn.SetTransform(transform)
    turn.SetInterpolator(sitk.sitkLinear)
    turn.SetUseNearestNeighborExtrapolator(True)
    result: Volume = sitk.GetArrayFromImage(turn.Execute(image)).T
    return result
