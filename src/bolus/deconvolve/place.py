"""Where curves are: in memory, or on a device whose arrays speak the same language (PyTorch).

Methods take curves wherever they are. What is learned of an arterial curve is small and made here, by the
same functions for all; the products with a million curves happen beside the curves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from bolus.core.arrays import Floats

Place: TypeAlias = Callable[[Floats], Any]
"""Puts a block of curves on a device, such as `bolus.learn.on_device` gives; the result has `@`, `device`."""


def is_here(array: Any) -> bool:
    """Tell whether an array is in memory (or a list of numbers that will be)."""
    return not hasattr(array, "device") or isinstance(array, np.ndarray)


def namespace(array: Any) -> Any:
    """Return the module that an array belongs to, with `exp`, `abs`, `amax` and the like: numpy or torch."""
    return np if is_here(array) else sys.modules[type(array).__module__.partition(".")[0]]


def beside(values: Any, array: Any) -> Any:
    """Put values beside an array, in its precision."""
    if is_here(array):
        return np.asarray(values).astype(array.dtype, copy=False)
    return namespace(array).as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=array.device)


def fetched(array: Any) -> Floats:
    """Bring an array back to memory."""
    return np.asarray(array if is_here(array) else array.cpu())


def product(curves: Any, matrix: Floats) -> Floats:
    """Multiply curves `(voxels, t)` with a matrix `(t, n)` where they are; the result is in memory."""
    # infinite samples make invalid products; their voxels come out as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        return fetched(curves @ beside(matrix, curves))
