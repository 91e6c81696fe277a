"""Array types by what they hold, and the one way to lock an array."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Any floating-point array."""
Float32s: TypeAlias = NDArray[np.float32]
"""Images, curves and maps."""
Float64s: TypeAlias = NDArray[np.float64]
"""Times, affines and statistics."""
Frames: TypeAlias = NDArray[Any]
"""A series, shape `(x, y, z, t)`: float32, or stored integers with a slope and an intercept."""
Volume: TypeAlias = NDArray[np.float32]
"""One volume, shape `(x, y, z)`."""
Mask: TypeAlias = NDArray[np.bool_]
"""True inside, shape `(x, y, z)`."""
Curves: TypeAlias = NDArray[np.float32]
"""Time curves, one voxel a row, shape `(voxels, t)`."""
Curve: TypeAlias = NDArray[np.floating[Any]]
"""One time curve, shape `(t,)`."""
Times: TypeAlias = NDArray[np.float64]
"""Frame times [s], shape `(t,)`, or `(z, t)` where each slice has its own clock."""
Indices: TypeAlias = NDArray[np.intp]
"""Voxel indices, shape `(n, 3)`."""

_A = TypeVar("_A", bound=np.generic)


def locked(array: NDArray[_A]) -> NDArray[_A]:
    """Return a read-only view; the caller's own array stays writable."""
    view = array.view()
    view.flags.writeable = False
    return view
