"""Shapes in the slice plane, in millimetres: slices are often many times thicker than pixels are wide."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter, label
from scipy.spatial import ConvexHull, QhullError

from bolus.core.arrays import Mask, Volume
from bolus.core.grid import Grid


def dilated(mask: Mask, grid: Grid, radius_mm: float) -> Mask:
    """Grow a mask by a radius [mm], slice by slice."""
    out = np.zeros_like(mask)
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        distance = distance_transform_edt(~mask[..., z], sampling=grid.spacing_mm[:2])
        out[..., z] = distance <= radius_mm + 1e-6
    return out


def eroded(mask: Mask, grid: Grid, radius_mm: float) -> Mask:
    """Shrink a mask by a radius [mm], slice by slice; the image border does not count as outside."""
    return ~dilated(~mask, grid, radius_mm)


def closed(mask: Mask, grid: Grid, radius_mm: float) -> Mask:
    """Bridge gaps up to twice a radius [mm], slice by slice."""
    return eroded(dilated(mask, grid, radius_mm), grid, radius_mm) | mask


def opened(mask: Mask, grid: Grid, radius_mm: float) -> Mask:
    """Cut bridges thinner than twice a radius [mm], slice by slice."""
    return dilated(eroded(mask, grid, radius_mm), grid, radius_mm) & mask


def filled(mask: Mask) -> Mask:
    """Fill holes, slice by slice: the brain goes on above and below the volume."""
    out = np.empty_like(mask)
    for z in range(mask.shape[2]):
        out[..., z] = binary_fill_holes(mask[..., z])
    return out


def largest(mask: Mask) -> Mask:
    """Keep the largest face-connected component in three dimensions."""
    labels, n = label(mask)
    if n < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: Mask = labels == int(np.argmax(sizes))
    return kept


def hull(mask: Mask) -> Mask:
    """Return the convex hull of each slice's true pixels; empty where they span no area."""
    out = np.zeros_like(mask)
    x, y = np.indices(mask.shape[:2])
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        try:
            planes = ConvexHull(np.argwhere(mask[..., z])).equations
        except QhullError:
            continue  # fewer than three pixels, or all on one line
        out[..., z] = np.all([a * x + b * y + c <= 1e-9 for a, b, c in planes], axis=0)
    return out


def blurred(values: Volume, grid: Grid, sigma_mm: float) -> Volume:
    """Blur each slice with a Gaussian of an SD [mm]."""
    x, y, _ = grid.spacing_mm
    return gaussian_filter(values, (sigma_mm / x, sigma_mm / y, 0.0), mode="nearest", truncate=3.0)


def blurred_within(values: Volume, mask: Mask, grid: Grid, sigma_mm: float) -> Volume:
    """Blur each slice inside a mask, so that nothing outside leaks in; 0 outside."""
    weight = blurred(mask.astype(np.float32), grid, sigma_mm)
    blur = blurred(np.where(mask, values, 0).astype(np.float32), grid, sigma_mm)
    inside: Volume = np.where(mask, blur / np.maximum(weight, 1e-6), 0).astype(np.float32)
    return inside
