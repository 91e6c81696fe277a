"""Square frames of one size: what networks are shown, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

from bolus.core.arrays import Float32s, Float64s


class Square(Protocol):
    """Puts images of one shape into a square, and takes answers back out of it."""

    def put(self, image: Float32s) -> Float32s:
        """Put an image `(y, x)` into the square `(side, side)`; what is left over is 0."""

    def take(self, square: Float32s) -> Float32s:
        """Take an image `(y, x)` back out of a square, at its first size."""


MULTIPLE = 16
"""Sides that four halvings divide."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How images of one shape are put into a square: shrunk or enlarged by one factor, and centred.

    Parameters
    ----------
    shape
        Of the images, `(y, x)`.
    side
        Pixels of the longer side, and of the square rounded up to a multiple of 16.
    """

    shape: tuple[int, int]
    side: int

    @property
    def inner(self) -> tuple[int, int]:
        """Shape of the image in the square."""
        scale = self.side / max(self.shape)
        return max(round(self.shape[0] * scale), 1), max(round(self.shape[1] * scale), 1)

    @property
    def square(self) -> int:
        """Pixels along a side of the square."""
        return -(-self.side // MULTIPLE) * MULTIPLE

    @property
    def _window(self) -> tuple[slice, slice]:
        tops = [(self.square - n) // 2 for n in self.inner]
        return slice(tops[0], tops[0] + self.inner[0]), slice(tops[1], tops[1] + self.inner[1])

    def put(self, image: Float32s) -> Float32s:
        """Put an image `(y, x)` into the square `(side, side)`; what is left over is 0."""
        square = np.zeros((self.square, self.square), dtype=np.float32)
        square[self._window] = resampled(image, self.inner)
        return square

    def take(self, square: Float32s) -> Float32s:
        """Take the image `(y, x)` back out of a square, at its first size."""
        return resampled(square[self._window], self.shape)


@dataclass(frozen=True, slots=True)
class Field:
    """A square of so many millimetres about a point, whatever the pixels of the images measure.

    Parameters
    ----------
    shape
        Of the images, `(y, x)`.
    spacing_mm
        Distance between their pixels along y and x [mm].
    centre
        Of the square, y and x [pixels].
    field_mm, side
        What the square covers [mm], and its pixels along a side.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    centre: tuple[float, float]
    field_mm: float
    side: int

    def put(self, image: Float32s) -> Float32s:
        """Put an image `(y, x)` into the square `(side, side)`; what lies beyond the image is 0."""
        half = [0.5 * self.field_mm / step for step in self.spacing_mm]
        low = [middle + 0.5 - h for middle, h in zip(self.centre, half, strict=True)]
        high = [middle + 0.5 + h for middle, h in zip(self.centre, half, strict=True)]
        beyond = [h - n for h, n in zip(high, self.shape, strict=True)]
        margin = max(ceil(max(*(-edge for edge in low), *beyond)), 0)
        picture = Image.fromarray(np.pad(image.astype(np.float32), margin))
        box = (low[1] + margin, low[0] + margin, high[1] + margin, high[0] + margin)
        made = picture.resize((self.side, self.side), Image.Resampling.BILINEAR, box=box)
        return np.asarray(made, dtype=np.float32)

    def take(self, square: Float32s) -> Float32s:
        """Take the image `(y, x)` back out of a square, at its first size; NaN beyond the square."""
        places = np.meshgrid(*(self._places(axis) for axis in (0, 1)), indexing="ij")
        found = map_coordinates(square, places, order=1, mode="nearest", output=np.float32)
        outside = np.any([(place < -0.5) | (place > self.side - 0.5) for place in places], axis=0)
        return np.where(outside, np.float32(np.nan), found)

    def _places(self, axis: int) -> Float64s:
        """Return where the pixels of an axis lie in the square [its pixels]."""
        away_mm = (np.arange(self.shape[axis]) - self.centre[axis]) * self.spacing_mm[axis]
        return np.asarray((away_mm / self.field_mm + 0.5) * self.side - 0.5, dtype=np.float64)


def resampled(image: Float32s, shape: tuple[int, int]) -> Float32s:
    """Resample an image `(y, x)` linearly; where it shrinks, with a triangle as wide as the new pixels."""
    if image.shape == shape:
        return np.asarray(image, dtype=np.float32)
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    made = picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(made, dtype=np.float32)
