"""Volumes of a tilted gantry, and oblique ones, are corrected and outlined like any other."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.units import Modality
from bolus.prepare import correct_motion, find_brain
from bolus.prepare.pose import STILL, twist_matrix
from bolus.prepare.resample import resampled
from bolus.prepare.shear import offsets, straight, straightened

SHAPE, SPACING = (80, 96, 8), np.array([2.2, 2.2, 5.0])
JUMP = {4: ((2.0, -1.5, 1.0), (1.5, 0.0, 3.0))}


def tilted(degrees, shape=SHAPE):
    """Slices that each lie further back than the one below, as with a tilted gantry."""
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    affine[1, 2] = SPACING[2] * np.tan(np.deg2rad(degrees))
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def turned(degrees, shape=SHAPE):
    """A whole volume turned about the left-right axis."""
    a = np.deg2rad(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-SPACING[0], -SPACING[1], SPACING[2]])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def ramp(grid):
    """Values that follow the patient's axes, so that a linear reading of them is exact."""
    index = np.moveaxis(np.indices(grid.shape, dtype=np.float64), 0, -1)
    return (grid.position_mm(index) @ np.array([0.3, -0.7, 1.1])).astype(np.float32)


@pytest.mark.parametrize("affine", [tilted(0.0), turned(20.0)], ids=["axial", "oblique"])
def test_right_angles_need_no_straightening(affine):
    grid = Grid(SHAPE, affine)

    assert not offsets(grid).any()
    assert straight(grid) is grid


def test_straight_slices_keep_their_planes_and_their_centre():
    grid = Grid(SHAPE, tilted(20.0))

    upright = straight(grid)

    axes = upright.affine[:3, :3] / np.array(upright.spacing_mm)
    middle = (np.array(SHAPE) - 1) / 2
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert np.allclose(upright.position_mm(middle), grid.position_mm(middle))
    assert upright.voxel_ml == pytest.approx(grid.voxel_ml)


@pytest.mark.parametrize("order", [1, 3])
def test_straightened_values_stay_where_they_are_in_the_patient(order):
    grid = Grid(SHAPE, tilted(-25.0))

    moved = straightened(ramp(grid), grid, order=order)

    inner = (slice(10, -10), slice(10, -10), slice(None))
    assert np.abs(moved - ramp(straight(grid)))[inner].max() < 0.02


@pytest.mark.parametrize("degrees", [0.0, 20.0, -25.0])
def test_resampling_follows_the_pose_on_a_sheared_grid(degrees):
    grid = Grid(SHAPE, tilted(degrees))
    pose = twist_matrix(np.array([2.0, -3.0, 1.0, 0.0, 0.0, 0.0]))

    still, moved = (resampled(ramp(grid), grid, p, smooth=(0.0, 0.0)) for p in (STILL, pose))

    inner = (slice(12, -12), slice(12, -12), slice(2, -2))
    assert np.abs(still - ramp(grid))[inner].max() < 0.02
    assert np.abs(moved - ramp(grid) - (0.3 * 2.0 + 0.7 * 3.0 + 1.1 * 1.0))[inner].max() < 0.02


@pytest.mark.parametrize(
    "affine", [tilted(20.0), tilted(-25.0), turned(20.0)], ids=["tilted", "tilted the other way", "oblique"]
)
def test_a_moved_head_is_put_back_and_outlined(head, residual, affine):
    recipe = head(affine=affine, n_frames=6, moves=JUMP)
    series = recipe.series()

    fixed, trace = correct_motion(series, reference="first")
    brain = find_brain(fixed)

    inside = recipe.inside()
    assert residual(recipe, trace).max() <= 0.5
    assert 2 * (brain.inside & inside).sum() / (brain.inside.sum() + inside.sum()) >= 0.95


def test_a_tilted_mr_head_is_put_back(head, residual):
    recipe = head(affine=tilted(20.0), n_frames=6, moves=JUMP, modality=Modality.MR, bolus=np.zeros(6))

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5
