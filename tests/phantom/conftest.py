"""What several tests on simulated patients measure."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.result import MotionTrace
from bolus.phantom import Truth
from bolus.phantom.motion import grid_centre, pose_matrix


def residual_mm(truth: Truth, grid: Grid, motion: MotionTrace, n_still: int) -> np.ndarray:
    """Mean distance [mm] in each frame between points of the brain and where the first frames put them."""
    points = grid.position_mm(np.argwhere(truth.masks["brain"])[::97])
    points = np.c_[points, np.ones(len(points))]
    placed = []
    for true, found in zip(truth.motion, motion.parameters, strict=True):
        moved = pose_matrix(true, truth.motion_centre_mm) @ points.T
        placed.append((pose_matrix(found, grid_centre(grid)) @ moved)[:3])
    still = np.mean(placed[:n_still], axis=0)
    return np.array([np.linalg.norm(p - still, axis=0).mean() for p in placed])


@pytest.fixture
def residual():
    """Function of truth, grid, motion found and number of still frames: what is left a frame [mm]."""
    return residual_mm
