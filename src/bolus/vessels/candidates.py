"""Curves that may be vessels, and the traits that tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Curve, Curves, Float32s, Mask
from bolus.core.finding import Finding
from bolus.core.series import Concentration
from bolus.core.units import Modality
from bolus.physics import features

BLOCK = 16_384
"""Voxels that are worked on at a time, so that temporaries stay at a few MB."""
SMOOTHED_NOISE = 0.61
"""What smoothing in time leaves of white noise, sqrt(6) / 4."""
_SMOOTH_UP_TO_S = 2.5
"""Coarser frames are not smoothed: three of them would be wider than a bolus [s]."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The voxels that a search takes for an artery or a vein.

    Parameters
    ----------
    rows
        Rows of `Concentration.curves`, shape `(n,)`.
    origin
        How they were found, in words for the report.
    findings
        What the search noticed.
    """

    rows: NDArray[np.intp]
    origin: str
    findings: tuple[Finding, ...] = ()


class ArterySearch(Protocol):
    """A way to find arterial voxels."""

    def __call__(self, concentration: Concentration, region: Mask, tissue: Curve, /) -> Chosen:
        """Choose voxels.

        Parameters
        ----------
        concentration
            Unfiltered curves `(voxels, t)`.
        region
            Where arteries may be, shape `(x, y, z)`.
        tissue
            Mean curve of the brain tissue, shape `(t,)`.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """Traits of candidate curves, shape `(n,)` each, measured after light smoothing in time.

    Parameters
    ----------
    rows
        Rows of `Concentration.curves`.
    height
        Peak above the median over time, in the unit of the curves. Above the baseline it would favour
        voxels whose few baseline frames are low by noise, and with them curves that are too high all
        along.
    arrival, width, ttp
        Crossing of 20 % of the peak, full width at half maximum, time of the peak [s].
    tail, lowest
        Mean of the last three samples, and least sample, as a share of the peak.
    """

    rows: NDArray[np.intp]
    height: Float32s
    arrival: Float32s
    width: Float32s
    ttp: Float32s
    tail: Float32s
    lowest: Float32s

    def only(self, keep: NDArray[np.bool_]) -> Traits:
        """Return the candidates where `keep`, shape `(n,)`, is true."""
        return Traits(*(getattr(self, name)[keep] for name in self.__slots__))


def smoothed(curves: Curves, dt: float) -> Float32s:
    """Smooth curves `(voxels, t)` in time by (1, 2, 1) / 4; noise falls to 61 %, ends repeat."""
    if dt > _SMOOTH_UP_TO_S:
        return np.asarray(curves, dtype=np.float32)
    padded = np.concatenate([curves[:, :1], curves, curves[:, -1:]], axis=1)
    return np.asarray(0.25 * (padded[:, :-2] + padded[:, 2:]) + 0.5 * padded[:, 1:-1], dtype=np.float32)


def usable_rows(concentration: Concentration, region: Mask) -> tuple[NDArray[np.intp], Float32s]:
    """Return the rows inside a region that may be a vessel, and their smoothed peaks.

    Left out are rows that are not finite or never positive, and saturated ones, which stay at their
    greatest value: signal that fell to the floor in two frames or more (MR), the top of the stored range in
    three (CT, whose whole numbers tie by chance).
    """
    rows = concentration.rows(region)
    peaks = np.full(rows.size, np.nan, dtype=np.float32)
    ties = 3 if concentration.modality is Modality.CT else 2
    for start in range(0, rows.size, BLOCK):
        block = concentration.curves[rows[start : start + BLOCK]]
        top = block.max(axis=1)
        saturated = (block >= top[:, None]).sum(axis=1) >= ties
        usable = np.isfinite(block).all(axis=1) & ~saturated & (top > 0)
        smooth = smoothed(block[usable], concentration.dt)
        peaks[start : start + BLOCK][usable] = smooth.max(axis=1)
    keep = peaks > 0
    return rows[keep], peaks[keep]


def measure(concentration: Concentration, rows: NDArray[np.intp]) -> Traits:
    """Measure the traits of some rows."""
    curves = smoothed(concentration.curves[rows], concentration.dt)
    height = curves.max(axis=1)
    safe = np.where(height > 0, height, np.float32(np.inf))
    return Traits(
        rows=rows,
        height=height - np.median(curves, axis=1),
        arrival=features.arrival(curves, concentration.times, fraction=0.2),
        width=features.width_at_half(curves, concentration.times),
        ttp=features.time_to_peak(curves, concentration.times),
        tail=features.tail(curves),
        lowest=np.asarray(curves.min(axis=1) / safe),
    )


def row_mask(concentration: Concentration, rows: NDArray[np.intp]) -> Mask:
    """Return the voxels of some rows as a mask, shape `(x, y, z)`."""
    inside = np.zeros(len(concentration.curves), dtype=np.bool_)
    inside[rows] = True
    mask = np.zeros(concentration.mask.shape, dtype=np.bool_)
    mask[concentration.mask] = inside
    return mask


def clusters(concentration: Concentration, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of the 26-connected cluster that each row belongs to, shape `(n,)`, from 0."""
    mask = row_mask(concentration, rows)
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=np.bool_))
    whole = np.zeros(len(concentration.curves), dtype=np.intp)
    whole[:] = labels[concentration.mask]
    return whole[rows] - 1


def surrounded(concentration: Concentration, traits: Traits) -> Float32s:
    """Return the mean height of the 3 x 3 in-plane neighbourhood of each candidate, shape `(n,)`.

    The rest of the volume counts as 0, so that it is greatest well inside a vessel. Ranking voxels by it
    favours pure ones, where ranking by their own height would favour those with noise on top.
    """
    inside = np.zeros(len(concentration.curves), dtype=np.float32)
    inside[traits.rows] = traits.height
    volume = concentration.image(inside, fill=0.0)
    mean = ndimage.uniform_filter(volume, size=(3, 3, 1), mode="constant")
    return np.asarray(mean[concentration.mask][traits.rows], dtype=np.float32)


def eroded(mask: Mask, spacing_mm: tuple[float, float, float], radius_mm: float) -> Mask:
    """Erode a mask in-plane, slice by slice, by a radius [mm]; the border of the image counts as outside."""
    thin = np.zeros_like(mask)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        padded = np.pad(mask[:, :, k], 1)
        depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm[:2])
        thin[:, :, k] = depth[1:-1, 1:-1] > radius_mm
    return thin
