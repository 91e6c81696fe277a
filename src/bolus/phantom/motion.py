"""Motion of the head: jumps and a slow drift."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.grid import Grid

MAX_SHIFT_MM = 4.0
MAX_TURN_DEG = 4.0
DRIFT_MM = 0.5
"""Largest jump, largest turn, and drift over the scan (science sheet of the phantom)."""
DRIFT_STEPS: Final = 5
"""Steps that the drift goes by, a tenth of a millimetre each: every pose is drawn anew, which takes time."""


def still(n_frames: int) -> Float64s:
    """Return the pose of a head that does not move, shape `(t, 6)`."""
    return np.zeros((n_frames, 6))


def restless(rng: np.random.Generator, n_frames: int, n_jumps: int = 3) -> Float64s:
    """Draw the pose of a head that jumps and drifts.

    Each jump leads to a new pose up to 4 mm and 4 degrees from the first; between jumps the head
    drifts, by 0.5 mm over the scan in steps of 0.1 mm. The first frame's pose is the reference.

    Returns
    -------
    Translations along x, y, z (RAS) [mm] and rotations about x, y, z [degrees], shape `(t, 6)`.
    """
    poses = np.zeros((n_frames, 6))
    spots = np.linspace(0.2, 0.85, n_jumps + 1)
    for low, high in pairwise(spots):
        at = int(n_frames * rng.uniform(low, high))
        shift = _direction(rng) * rng.uniform(1.5, MAX_SHIFT_MM - DRIFT_MM)
        turn = _direction(rng) * np.array([0.6, 0.6, 1.0]) * rng.uniform(1.5, MAX_TURN_DEG)
        poses[at:] = np.concatenate([shift, turn])
    drift = np.rint(np.linspace(0.0, DRIFT_STEPS, n_frames)) / DRIFT_STEPS
    poses[:, :3] += DRIFT_MM * drift[:, None] * _direction(rng)
    return poses


def _direction(rng: np.random.Generator) -> Float64s:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)


def pose_matrix(pose: Float64s, centre_mm: tuple[float, float, float]) -> Float64s:
    """Turn a pose into a matrix.

    Parameters
    ----------
    pose
        Translations [mm] and rotations [degrees], shape `(6,)`.
    centre_mm
        Point (RAS) that the rotations turn about.

    Returns
    -------
    Shape `(4, 4)`: takes a point of the head in the reference pose to where it is now (RAS) [mm]. The
    rotation is Rz Rx Ry, as in the Euler transform of SimpleITK.
    """
    x, y, z = np.deg2rad(pose[3:])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x @ about_y
    centre = np.array(centre_mm)
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + np.asarray(pose[:3])
    return matrix


def grid_centre(grid: Grid) -> tuple[float, float, float]:
    """Return the centre of a grid (RAS) [mm]."""
    x, y, z = grid.position_mm((np.array(grid.shape) - 1) / 2)
    return float(x), float(y), float(z)
