"""Maps that others made come onto a series' grid, wherever their voxels lie."""

import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import BadGeometry, UnreadableFile
from bolus.core.grid import Grid
from bolus.read import load_volume

GRID = Grid((20, 16, 4), np.array([[-2.0, 0, 0, 19.0], [0, -2.0, 0, 15.0], [0, 0, 5.0, 30.0], [0, 0, 0, 1]]))


def plane(points):
    """A function of place that linear interpolation keeps."""
    return (0.5 * points[..., 0] + 0.25 * points[..., 1] + 0.1 * points[..., 2]).astype(np.float32)


def everywhere(grid):
    return grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1))


def test_a_folder_of_slices_in_any_order(tmp_path, slice_file):
    wanted = plane(everywhere(GRID))
    for k in range(4):
        # The grid's first voxel: patient's right is x = -19 mm in RAS, +19 in LPS; axes run left and back.
        slice_file(tmp_path / f"NLR_CBF0000{9 - k}.dcm", wanted[:, :, k].T, (-19.0, -15.0, 30.0 + 5.0 * k))
    np.testing.assert_allclose(load_volume(tmp_path, GRID), wanted, atol=0.006)


def test_another_grid_of_the_same_patient(tmp_path):
    affine = np.array([[1.5, 0, 0, -25.0], [0, 1.5, 0, -25.0], [0, 0, 4.0, 20.0], [0, 0, 0, 1]])
    own = Grid((34, 34, 9), affine)
    nib.save(nib.Nifti1Image(plane(everywhere(own)), affine), tmp_path / "tmax.nii.gz")
    np.testing.assert_allclose(
        load_volume(tmp_path / "tmax.nii.gz", GRID), plane(everywhere(GRID)), atol=1e-3
    )


def test_what_the_map_does_not_reach_is_no_number(tmp_path):
    affine = np.array([[2.0, 0, 0, -19.0], [0, 2.0, 0, -15.0], [0, 0, 5.0, 35.0], [0, 0, 0, 1]])
    own = Grid((20, 16, 2), affine)
    nib.save(nib.Nifti1Image(plane(everywhere(own)), affine), tmp_path / "map.nii")
    found = load_volume(tmp_path / "map.nii", GRID)
    assert [bool(np.isfinite(found[:, :, k]).all()) for k in range(4)] == [False, True, True, False]


def test_what_is_no_map_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4, 2)), np.eye(4)), tmp_path / "frames.nii")
    with pytest.raises(BadGeometry, match="not a volume"):
        load_volume(tmp_path / "frames.nii", GRID)
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4)), np.eye(4)), tmp_path / "far.nii")
    with pytest.raises(BadGeometry, match="elsewhere"):
        load_volume(tmp_path / "far.nii", GRID)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableFile, match="empty"):
        load_volume(tmp_path / "empty", GRID)
    (tmp_path / "empty" / "note.txt").write_text("no DICOM")
    with pytest.raises(UnreadableFile, match="no slice"):
        load_volume(tmp_path / "empty", GRID)


@pytest.mark.parametrize("heights", [(0, 5, 15, 20), (0, 5, 5, 10)])
def test_a_folder_with_a_slice_too_few_or_too_many_is_refused(heights, tmp_path, slice_file):
    for k, height in enumerate(heights):
        slice_file(tmp_path / f"{k}.dcm", np.ones((16, 20)), (-19.0, -15.0, 30.0 + height))
    with pytest.raises(BadGeometry, match="evenly spaced"):
        load_volume(tmp_path, GRID)


def test_colour_images_are_no_map(tmp_path, slice_file):
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    eight_bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "Rows": 8}
    slice_file(tmp_path / "0.dcm", np.ones((12, 20)), (-19.0, -15.0, 30.0), **colour, **eight_bits)
    with pytest.raises(BadGeometry, match="no grey image"):
        load_volume(tmp_path, GRID)
