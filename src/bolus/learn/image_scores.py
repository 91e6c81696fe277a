"""How alike two maps of a slice are: errors, signal to noise and structure, on the whole or in the brain."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from bolus.core.arrays import Float64s, Floats, Mask
from bolus.core.errors import ShapeMismatch

SIGNED: Final = 2.0
"""Range of maps from -1 to 1."""
UNIFORM_PX, GAUSSIAN_PX, GAUSSIAN_SD_PX = 7, 11, 1.5
"""Windows of the structural similarity [pixels]."""
K1, K2 = 0.01, 0.03


def mae(found: Floats, truth: Floats, inside: Mask | None = None) -> float:
    """Return the mean absolute error of a map `(y, x)`, in its unit; all pixels, or those `inside`."""
    return float(np.mean(np.abs(_differences(found, truth, inside))))


def mse(found: Floats, truth: Floats, inside: Mask | None = None) -> float:
    """Return the mean squared error of a map `(y, x)`, in its unit squared; all pixels, or those `inside`."""
    return float(np.mean(_differences(found, truth, inside) ** 2))


def nrmse(found: Floats, truth: Floats, inside: Mask | None = None) -> float:
    """Return the root mean squared error over the root mean square of the truth; NaN where that is 0.

    References
    ----------
    Kossen et al., Front Neurol 13:1051397 (2023), doi:10.3389/fneur.2022.1051397
    """
    level = mse(truth, np.zeros_like(truth), inside)
    return float(np.sqrt(mse(found, truth, inside) / level)) if level > 0 else float("nan")


def psnr(found: Floats, truth: Floats, inside: Mask | None = None, *, data_range: float = SIGNED) -> float:
    """Return the peak signal over noise, ``10 log10(range^2 / MSE)`` [dB]; infinite for equal maps.

    Parameters
    ----------
    found, truth
        Maps, shape `(y, x)`.
    inside
        Pixels that count; None: all.
    data_range
        Greatest less least possible value, in the unit of the maps.
    """
    error = mse(found, truth, inside)
    return float(10.0 * np.log10(data_range**2 / error)) if error > 0 else float("inf")


def ssim(
    found: Floats,
    truth: Floats,
    inside: Mask | None = None,
    *,
    window: Literal["uniform", "gaussian"] = "uniform",
    data_range: float = SIGNED,
) -> float:
    """Return the mean structural similarity of two maps, over windows that lie in the image as a whole.

    Parameters
    ----------
    found, truth
        Maps, shape `(y, x)`.
    inside
        Pixels whose windows count; None: all. Background that is empty in both is alike and raises the mean.
    window
        `uniform`: 7 x 7 pixels with variances of samples, as the code of the DSC paper calls scikit-image;
        `gaussian`: 11 x 11 with SD 1.5, as it was first described.
    data_range
        Greatest less least possible value, in the unit of the maps.

    Returns
    -------
    1 for equal maps; NaN where no window counts.

    References
    ----------
    Wang et al., IEEE Trans Image Process 13:600-612 (2004), doi:10.1109/TIP.2003.819861
    """
    local = _similarity(np.asarray(found, np.float64), np.asarray(truth, np.float64), window, data_range)
    counted = local if inside is None else local[_cropped(inside, window)]
    return float(counted.mean()) if counted.size else float("nan")


def image_scores(
    found: Floats, truth: Floats, brain: Mask | None = None, *, data_range: float = SIGNED
) -> dict[str, float]:
    """Return all scores of a map by name: of the whole slice, and `... in brain` where a mask is given.

    Parameters
    ----------
    found, truth
        Maps on one scale, shape `(y, x)`.
    brain
        Shape `(y, x)`; a slice without brain has no scores in it (NaN).
    data_range
        Greatest less least possible value of that scale.

    Raises
    ------
    ShapeMismatch
        If the maps or the mask differ in shape.
    """
    _require_same_shape(found, truth)
    whole = _all_scores(found, truth, None, data_range)
    if brain is None:
        return whole
    _require_same_shape(brain, truth)
    within = _all_scores(found, truth, brain, data_range) if brain.any() else dict.fromkeys(whole, np.nan)
    return whole | {f"{name} in brain": value for name, value in within.items()}


def _all_scores(found: Floats, truth: Floats, inside: Mask | None, data_range: float) -> dict[str, float]:
    return {
        "MAE": mae(found, truth, inside),
        "MSE": mse(found, truth, inside),
        "NRMSE": nrmse(found, truth, inside),
        "PSNR": psnr(found, truth, inside, data_range=data_range),
        "SSIM": ssim(found, truth, inside, data_range=data_range),
        "SSIM gaussian": ssim(found, truth, inside, window="gaussian", data_range=data_range),
    }


def _differences(found: Floats, truth: Floats, inside: Mask | None) -> Float64s:
    difference = np.asarray(found, np.float64) - np.asarray(truth, np.float64)
    return difference if inside is None else difference[inside]


def _similarity(found: Float64s, truth: Float64s, window: str, data_range: float) -> Float64s:
    """Return the similarity of each window, shape `(y, x)` less the window's margins."""
    kernel = _kernel(window)

    def mean(image: Float64s) -> Float64s:
        for axis in (0, 1):
            image = correlate1d(image, kernel, axis=axis)
        return image[_interior(window)]

    one, other = mean(found), mean(truth)
    # Variances of samples with the uniform window, of all values with the Gaussian one.
    n = kernel.size**2
    factor = n / (n - 1) if window == "uniform" else 1.0
    spread_one, spread_other = (
        factor * (mean(image**2) - middle**2) for image, middle in ((found, one), (truth, other))
    )
    common = factor * (mean(found * truth) - one * other)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    alike = (2 * one * other + c1) * (2 * common + c2)
    return np.asarray(alike / ((one**2 + other**2 + c1) * (spread_one + spread_other + c2)), dtype=np.float64)


def _kernel(window: str) -> Float64s:
    if window == "uniform":
        return np.full(UNIFORM_PX, 1.0 / UNIFORM_PX)
    at = np.arange(GAUSSIAN_PX) - GAUSSIAN_PX // 2
    kernel = np.exp(-0.5 * (at / GAUSSIAN_SD_PX) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def _interior(window: str) -> tuple[slice, slice]:
    margin = (UNIFORM_PX if window == "uniform" else GAUSSIAN_PX) // 2
    return slice(margin, -margin), slice(margin, -margin)


def _cropped(inside: Mask, window: str) -> Mask:
    return np.asarray(inside[_interior(window)], dtype=bool)


def _require_same_shape(found: NDArray[np.generic], truth: NDArray[np.generic]) -> None:
    if found.shape != truth.shape:
        raise ShapeMismatch("maps differ in shape", wanted=str(truth.shape), found=str(found.shape))
