"""A frame read where the head has gone: splines that stay within what was measured."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name for itself)

from bolus.core.grid import Grid
from bolus.prepare.itk import as_image
from bolus.prepare.pose import STILL, about_centre, twist_matrix
from bolus.prepare.resample import ANY, resampled

SHAPE = (24, 30, 6)
LINEAR = (0.0, 0.0)
POSE = twist_matrix(np.array([0.4, -0.3, 0.9, 1.0, -0.5, 2.0]))


@pytest.fixture
def grid():
    return Grid(SHAPE, np.diag([-0.9, -0.9, 5.0, 1.0]))


@pytest.fixture
def volume():
    return np.random.default_rng(4).normal(40.0, 300.0, SHAPE).astype(np.float32)


def read_by_simpleitk(volume, grid, pose, kind):
    image = as_image(volume, grid)
    to_frame = about_centre(pose, grid)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_frame[:3, :3].ravel().tolist())
    transform.SetTranslation(to_frame[:3, 3].tolist())
    turn = sitk.ResampleImageFilter()
    turn.SetReferenceImage(image)
    turn.SetTransform(transform)
    turn.SetInterpolator(kind)
    turn.SetDefaultPixelValue(float("nan"))
    return sitk.GetArrayFromImage(turn.Execute(image)).T


def waves(x, y, z):
    return 30.0 * np.sin(x / 3.5) * np.cos(y / 4.0) + 10.0 * np.cos(z / 2.0)


def test_values_beyond_the_range_are_read_linearly(volume, grid):
    expected = read_by_simpleitk(volume, grid, POSE, sitk.sitkLinear)
    inner = np.isfinite(expected)
    inner[:, :, [0, -1]] = False

    found = resampled(volume, grid, POSE, smooth=LINEAR)

    assert found.dtype == np.float32
    assert np.abs(found - expected)[inner].max() < 1e-2


def test_splines_agree_with_simpleitk_where_they_stay_within_their_neighbours(grid):
    volume = waves(*np.indices(SHAPE)).astype(np.float32)
    expected = read_by_simpleitk(volume, grid, POSE, sitk.sitkBSpline3)
    inner = (slice(4, -4), slice(4, -4), slice(2, -2))

    difference = np.abs(resampled(volume, grid, POSE) - expected)[inner]

    assert np.median(difference) < 0.05  # beyond crests and troughs, which are cut


def test_splines_blur_less_than_straight_lines(grid):
    volume = waves(*np.indices(SHAPE)).astype(np.float32)
    to_index = np.linalg.inv(grid.affine) @ about_centre(POSE, grid) @ grid.affine
    index = (
        np.einsum("ij,jxyz->ixyz", to_index[:3, :3], np.indices(SHAPE)) + to_index[:3, 3, None, None, None]
    )
    inner = (slice(4, -4), slice(4, -4), slice(1, -1))

    splines, lines = (
        np.abs(resampled(volume, grid, POSE, smooth=smooth) - waves(*index))[inner].mean()
        for smooth in (ANY, LINEAR)
    )

    assert splines < 0.4 * lines


def test_no_value_leaves_the_range_of_its_neighbours(grid):
    edge = np.where(np.indices(SHAPE)[0] < 12, 30.0, 900.0).astype(np.float32)

    for smooth in (ANY, (0.0, 100.0)):
        found = resampled(edge, grid, POSE, smooth=smooth)
        assert found.min() >= 30.0 - 1e-3
        assert found.max() <= 900.0 + 1e-3


def test_bone_does_not_swing_into_the_tissue_beside_it(grid):
    rng = np.random.default_rng(2)
    brain = rng.normal(35.0, 4.0, SHAPE).astype(np.float32)
    skull = brain.copy()
    skull[14:] += 900.0
    pose = twist_matrix(np.array([0.3, 0.2, 1.5, 0.0, 0.0, 0.0]))

    without, beside = (resampled(volume, grid, pose, smooth=(0.0, 100.0)) for volume in (brain, skull))

    tissue = (slice(0, 12), slice(None), slice(None))
    assert np.abs(beside - without)[tissue].max() < 10.0  # from the cropped bone, 100 HU, two pixels away
    assert np.abs(beside - without)[:9].max() < 0.5


@pytest.mark.parametrize("smooth", [LINEAR, (0.0, 100.0), ANY])
def test_a_ramp_is_read_as_a_ramp(smooth):
    grid = Grid((24, 30, 16), np.diag([-0.9, -0.9, 5.0, 1.0]))
    places = np.moveaxis(np.indices(grid.shape), 0, -1)
    ramp = grid.position_mm(places) @ np.array([0.3, -0.7, 1.1])
    to_frame = about_centre(POSE, grid)
    moved = grid.position_mm(places) @ to_frame[:3, :3].T + to_frame[:3, 3]

    found = resampled(ramp.astype(np.float32), grid, POSE, smooth=smooth)

    inner = (slice(6, -6), slice(6, -6), slice(5, -5))
    assert np.abs(found - moved @ np.array([0.3, -0.7, 1.1]))[inner].max() < 0.02


@pytest.mark.parametrize("smooth", [LINEAR, (0.0, 100.0), ANY])
def test_a_head_that_lay_still_is_read_as_it_is(volume, grid, smooth):
    assert np.abs(resampled(volume, grid, STILL, smooth=smooth) - volume).max() < 2e-2


@pytest.mark.parametrize("smooth", [LINEAR, ANY])
def test_beyond_the_volume_its_nearest_voxel_goes_on(volume, grid, smooth):
    away = twist_matrix(np.array([0.0, 0.0, 40.0, 0.0, 0.0, 0.0]))

    found = resampled(volume, grid, away, smooth=smooth)

    assert np.abs(found - volume[:, :, -1:]).max() < 2e-2


@pytest.mark.parametrize("n_slices", [1, 2, 3])
def test_slabs_of_few_slices_are_read(n_slices):
    grid = Grid((24, 30, n_slices), np.diag([-0.9, -0.9, 5.0, 1.0]))
    volume = np.broadcast_to(waves(*np.indices(SHAPE))[:, :, :1], grid.shape).astype(np.float32)
    pose = twist_matrix(np.array([0.9, 0.0, 0.0, 0.0, 0.0, 0.0]))

    assert np.abs(resampled(volume, grid, pose)[2:, 2:] - volume[1:-1, 2:]).max() < 1e-2
