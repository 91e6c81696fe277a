"""Stored volumes put into the patient, with the file named where that fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.errors import BadGeometry
from bolus.core.grid import Grid, canonical

_REMEDY = "Send or convert the series again."


def place(
    shape: tuple[int, ...], affine: Float64s, *, keep_slices: bool = False, where: Path | str = ""
) -> Grid:
    """Describe a stored volume as a grid whose axes run left, back, head; see `core.grid.canonical`.

    Parameters
    ----------
    shape, affine
        The stored volume's shape (what follows three axes does not count) and affine (RAS) [mm].
    keep_slices
        Keep the stored third axis third.
    where
        The file or folder that an error names.

    Raises
    ------
    BadGeometry
        If the affine is singular, not finite or of absurd spacing.
    """
    x, y, z = shape[:3]
    try:
        return canonical((x, y, z), affine, keep_slices=keep_slices)
    except BadGeometry as problem:
        raise BadGeometry(
            problem.what,
            wanted=problem.wanted,
            found=problem.found,
            where=where,
            remedy=problem.remedy or _REMEDY,
        ) from problem


def place_onto(shape: tuple[int, ...], affine: Float64s, grid: Grid) -> Grid:
    """Describe a stored volume as a grid whose axes run as nearly as possible along another grid's.

    Parameters
    ----------
    shape, affine
        The stored volume's shape and affine (RAS) [mm].
    grid
        The grid to follow, whichever way its axes run.

    Returns
    -------
    A grid for `core.grid.turn_canonical`; whether it lies on the other one is for the caller to ask.
    """
    steps = np.linalg.solve(grid.affine[:3, :3], affine[:3, :3])  # grid steps of one stored step
    share = np.abs(steps) / np.maximum(np.abs(steps).sum(axis=0), 1e-12)
    axes = np.zeros(3, dtype=int)
    for _ in range(3):  # the clearest match first, each axis once
        along, stored = np.unravel_index(np.argmax(share), share.shape)
        axes[stored] = along
        share[along], share[:, stored] = -1.0, -1.0
    sizes = np.zeros(3, dtype=int)
    sizes[axes] = shape[:3]
    order = (int(axes[0]), int(axes[1]), int(axes[2]))
    flips = (bool(steps[axes[0], 0] < 0), bool(steps[axes[1], 1] < 0), bool(steps[axes[2], 2] < 0))
    turned = Grid((int(sizes[0]), int(sizes[1]), int(sizes[2])), np.eye(4), order, flips)
    _, there = turned.stored(np.empty(turned.shape, dtype=np.bool_))
    return turned.with_shape(turned.shape, affine @ np.linalg.inv(there))
