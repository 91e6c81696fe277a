"""Volumes as SimpleITK sees them. Its physical space is ours here: right, anterior, superior."""

from __future__ import annotations

from typing import Any

import numpy as np

from bolus.core.arrays import Volume
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
