"""Square frames of one size: what networks are shown, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from bolus.core.arrays import Float32s

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


def resampled(image: Float32s, shape: tuple[int, int]) -> Float32s:
    """Resample an image `(y, x)` linearly; where it shrinks, with a triangle as wide as the new pixels."""
    if image.shape == shape:
        return np.asarray(image, dtype=np.float32)
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    made = picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(made, dtype=np.float32)
