"""The plane that mirrors one half of the head onto the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import Bounds, minimize

from bolus.core.arrays import Float32s, Float64s, Mask, Volume
from bolus.core.brain import Brain, Midline
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid

SURE: Final = 0.80
"""Correlation of the head with its mirror image below which the midline is called unsure."""
_LOST: Final = 0.50  # below this the search has found nothing and the fallback is better
_SIGMA_MM: Final = 3.0
_RIM_MM: Final = 15.0  # skull around the brain that takes part; further out lie table and head rest
_BRAIN_HU: Final = (-20.0, 80.0)
_BONE_HU: Final = 300.0
_AIR_HU: Final = -200.0  # only Hounsfield units go below this
_SAMPLE_MM: Final = 2.5
_COARSE_POINTS, _FINE_POINTS = 3_000, 30_000
_SHADING_MM: Final = 25.0
_SIGNAL_CAP: Final = 1.3  # over the brain's median: bright fluid and old lesions of MR weigh no more
_ANGLES_DEG: Final = np.arange(-26.0, 26.1, 2.0)
_OFFSETS_MM: Final = np.arange(-20.0, 20.1, 2.0)
_MIN_ROLL_SLICES: Final = 8
_MAX_ROLL_DEG: Final = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """A head made ready for mirroring: sampled points, their values, and the image to look them up in."""

    image: Float32s
    to_index: Float64s
    index: Float64s
    points: Float64s
    values: Float32s
    frame: Float64s
    centre: Float64s

    def normal(self, yaw_deg: float, roll_deg: float) -> Float64s:
        """Return the unit normal for an in-plane angle and a tilt out of the slices."""
        yaw, roll = np.deg2rad((yaw_deg, roll_deg))
        parts = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
        return np.asarray(parts @ self.frame, dtype=np.float64)

    def similarity(self, offset_mm: float, yaw_deg: float, roll_deg: float = 0.0) -> float:
        """Return the correlation of the head with its mirror image; -1 where too little overlaps."""
        normal = self.normal(yaw_deg, roll_deg)
        reach = 2.0 * (self.points @ normal - offset_mm)
        index = self.index - (self.to_index @ normal)[:, None] * reach
        last = np.array(self.image.shape)[:, None] - 1
        seen = ((index >= -1e-3) & (index <= last + 1e-3)).all(axis=0)
        if np.count_nonzero(seen) < max(0.5 * seen.size, 10):
            return -1.0
        mirrored = ndimage.map_coordinates(self.image, index[:, seen], order=1, mode="nearest")
        return _correlation(self.values[seen], mirrored)

    def thinned(self, n_points: int) -> _Head:
        """Return the same head with about that many of its points, evenly spread over the slices."""
        every = max(1, round(np.sqrt(self.values.size / n_points)))
        few = (self.index[:2] % every == 0).all(axis=0)
        return replace(self, index=self.index[:, few], points=self.points[few], values=self.values[few])


def _correlation(a: Float32s, b: Float32s) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(float(a @ a) * float(b @ b)))
    return float(a @ b) / scale if scale > 0 else -1.0


def find_midline(underlay: Volume, grid: Grid, brain: Brain) -> Midline:
    """Find the plane about which the head is most like its own mirror image.

    Skull and brain outline carry most of the correlation, so that a lesion of one side moves the plane
    little. Everything is done in millimetres, so slices may be thick, tilted or oblique; the tilt out of
    the slices is searched from 8 slices up.

    Parameters
    ----------
    underlay
        Mean pre-contrast volume, shape `(x, y, z)` [HU, or any MR signal].
    grid
        Where its voxels are.
    brain
        Its masks; the search stays within 15 mm of `inside`.

    Returns
    -------
    The plane. Where no symmetry was found it is the one through the centre of the brain along its
    longest axis, with `similarity` NaN.

    Raises
    ------
    ShapeMismatch
        If the underlay or the mask does not fit the grid.

    Notes
    -----
    Coarse search over +-26 degrees and +-20 mm in steps of 2, then Powell's method.
    """
    grid.require_shape(underlay.shape, "the underlay")
    grid.require_shape(brain.inside.shape, "the brain mask")
    head = _head(underlay, brain.inside, grid)
    coarse = head.thinned(_COARSE_POINTS)
    if coarse.values.size < 10 or not np.ptp(coarse.values) > 0:
        return _by_outline(grid, brain.inside)
    start = max(product(_OFFSETS_MM, _ANGLES_DEG), key=lambda p: coarse.similarity(*p))
    best, similarity = _refine(head.thinned(_FINE_POINTS), start)
    if similarity < _LOST:
        return _by_outline(grid, brain.inside)
    normal = head.normal(best[1], best[2])
    return Midline(normal, float(normal @ head.centre) + best[0], similarity)


def midline_findings(midline: Midline) -> tuple[Finding, ...]:
    """Say so where the midline is not to be relied on."""
    if midline.similarity >= SURE:
        return ()
    how = (
        "no symmetry was found and the longest axis of the brain was taken instead"
        if np.isnan(midline.similarity)
        else f"the head resembles its mirror image only to {midline.similarity:.2f} (wanted {SURE:g})"
    )
    text = f"The midline is unsure: {how}. Check the side and the healthy reference of the lesions."
    return (Finding("MIDLINE_UNSURE", Severity.WARN, text, float(midline.similarity)),)


def _refine(head: _Head, start: tuple[float, float]) -> tuple[tuple[float, float, float], float]:
    """Climb from the best coarse place; the tilt stays 0 for a few slices, which cannot tell it."""
    n = 3 if head.image.shape[2] >= _MIN_ROLL_SLICES else 2
    at = np.array([start[0], start[1], 0.0])
    reach = np.array([4.0, 4.0, _MAX_ROLL_DEG])

    def unlike(place: Any) -> float:
        return -head.similarity(*place)

    found = minimize(
        unlike,
        at[:n],
        method="Powell",
        bounds=Bounds((at - reach)[:n], (at + reach)[:n]),
        options={"xtol": 1e-3, "ftol": 1e-6, "maxfev": 400},
    )
    best = [*(float(v) for v in found.x), 0.0]
    return (best[0], best[1], best[2]), -float(found.fun)


def _head(underlay: Volume, inside: Mask, grid: Grid) -> _Head:
    """Thin the head out to about 2.5 mm, smooth it in its slices, and choose the points to compare."""
    inside = inside if inside.any() else np.isfinite(underlay)
    step = _block(grid)
    is_ct = bool(np.nanmin(underlay, initial=np.inf) < _AIR_HU)
    image = _block_means(_contrast(underlay, inside, is_ct=is_ct), step)
    mask = _block_means(inside.astype(np.float32), step) >= 0.5
    size = [s * n for s, n in zip(grid.spacing_mm, step, strict=True)]
    near = _near(mask, (size[0], size[1]))
    seen = near if near.any() and np.ptp(image[near]) > 0 else np.zeros_like(near)
    if not is_ct:
        image = _evened(image, mask, (size[0], size[1]))
    image = np.where(seen, image, 0.0)  # a constant image must not mirror by the edge of the mask alone
    image = ndimage.gaussian_filter(image, (_SIGMA_MM / size[0], _SIGMA_MM / size[1], 0.0), mode="constant")
    index = _between_slices(np.argwhere(near).T.astype(np.float64), image.shape[2])
    points = grid.position_mm(index.T * step + 0.5 * (np.array(step) - 1))
    centre = points[mask[near]].mean(axis=0) if (mask & near).any() else np.zeros(3)
    to_index = np.linalg.inv(grid.affine[:3, :3]) / np.array(step)[:, None]
    values = ndimage.map_coordinates(image, index, order=1, mode="nearest")
    return _Head(image, to_index, index, points - centre, values, _frame(grid), centre)


def _between_slices(index: Float64s, n_slices: int) -> Float64s:
    """Spread the points evenly between the slices instead of on them, where the tilt is searched.

    Points on slices are sharp, their mirror images blurred by interpolation unless the tilt is 0, which
    would draw the tilt to 0.
    """
    if n_slices < _MIN_ROLL_SLICES:
        return index
    spread = (np.arange(index.shape[1]) * 0.6180339887) % 1.0 - 0.5  # golden ratio: even, and not random
    moved = index.copy()
    moved[2] = np.clip(index[2] + spread, 0, n_slices - 1)
    return moved


def _block(grid: Grid) -> tuple[int, int, int]:
    """Choose how many voxels make one sample, along each axis."""
    x, y, z = (
        min(n, max(1, round(_SAMPLE_MM / s))) for n, s in zip(grid.shape, grid.spacing_mm, strict=True)
    )
    return x, y, z


def _block_means(volume: Float32s, step: tuple[int, int, int]) -> Float32s:
    """Average blocks of voxels; what is left over at the far edges is dropped."""
    x, y, z = (n // s for n, s in zip(volume.shape, step, strict=True))
    whole = volume[: x * step[0], : y * step[1], : z * step[2]]
    blocks = whole.reshape(x, step[0], y, step[1], z, step[2])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def _contrast(underlay: Volume, inside: Mask, *, is_ct: bool) -> Float32s:
    """Give brain, bone and background values that mirror well: about 0 to 1 for tissue."""
    values = underlay[inside & np.isfinite(underlay)]
    if not values.size:
        return np.zeros(underlay.shape, dtype=np.float32)
    if is_ct:
        low, high = _BRAIN_HU
        image = np.where(underlay > 0.5 * _BONE_HU, _BONE_HU, np.clip(underlay, low, high))
    else:
        low, high = min(0.0, float(values.min())), _SIGNAL_CAP * float(np.median(values))
        image = np.clip(underlay, low, high)
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-6)
    return np.asarray(scaled, dtype=np.float32)


def _evened(image: Float32s, mask: Mask, spacing: tuple[float, float]) -> Float32s:
    """Divide out what varies slowly: coils shade an MR image, and not symmetrically."""
    sigma = (_SHADING_MM / spacing[0], _SHADING_MM / spacing[1], 0.0)
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    shade = ndimage.gaussian_filter(np.where(mask, image, 0.0), sigma, mode="constant")
    shade = shade / np.maximum(weight, 1e-3)
    return np.asarray(np.clip(image / np.maximum(shade, 0.1), 0.0, _SIGNAL_CAP), dtype=np.float32)


def _near(inside: Mask, spacing: tuple[float, float]) -> Mask:
    """Return the voxels within 15 mm of a mask, slice by slice."""
    near = np.zeros_like(inside)
    for k in np.flatnonzero(inside.any(axis=(0, 1))):
        far = ndimage.distance_transform_edt(~inside[:, :, k], sampling=spacing)
        near[:, :, k] = np.asarray(far) <= _RIM_MM
    return near


def _frame(grid: Grid) -> Float64s:
    """Return unit vectors as rows: towards the right in the slices, at right angles to it, across them.

    The row nearest to the patient's right comes from the grid and not from the patient's axes: a
    prescription that follows the turned head is then already close.
    """
    x, y, z = grid.affine[:3, :3].T
    across = np.cross(x, y)
    across = across / np.linalg.norm(across) * (1.0 if across @ z >= 0 else -1.0)
    rows = np.array([x / np.linalg.norm(x), y / np.linalg.norm(y), across])
    first = int(np.argmax(np.abs(rows[:, 0])))
    right = rows[first] * (1.0 if rows[first, 0] >= 0 else -1.0)
    last = across if first != 2 else rows[1]
    second = np.cross(last, right)
    return np.array([right, second / np.linalg.norm(second), last])


def _by_outline(grid: Grid, inside: Mask) -> Midline:
    """Put the plane through the centre of a mask, along its longest axis in the slices."""
    right, second, _ = _frame(grid)
    index: NDArray[np.intp] = np.argwhere(inside)
    points = grid.position_mm(index) if index.size else grid.position_mm(np.array([grid.shape]) / 2.0)
    centre = points.mean(axis=0)
    flat = (points - centre) @ np.array([right, second]).T
    spread, axes = np.linalg.eigh(flat.T @ flat)
    normal = right
    if spread[1] > 1.1 * spread[0] and abs(axes[0, 0]) > np.cos(np.deg2rad(_ANGLES_DEG[-1])):
        normal = axes[0, 0] * right + axes[1, 0] * second
        normal = normal * np.sign(axes[0, 0])
    return Midline(normal, float(normal @ centre))
