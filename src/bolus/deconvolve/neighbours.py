"""What a voxel's neighbours say of its delay and transit time: a prior of its own."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.core.series import scatter

REACH_MM: Final = 4.0
"""How far neighbours reach (SD of a Gaussian) [mm]: a few times the width of the noise filters."""
N_INDEPENDENT: Final = 4.0
"""How many independent voxels the neighbourhood is worth: filtered noise is alike among neighbours."""
EVENNESS: Final = 10.0
"""Certainty counts up to this many times the least spread: the most certain neighbours are those with most
flow, which across an edge are the healthy ones."""
LEAST_DELAY_S: Final = 0.5
"""Least spread of delay among neighbours [s]."""
LEAST_LN_MTT: Final = 0.25
"""Least spread of the logarithm of MTT among neighbours: grey and white matter differ."""


def lean_on_neighbours(estimate: Estimate, mask: Mask, grid: Grid) -> Float32s:
    """Turn a first estimate into a prior for each voxel.

    Delay and log MTT are each believed to be normal, around the mean of the neighbours weighted by their
    certainty; its variance is what the neighbours differ by beyond their noise, and what their mean itself
    is uncertain by. Across the edge of a lesion neighbours differ, and the prior says little.

    Parameters
    ----------
    estimate
        With MTT, delay and their standard deviations, one value a voxel of the mask.
    mask, grid
        Where the voxels are.

    Returns
    -------
    Factors of delay, its square, log MTT and its square in the logarithm of the prior, shape
    `(voxels, 4)`; 0 where nothing is known.
    """
    if estimate.mtt is None or estimate.delay is None:
        raise TypeError("only methods that fit delay and MTT can lean on neighbours")
    sigma = [REACH_MM / step for step in grid.spacing_mm]
    of_delay = _prior(estimate.delay, estimate.sd["delay"], LEAST_DELAY_S, mask, sigma)
    mtt = np.maximum(estimate.mtt, np.float32(1e-3))
    spread = np.asarray(estimate.sd["mtt"] / mtt, dtype=np.float32)
    of_mtt = _prior(np.log(mtt), spread, LEAST_LN_MTT, mask, sigma)
    return np.ascontiguousarray(np.concatenate([of_delay, of_mtt], axis=1), dtype=np.float32)


def _prior(values: Float32s, sd: Float32s, least: float, mask: Mask, sigma: list[float]) -> Float32s:
    """Return the factors of a value and of its square, shape `(voxels, 2)`."""
    known = np.isfinite(values) & np.isfinite(sd)
    weight = np.where(known, 1.0 / (sd**2 + (EVENNESS * least) ** 2), 0.0).astype(np.float32)
    safe = np.where(known, values, 0.0).astype(np.float32)

    def spread_out(array: Float32s) -> Float32s:
        volume: Volume = scatter(array.astype(np.float32), mask, fill=0.0)
        return np.asarray(gaussian_filter(volume, sigma, truncate=2.5)[mask])

    total = spread_out(weight)
    some = total > 1e-6
    total = np.where(some, total, 1.0)
    mean = spread_out(weight * safe) / total
    noise = spread_out(weight * np.where(known, sd, 0.0) ** 2) / total
    differing = spread_out(weight * safe**2) / total - mean**2 - noise
    variance = np.maximum(differing, 0.0) + noise / N_INDEPENDENT + least**2
    factors = np.stack([mean / variance, -0.5 / variance], axis=1)
    return np.where(some[:, None], factors, 0.0).astype(np.float32)
