"""Volumes as SimpleITK sees them. Its physical space is ours here: right, anterior, superior."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid
from bolus.prepare.pose import about_centre
from bolus.prepare.shear import straight, straightened


def as_image(volume: Volume, grid: Grid) -> Any:
    """Wrap a volume `(x, y, z)` as a SimpleITK image on its grid, whose axes must be at right angles."""
    import SimpleITK as sitk  # noqa: N813, PLC0415 - 90 MB that only moving heads need

    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    spacing = np.array(grid.spacing_mm)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetDirection((grid.affine[:3, :3] / spacing).ravel().tolist())
    return image


def resampled(volume: Volume, grid: Grid, pose: Float64s, *, order: Literal[1, 3] = 1) -> Volume:
    """Read a frame where a pose says that the points of the reference have gone.

    Parameters
    ----------
    volume
        Shape `(x, y, z)`, finite.
    grid
        Of frame and reference; may be sheared by a tilted gantry.
    pose
        Reference to frame about the centre of the grid, shape `(4, 4)`.
    order
        1 for linear interpolation, 3 for cubic B-splines.

    Returns
    -------
    The frame on the reference, shape `(x, y, z)`. Beyond the volume its nearest voxel goes on: next to
    the first and last slice that is the same tissue, which air would not be.
    """
    import SimpleITK as sitk  # noqa: N813, PLC0415 - as above

    upright = straight(grid)
    image = as_image(straightened(volume, grid, order=order), upright)
    # images of SimpleITK have no shear, so the transform first takes the upright grid's points to ours
    to_frame = about_centre(pose, grid) @ grid.affine @ np.linalg.inv(upright.affine)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_frame[:3, :3].ravel().tolist())
    transform.SetTranslation(to_frame[:3, 3].tolist())
    turn = sitk.ResampleImageFilter()
    turn.SetNumberOfThreads(1)
    turn.SetReferenceImage(image)
    turn.SetTransform(transform)
    turn.SetInterpolator(sitk.sitkBSpline3 if order == 3 else sitk.sitkLinear)
    turn.SetUseNearestNeighborExtrapolator(True)
    result: Volume = sitk.GetArrayFromImage(turn.Execute(image)).T
    return result
