"""The brain on T2*-weighted MR, where the skull is dark, the scalp is not, and fluid is brightest."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Floats, Mask, Volume
from bolus.core.finding import Finding
from bolus.core.grid import Grid
from bolus.physics.noise import MAD_TO_SD
from bolus.prepare.shapes import blurred, blurred_within, closed, filled, largest, opened

BLUR_MM, OPENING_MM, CLOSING_MM = 1.5, 4.0, 4.0
_CONTRAST = 2.5
"""Tissue is at least this much brighter than air; noise split by a threshold is not."""
_FLUID_BLUR_MM = 1.0
"""Less than half a pixel of an echo-planar image: furrows are no wider than two pixels."""
_FLUID_PERCENTILE = 99.5
"""Fluid fills several percent of every brain, so that this is the signal of voxels full of it."""
_FLUID_CONTRAST = 1.3
"""Fluid at least this much brighter than the median is told from grey matter, which is up to 1.2 times."""
_DARK = 0.25
"""Below this part of the median there is no tissue signal: the core of a vein, calcium, an old bleed."""
_SHADING_MM, _SHADING_CAP, _SHADING_ROUNDS = 20.0, 1.2, 2
"""Coils shade an image over centimetres; what is brighter than the cap is fluid and must not count."""


def outline_mr(early: Volume, grid: Grid) -> tuple[Mask, tuple[Finding, ...], Mask]:
    """Outline the brain.

    Parameters
    ----------
    early
        Mean of frames without contrast, any unit, finite, shape `(x, y, z)`.
    grid
        Where its voxels are.

    Returns
    -------
    The brain with its vessels and fluid, what was noticed, and the whole head. All false where no
    tissue stands out from air.
    """
    smooth = np.maximum(blurred(early, grid, BLUR_MM), 0.0)
    level = tissue_level(smooth)
    bright = smooth > level
    if not np.isfinite(level) or not bright.any() or bright.all():
        empty = np.zeros(early.shape, dtype=np.bool_)
        return empty, (), empty
    head = filled(bright)
    core = largest(opened(bright, grid, OPENING_MM))
    return filled(closed(core, grid, CLOSING_MM) & head), (), head


def contents_mr(early: Volume, inside: Mask, grid: Grid) -> tuple[Mask, Mask]:
    """Tell fluid, and what has no signal, inside the brain.

    Parameters
    ----------
    early
        Mean of frames without contrast, any unit, finite, shape `(x, y, z)`.
    inside
        The brain with its vessels and fluid, not empty.
    grid
        Where the voxels are.

    Returns
    -------
    Voxels that are half fluid or more, and voxels without signal.

    Notes
    -----
    Half fluid is half-way between the median and the 99.5th percentile, after coil shading was divided
    out. Fluid that is not 1.3 times as bright as the median cannot be told from grey matter; then only
    what lies three robust standard deviations above the median counts.
    """
    flat = blurred_within(early / _shading(early, inside, grid), inside, grid, _FLUID_BLUR_MM)
    values = flat[inside]
    middle, top = (float(v) for v in np.percentile(values, (50.0, _FLUID_PERCENTILE)))
    if top >= _FLUID_CONTRAST * middle:
        half = 0.5 * (middle + top)
    else:
        half = middle + 3.0 * MAD_TO_SD * float(np.median(np.abs(values - middle)))
    return inside & (flat > half), inside & (flat < _DARK * middle)


def _shading(early: Volume, inside: Mask, grid: Grid) -> Volume:
    """Return what varies slowly within each slice of the brain, 1 outside."""
    flat = np.maximum(early, 0.0)
    shading = np.ones_like(flat)
    for _ in range(_SHADING_ROUNDS):
        cap = _SHADING_CAP * max(float(np.median(flat[inside])), 1e-6)
        slow = blurred_within(np.minimum(flat, cap), inside, grid, _SHADING_MM)
        here = inside & (slow > 0)
        shading[here] *= slow[here]
        flat = np.where(here, early / shading, 0.0).astype(np.float32)
    return shading


def tissue_level(values: Floats) -> float:
    """Return a level between air and tissue; NaN where there is nothing to tell apart.

    Otsu's threshold on values clipped at their 98th percentile splits air from tissue; the level lies
    40 % of the way between the medians of the two, so that bright fluid does not move it.

    References
    ----------
    Otsu, IEEE Trans Syst Man Cybern 9:62-66 (1979), doi:10.1109/TSMC.1979.4310076
    """
    top = float(np.percentile(values, 98))
    if not top > 0:
        return float("nan")
    split = _otsu(np.clip(values, 0.0, top), top)
    above, below = values[values > split], values[values <= split]
    if not above.size or not below.size or np.median(above) < _CONTRAST * np.median(below):
        return float("nan")
    air, tissue = float(np.median(below)), float(np.median(above))
    return air + 0.4 * (tissue - air)


def _otsu(values: Floats, top: float) -> float:
    """Return the level that best splits values of 0 to `top` into two classes."""
    counts, edges = np.histogram(values, bins=256, range=(0.0, top))
    centres = 0.5 * (edges[1:] + edges[:-1])
    n_low = np.cumsum(counts)
    n_high = n_low[-1] - n_low
    sums = np.cumsum(counts * centres)
    low = sums / np.maximum(n_low, 1)
    high = (sums[-1] - sums) / np.maximum(n_high, 1)
    between = n_low.astype(np.float64) * n_high * (high - low) ** 2
    return float(edges[int(np.argmax(between)) + 1])
