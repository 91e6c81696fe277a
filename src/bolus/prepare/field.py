"""Which part of an X-ray image was exposed: everything inside shutters and collimators."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Mask
from bolus.core.series import Series
from bolus.core.units import Unit

_STILL: Final = 0.1
"""A pixel that changes by less than this share of the usual has no noise: it was painted over."""
_SHADOW_NAT: Final = 2.5
"""Density above the median of the image that only a collimator has [nat]: the densest bone adds 1.5."""
_THIN_PX: Final = 2
"""Lines narrower than twice this are no border."""
_SMALLEST: Final = 0.1
"""Share of the image below which what is left is no field: then all of it is."""
_ROWS: Final = 64


def find_field(series: Series) -> Mask:
    """Find the exposed field of an X-ray run.

    Shutters, whether drawn by the scanner or made of lead, are dark or painted over, do not change with
    time, and begin at the edge of the image.

    Parameters
    ----------
    series
        A run, shape `(x, y, 1, t)`, as read or in nat.

    Returns
    -------
    True inside, shape `(x, y, 1)`: the largest part of the image, holes filled, without what touches its edge
    and has less than a tenth of the usual change over time, or lies 2.5 nat above the median (runs in nat).
    All of the image where less than a tenth of it would be left.
    """
    change, level = _statistics(series)
    border = _painted(change)
    if series.unit is Unit.NAT:
        border |= level > float(np.median(level)) + _SHADOW_NAT
    field = _inside(_from_edge(border))
    if field.mean() < _SMALLEST:
        field = np.ones_like(field)
    return np.asarray(field[:, :, None])


def _statistics(series: Series) -> tuple[Float32s, Float32s]:
    """Return how far each pixel changes over time, and its mean, shape `(x, y)` each."""
    change = np.empty(series.grid.shape[:2], dtype=np.float32)
    level = np.empty_like(change)
    for x in range(0, len(change), _ROWS):
        block = series.frames[x : x + _ROWS, :, 0]
        change[x : x + _ROWS] = block.max(axis=-1).astype(np.float32) - block.min(axis=-1)
        level[x : x + _ROWS] = block.mean(axis=-1, dtype=np.float32)
    return change, level


def _painted(change: Float32s) -> NDArray[np.bool_]:
    moving = change[change > 0]
    usual = float(np.median(moving)) if moving.size else 0.0
    return np.asarray(change < _STILL * usual) if usual else np.zeros(change.shape, dtype=np.bool_)


def _from_edge(border: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that touch the edge of the image, thin lines aside, shape `(x, y)`."""
    size = 2 * _THIN_PX + 1
    solid = ndimage.binary_opening(np.pad(border, size, mode="edge"), np.ones((size, size), dtype=np.bool_))
    labels, _ = ndimage.label(solid[size:-size, size:-size])
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, np.unique(rim[rim > 0]))


def _inside(outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest part of what is left, without holes, shape `(x, y)`."""
    labels, n = ndimage.label(~outside)
    if n == 0:
        return np.zeros_like(outside)
    largest = int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    return np.asarray(ndimage.binary_fill_holes(labels == largest), dtype=np.bool_)
