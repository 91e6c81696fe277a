"""A frame read where the head has gone: the same values as SimpleITK reads, in a fraction of its memory."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name for itself)

from bolus.core.grid import Grid
from bolus.prepare.itk import as_image
from bolus.prepare.pose import STILL, about_centre, twist_matrix
from bolus.prepare.resample import resampled

SHAPE = (24, 30, 6)


@pytest.fixture
def grid():
    return Grid(SHAPE, np.diag([-0.9, -0.9, 5.0, 1.0]))


@pytest.fixture
def volume():
    return np.random.default_rng(4).normal(40.0, 300.0, SHAPE).astype(np.float32)


def read_by_simpleitk(volume, grid, pose):
    image = as_image(volume, grid)
    to_frame = about_centre(pose, grid)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_frame[:3, :3].ravel().tolist())
    transform.SetTranslation(to_frame[:3, 3].tolist())
    turn = sitk.ResampleImageFilter()
    turn.SetReferenceImage(image)
    turn.SetTransform(transform)
    turn.SetInterpolator(sitk.sitkLinear)
    turn.SetUseNearestNeighborExtrapolator(True)
    return sitk.GetArrayFromImage(turn.Execute(image)).T


@pytest.mark.parametrize(
    "twist",
    [(0.4, -0.3, 0.2, 1.0, -0.5, 2.0), (6.0, -4.0, 7.0, 9.0, -8.0, 12.0), (40.0, 0.0, -40.0, 0.0, 0.0, 0.0)],
    ids=["within the volume", "partly outside", "wholly outside"],
)
def test_linear_reading_agrees_with_simpleitk_to_float32(volume, grid, twist):
    pose = twist_matrix(np.array(twist))

    found = resampled(volume, grid, pose)

    assert found.dtype == np.float32
    assert np.abs(found - read_by_simpleitk(volume, grid, pose)).max() < 1e-3


@pytest.mark.parametrize("order", [1, 3])
def test_a_head_that_lay_still_is_read_as_it_is(volume, grid, order):
    assert np.abs(resampled(volume, grid, STILL, order=order) - volume).max() < 1e-2
