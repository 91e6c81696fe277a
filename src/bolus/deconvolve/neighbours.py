"""What a voxel's neighbours say of its delay and transit time, and of where its residue peaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.core.series import scatter
from bolus.deconvolve.posterior import APART_S

REACH_MM: Final = 8.0
"""How far neighbours reach (SD of a Gaussian) [mm]: twice as far as noise filters, which share noise out."""
NEAR_MM: Final = 4.0
"""How far they reach where those farther away differ, as at the edge of a lesion [mm]."""
N_INDEPENDENT: Final = 4.0
"""How many independent voxels a near neighbourhood is worth: filtered noise is alike among neighbours. A far
one is worth more by the area of a slice."""
EVENNESS: Final = 10.0
"""Certainty counts up to this many times the least spread: the most certain neighbours are those with most
flow, which across an edge are the healthy ones."""
LEAST_DELAY_S: Final = 0.5
"""Least spread of delay among neighbours [s]."""
LEAST_LN_MTT: Final = 0.22
"""Least spread of the logarithm of MTT among neighbours: grey and white matter differ."""
BLIND_S2: Final = APART_S**2
"""Variance of peaks that are noise [s2]: most lie far off, and are read at one end of what is allowed."""
ARRIVAL_S: Final = 0.25
"""What Tmax of all voxels is uncertain by besides noise [s]: when and how wide contrast arrives is known from
one noisy artery, and tissue is fed by others. Chosen on simulated scans: 90 % intervals hold 82-90 % of true
Tmax without it, 88-95 % with it."""
BLUR_MM: Final = 4.0
"""How far noise filters and thick voxels blur (SD of a Gaussian) [mm]."""
BLUR: Final = 0.47
"""Part of its difference from its surroundings that a voxel may have lost to them. Of a simulated head (CT,
seed 24) 90 % intervals hold 90-93 % of true CBF and CBV with it at 3 HU, and 86-88 % at 6 HU."""


def lean_on_neighbours(estimate: Estimate, mask: Mask, grid: Grid) -> Float32s:
    """Turn a first estimate into a prior for each voxel.

    Delay and log MTT are each believed to be normal, around the mean of the neighbours weighted by their
    certainty; its variance is what the neighbours differ by beyond their noise, and what their mean itself
    is uncertain by. Across the edge of a lesion neighbours differ, and the prior says little. Far neighbours
    are asked as well as near ones, and each voxel keeps the answer with the smaller variance.

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
    mtt = np.maximum(estimate.mtt, np.float32(1e-3))
    spread = np.asarray(estimate.sd["mtt"] / mtt, dtype=np.float32)
    priors = []
    for reach in (NEAR_MM, REACH_MM):
        spread_out, n = _spreading(mask, grid, reach), N_INDEPENDENT * (reach / NEAR_MM) ** 2
        of_delay = _prior(estimate.delay, estimate.sd["delay"], LEAST_DELAY_S, spread_out, n)
        priors.append((of_delay, _prior(np.log(mtt), spread, LEAST_LN_MTT, spread_out, n)))
    factors = [_surer(near, far) for near, far in zip(*priors, strict=True)]
    return np.ascontiguousarray(np.concatenate(factors, axis=1), dtype=np.float32)


def allow_for_blur(estimate: Estimate, mask: Mask, grid: Grid) -> Estimate:
    """Count into the standard deviations of flow and volume what a voxel may have lost to its surroundings.

    Thick voxels, noise filters and a prior from the neighbours draw a voxel towards what is around it, which
    no noise tells. Blurring once more shows how far: ``sd^2 + (BLUR (m - G m))^2``, with `m` the map and
    `G m` its Gaussian mean over known neighbours.

    Parameters
    ----------
    estimate
        With MTT and the standard deviations of `flow` and `volume`, one value a voxel of the mask.
    mask, grid
        Where the voxels are.

    References
    ----------
    Blurring again to see what blur does: Tukey, Exploratory Data Analysis (1977), "twicing".
    """
    if estimate.mtt is None:
        raise TypeError("only methods that fit MTT have a volume to allow for blur")
    spread_out = _spreading(mask, grid, BLUR_MM)
    volume = np.asarray(estimate.flow * estimate.mtt, dtype=np.float32)
    wider = {
        name: np.hypot(estimate.sd[name], np.float32(BLUR) * (values - _around(values, spread_out)))
        for name, values in (("flow", estimate.flow), ("volume", volume))
    }
    return replace(estimate, sd={**estimate.sd, **wider})


