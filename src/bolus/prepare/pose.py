"""Rigid poses of a head: matrices about the centre of the volume, and six numbers for people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from bolus.core.arrays import Float64s
from bolus.core.grid import Grid

LEVER_MM = 60.0
"""Distance from the centre at which a rotation counts as a displacement: a head is about so large."""
SAME_POSE_MM = 0.6
"""Poses that differ by less count as one."""
STILL: Float64s = np.eye(4)
STILL.flags.writeable = False


def centre_of(grid: Grid) -> Float64s:
    """Return the centre of a grid (RAS) [mm], shape `(3,)`: the point that rotations turn about."""
    return grid.position_mm((np.array(grid.shape) - 1) / 2)


def twist_matrix(twist: Float64s) -> Float64s:
    """Turn a motion, a translation [mm] and a rotation vector times `LEVER_MM`, into a matrix `(4, 4)`."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(twist[3:] / LEVER_MM).as_matrix()
    matrix[:3, 3] = twist[:3]
    return matrix


def inverted(matrix: Float64s) -> Float64s:
    """Return the inverse of a rigid matrix `(4, 4)`."""
    back = np.eye(4)
    back[:3, :3] = matrix[:3, :3].T
    back[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return back


def parameters(matrix: Float64s) -> Float64s:
    """Return translations [mm] and rotations about x, y, z [degrees] of a rigid matrix, shape `(6,)`.

    The rotation is taken apart as Rz Rx Ry, as in the Euler transform of SimpleITK.
    """
    z, x, y = Rotation.from_matrix(matrix[:3, :3]).as_euler("ZXY", degrees=True)
    return np.array([*matrix[:3, 3], x, y, z])


def from_parameters(row: Float64s) -> Float64s:
    """Return the rigid matrix `(4, 4)` of six parameters; `parameters` turned round."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("ZXY", row[[5, 3, 4]], degrees=True).as_matrix()
    matrix[:3, 3] = row[:3]
    return matrix


def numbered(rows: Float64s) -> NDArray[np.intp]:
    """Return which pose each frame shows, from 0, given parameters `(frames, 6)`; shape `(frames,)`."""
    found: list[Float64s] = []
    which = np.empty(len(rows), dtype=np.intp)
    for t, row in enumerate(rows):
        apart = [displacement_mm(inverted(pose) @ from_parameters(row)) for pose in found]
        if t > 0 and apart[which[t - 1]] < SAME_POSE_MM:
            which[t] = which[t - 1]
        elif apart and min(apart) < SAME_POSE_MM:
            which[t] = int(np.argmin(apart))
        else:
            which[t] = len(found)
            found.append(from_parameters(row))
    return which


def about_centre(matrix: Float64s, grid: Grid) -> Float64s:
    """Return a pose about the centre of a grid as a matrix in patient coordinates, shape `(4, 4)`."""
    moved = np.array(matrix)
    centre = centre_of(grid)
    moved[:3, 3] += centre - matrix[:3, :3] @ centre
    return moved


def displacement_mm(matrix: Float64s) -> float:
    """Return how far a pose moves a point at the distance `LEVER_MM` from the centre, at most [mm]."""
    angle = float(np.linalg.norm(Rotation.from_matrix(matrix[:3, :3]).as_rotvec()))
    return float(np.linalg.norm(matrix[:3, 3])) + LEVER_MM * angle


def freedoms(grid: Grid) -> Float64s:
    """Return the motions that can be told in a volume, as columns of twists, shape `(6, 6)` or `(6, 3)`.

    A slab of four slices or fewer says too little along its normal: two shifts in its plane and one
    turn about its normal are left.
    """
    if grid.shape[2] > MAX_SLAB:
        return np.eye(6)
    x, y = grid.affine[:3, 0], grid.affine[:3, 1]
    normal = np.cross(x, y)
    basis = np.zeros((6, 3))
    basis[:3, 0] = x / np.linalg.norm(x)
    basis[:3, 1] = np.cross(normal, x) / np.linalg.norm(np.cross(normal, x))
    basis[3:, 2] = normal / np.linalg.norm(normal)
    return basis


MAX_SLAB = 4
"""Slices up to which only motion in the slice plane is estimated."""
