"""The brain on T2*-weighted MR, where the skull is dark and the scalp is not."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Floats, Mask, Volume
from bolus.core.finding import Finding
from bolus.core.grid import Grid
from bolus.prepare.shapes import blurred, closed, filled, largest, opened

BLUR_MM, OPENING_MM, CLOSING_MM = 1.5, 4.0, 4.0
_CONTRAST = 2.5
"""Tissue is at least this much brighter than air; noise split by a threshold is not."""


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