def read_with_neighbours(estimate: Estimate, mask: Mask, grid: Grid) -> Estimate:
    """Read Tmax as neighbours do: how far it lies from what is expected is averaged over them.

    What a peak knows better than a fit, as where voxels mix early and late tissue, it knows of neighbours as
    well; the rest is noise. Where neighbours differ by as much as numbers drawn blindly would, peaks are
    noise altogether, and Tmax is what is expected.

    Parameters
    ----------
    estimate
        With Tmax as read and as `expected`, one value a voxel of the mask.
    mask, grid
        Where the voxels are.

    Returns
    -------
    The estimate with Tmax of `expected` and what is left of the distance, which counts into its standard
    deviation, as does what one artery cannot tell (`ARRIVAL_S`).
    """
    if estimate.expected is None:
        raise TypeError("only methods that say what they expect of Tmax can read it with neighbours")
    apart = np.asarray(estimate.tmax - estimate.expected, dtype=np.float32)
    spread_out = _spreading(mask, grid, REACH_MM)
    around = _around(apart, spread_out)
    differing = _around(apart**2, spread_out) - around**2
    kept = around * np.clip(1.0 - differing / np.float32(BLIND_S2), 0.0, 1.0)
    within = np.maximum(estimate.sd["tmax"] ** 2 - apart**2, np.float32(0))
    sd = {**estimate.sd, "tmax": np.asarray(np.sqrt(within + kept**2 + ARRIVAL_S**2), dtype=np.float32)}
    return replace(estimate, tmax=np.asarray(estimate.expected + kept, dtype=np.float32), sd=sd)


def _around(values: Float32s, spread_out: Callable[[Float32s], Float32s]) -> Float32s:
    """Return the mean around each voxel over those that are known."""
    known = np.isfinite(values)
    weight = spread_out(known.astype(np.float32))
    total = spread_out(np.where(known, values, np.float32(0)))
    return np.asarray(total / np.maximum(weight, np.float32(1e-6)), dtype=np.float32)


def _spreading(mask: Mask, grid: Grid, reach_mm: float) -> Callable[[Float32s], Float32s]:
    """Return a function that blurs values `(voxels,)` over the voxels of a mask; outside counts as 0."""
    sigma = [reach_mm / step for step in grid.spacing_mm]

    def spread_out(array: Float32s) -> Float32s:
        volume: Volume = scatter(array.astype(np.float32), mask, fill=0.0)
        return np.asarray(gaussian_filter(volume, sigma, truncate=2.5)[mask])

    return spread_out


def _prior(
    values: Float32s, sd: Float32s, least: float, spread_out: Callable[[Float32s], Float32s], n: float
) -> Float32s:
    """Return the factors of a value and of its square, shape `(voxels, 2)`, by `n` independent neighbours."""
    known = np.isfinite(values) & np.isfinite(sd)
    weight = np.where(known, 1.0 / (sd**2 + (EVENNESS * least) ** 2), 0.0).astype(np.float32)
    safe = np.where(known, values, 0.0).astype(np.float32)

    total = spread_out(weight)
    some = total > 1e-6
    total = np.where(some, total, 1.0)
    mean = spread_out(weight * safe) / total
    noise = spread_out(weight * np.where(known, sd, 0.0) ** 2) / total
    differing = spread_out(weight * safe**2) / total - mean**2 - noise
    variance = np.maximum(differing, 0.0) + noise / n + least**2
    factors = np.stack([mean / variance, -0.5 / variance], axis=1)
    return np.where(some[:, None], factors, 0.0).astype(np.float32)


def _surer(near: Float32s, far: Float32s) -> Float32s:
    """Return of two priors, voxel by voxel, the one with the smaller variance."""
    return np.where(far[:, 1:] < near[:, 1:], far, near)
