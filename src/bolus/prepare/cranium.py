"""The inside of the skull on CT."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Mask, Volume
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.prepare.shapes import blurred, closed, dilated, eroded, filled, hull, largest, opened

AIR_HU = -1024.0
HEAD_HU = -300.0
BONE_HU = 180.0
"""Bone is above this even where it fills a fifth of a voxel; brain and fresh blood never are."""
SOFT_HU = (-20.0, 200.0)
CLOSING_MM, BONE_MARGIN_MM, HULL_MARGIN_MM, OPENING_MM = 3.0, 1.0, 6.0, 2.0
_SKULL_SHARE = 0.03
_OPEN_SHARE = 0.7


def outline_ct(early: Volume, grid: Grid) -> tuple[Mask, tuple[Finding, ...], Mask]:
    """Outline what is inside the skull.

    Parameters
    ----------
    early
        Mean of frames without contrast [HU], finite, shape `(x, y, z)`.
    grid
        Where its voxels are.

    Returns
    -------
    The inside of the skull, what was noticed, and the whole head.
    """
    values = np.where(_padding(early), AIR_HU, early).astype(np.float32)
    head = filled(largest(values > HEAD_HU))
    bone = head & (values > BONE_HU)
    soft = blurred(values, grid, 1.5)
    soft_tissue = head & ~bone & (soft > SOFT_HU[0])
    if bone.sum() < _SKULL_SHARE * max(int(head.sum()), 1):
        return *_without_skull(soft_tissue & (soft < SOFT_HU[1]), grid), head
    enclosed, n_open = _enclosed(bone, grid)
    inside = _whole(enclosed & soft_tissue & ~dilated(bone, grid, BONE_MARGIN_MM), grid)
    if not n_open:
        return inside, (), head
    text = f"The skull is open in {n_open} slices; there the convex hull of the bone bounds the brain."
    return inside, (Finding("SKULL_OPEN", Severity.INFO, text, float(n_open)),), head


def _padding(early: Volume) -> Mask:
    """Find the one value that fills the surroundings of a skull-stripped or circular image."""
    corners = early[:: max(early.shape[0] - 1, 1), :: max(early.shape[1] - 1, 1)].ravel()
    same: Mask = early == corners[0]
    if np.all(corners == corners[0]) and same.mean() > 0.1:
        return same
    return np.zeros(early.shape, dtype=np.bool_)


def _without_skull(soft: Mask, grid: Grid) -> tuple[Mask, tuple[Finding, ...]]:
    text = "No skull was found: the head is taken as skull-stripped, and all soft tissue as brain."
    return _whole(soft, grid), (Finding("NO_SKULL", Severity.INFO, text),)


def _whole(mask: Mask, grid: Grid) -> Mask:
    return filled(largest(opened(mask, grid, OPENING_MM)))


def _enclosed(bone: Mask, grid: Grid) -> tuple[Mask, int]:
    """Return what bone encloses in each slice, and in how many slices the ring of bone is open.

    A ring is open where it encloses much less than its convex hull less the thickness of a skull.
    """
    ring = closed(bone, grid, CLOSING_MM)
    enclosed = filled(ring) & ~ring
    bound = eroded(hull(ring), grid, HULL_MARGIN_MM)
    room = (bound & ~ring).sum(axis=(0, 1))
    is_open = enclosed.sum(axis=(0, 1)) < _OPEN_SHARE * room
    enclosed[..., is_open] = (bound & ~ring)[..., is_open]
    return enclosed, int(is_open.sum())
