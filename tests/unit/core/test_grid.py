"""Voxels stay where they are in the patient, however a file stores them."""

from itertools import permutations, product

import numpy as np
import pytest

from bolus.core.errors import BadGeometry, ShapeMismatch
from bolus.core.grid import Grid, canonical, same_place, turn_canonical

ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def oriented_affine(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for i, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[axis, i] = sign * (0.9, 1.1, 5.0)[i]
    affine[:3, 3] = (10.0, -20.0, 30.0)
    return affine


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_turning_there_and_back_is_the_identity(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine = oriented_affine(order, signs)
    stored = np.random.default_rng(0).random((3, 4, 5))

    grid = canonical((3, 4, 5), affine)
    back, back_affine = grid.stored(turn_canonical(stored, grid))

    np.testing.assert_array_equal(back, stored)
    np.testing.assert_allclose(back_affine, affine, atol=1e-12)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_canonical_axes_run_left_back_head(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    grid = canonical((3, 4, 5), oriented_affine(order, signs))
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    np.testing.assert_allclose(directions, np.diag([-1.0, -1.0, 1.0]), atol=1e-12)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_a_voxel_keeps_its_place_in_the_patient(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine = oriented_affine(order, signs)
    stored = np.zeros((3, 4, 5))
    stored[2, 1, 3] = 1.0

    grid = canonical((3, 4, 5), affine)
    index = np.argwhere(turn_canonical(stored, grid))[0]

    np.testing.assert_allclose(grid.position_mm(index), affine[:3, :3] @ (2, 1, 3) + affine[:3, 3])


def test_keep_slices_leaves_a_sagittal_stack_third() -> None:
    sagittal = oriented_affine((1, 2, 0), (1, 1, 1))
    grid = canonical((3, 4, 5), sagittal, keep_slices=True)
    assert grid.shape[2] == 5


def test_voxel_volume_is_right_for_a_sheared_grid() -> None:
    sheared = np.diag([1.0, 2.0, 5.0, 1.0])
    sheared[1, 2] = 3.0
    assert Grid((2, 2, 2), sheared).voxel_ml == pytest.approx(0.010)


@pytest.mark.parametrize("bad", [np.full((4, 4), np.nan), np.zeros((4, 4)), np.diag([1.0, 1.0, 900.0, 1.0])])
def test_absurd_affines_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(BadGeometry):
        Grid((2, 2, 2), bad)


def test_flat_affine_is_refused() -> None:
    flat = np.eye(4)
    flat[:3, 2] = flat[:3, 1]
    with pytest.raises(BadGeometry, match="singular"):
        Grid((2, 2, 2), flat)


def test_wrong_shape_is_named() -> None:
    with pytest.raises(ShapeMismatch, match="wanted"):
        Grid((2, 3, 4), np.eye(4)).require_shape((4, 3, 2), "the mask")


def test_same_place_sees_a_shift() -> None:
    shifted = np.eye(4)
    shifted[0, 3] = 0.5
    grid = Grid((2, 3, 4), np.eye(4))
    assert same_place(grid, Grid((2, 3, 4), np.eye(4)))
    assert not same_place(grid, Grid((2, 3, 4), shifted))
    assert not same_place(grid, Grid((2, 3, 5), np.eye(4)))


def test_index_of_undoes_position() -> None:
    grid = Grid((2, 3, 4), oriented_affine((0, 1, 2), (-1, -1, 1)))
    np.testing.assert_allclose(grid.index_of(grid.position_mm([1, 2, 3])), [1, 2, 3])
