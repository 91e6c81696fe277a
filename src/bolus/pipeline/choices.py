"""Choices that would be refused after minutes of work, refused before it."""

from __future__ import annotations

import numpy as np

from bolus import deconvolve, quantify
from bolus.core.recipe import Recipe

_FRAMES = 32


def require_solvable(recipe: Recipe) -> None:
    """Make sure that a method of deconvolution takes its options, and that times can be counted as wanted.

    The options are tried on one curve that is made up, because only the method knows their range.

    Parameters
    ----------
    recipe
        Settled for its modality.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range, or the origin of TTP is unknown.
    """
    quantify.require_origin(recipe.ttp_origin)
    if recipe.method in deconvolve.METHODS and recipe.method_options:
        method = deconvolve.method_of(recipe.method)
        deconvolve.check_options(method, recipe.method_options)
        times = np.arange(_FRAMES, dtype=np.float64)
        artery = np.maximum(times - 6, 0) ** 3 * np.exp(-np.maximum(times - 6, 0) / 1.5)
        method(0.05 * artery[None].astype(np.float32), artery, 1.0, **recipe.method_options)
