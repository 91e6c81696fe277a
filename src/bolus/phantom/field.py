"""Smooth random fields, and the noise of reconstructed images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Volume

FWHM_TO_SD = 1.0 / 2.3548
"""Full width at half maximum of a Gaussian to its standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A smooth random function of place with mean 0 and SD 1, kept on a lattice.

    Parameters
    ----------
    values
        Shape `(i, j, k)`.
    origin_mm, step_mm
        Place of the first lattice point and distance between points.
    """

    values: Float32s
    origin_mm: float
    step_mm: float

    def __call__(self, points_mm: Float32s) -> Float32s:
        """Return the field at points `(3, ...)` [mm]."""
        index = (points_mm - np.float32(self.origin_mm)) / np.float32(self.step_mm)
        sampled: Float32s = ndimage.map_coordinates(self.values, index, order=1, mode="nearest")
        return sampled


def random_field(rng: np.random.Generator, scale_mm: float, *, reach_mm: float = 125.0) -> Field:
    """Draw a field whose features are about `scale_mm` (SD of the smoothing kernel) in size.

    Parameters
    ----------
    reach_mm
        The field is defined for coordinates from minus this to plus this.
    """
    step = scale_mm / 2.0
    n = int(np.ceil(2 * reach_mm / step)) + 1
    values = ndimage.gaussian_filter(rng.standard_normal((n, n, n), dtype=np.float32), 2.0, mode="wrap")
    return Field(values / values.std(), -reach_mm, step)


def image_noise(rng: np.random.Generator, shape: tuple[int, int, int], sd: float, fwhm_px: float) -> Volume:
    """Draw noise as reconstruction leaves it: white, blurred in the slice plane, then scaled.

    Parameters
    ----------
    shape
        Voxels along `(x, y, z)`.
    sd
        Standard deviation after blurring, in the unit of the image.
    fwhm_px
        Full width at half maximum of the blur [pixels]; 0 leaves the noise white.
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    if fwhm_px > 0:
        kernel = gaussian_kernel(fwhm_px * FWHM_TO_SD)
        for axis in (0, 1):
            noise = ndimage.correlate1d(noise, kernel, axis=axis, mode="wrap")
        sd /= float(np.sum(kernel**2))  # the SD that two passes leave of white noise
    return np.multiply(noise, np.float32(sd), out=noise)


def gaussian_kernel(sd_px: float) -> NDArray[np.float64]:
    """Return a Gaussian that sums to 1, cut at 3 standard deviations, shape `(odd,)`."""
    reach = max(1, int(np.ceil(3 * sd_px)))
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / sd_px) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)
