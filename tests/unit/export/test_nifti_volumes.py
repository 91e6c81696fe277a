from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from bolus.core.errors import ShapeMismatch
from bolus.core.grid import Grid, canonical, turn_canonical
from bolus.core.maps import WINDOWS, Map
from bolus.core.units import Unit
from bolus.export.nifti import write_deviation, write_map, write_mask, write_volume

SPACING = (0.9, 1.7, 5.5)
ORIENTATIONS = [(p, s) for p in permutations(range(3)) for s in product((1, -1), repeat=3)]


def stored_affine(axes: tuple[int, ...], signs: tuple[int, ...], tilt_deg: float = 0.0) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for i, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, i] = sign * SPACING[i]
    angle = np.deg2rad(tilt_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = (11.0, -23.0, 47.0)
    return affine


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_geometry_survives_in_every_stored_orientation(tmp_path: Path, axes, signs) -> None:
    affine = stored_affine(axes, signs, tilt_deg=12.0)
    stored = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    grid = canonical(stored.shape, affine)
    made = Map("CBF", np.ascontiguousarray(turn_canonical(stored, grid)), Unit.FLOW, grid)

    write_map(tmp_path / "CBF.nii.gz", made)

    image = nib.load(tmp_path / "CBF.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), stored)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)


def test_itk_and_nibabel_agree_on_where_a_voxel_is(tmp_path: Path) -> None:
    affine = stored_affine((0, 1, 2), (-1, -1, 1), tilt_deg=15.0)
    grid = canonical((6, 7, 4), affine)
    write_volume(
        tmp_path / "v.nii.gz", np.zeros(grid.shape, np.float32), grid, intent="estimate", name="CBF", unit=""
    )

    point_lps = SimpleITK.ReadImage(str(tmp_path / "v.nii.gz")).TransformIndexToPhysicalPoint((5, 2, 3))

    expected = affine @ [5, 2, 3, 1]
    np.testing.assert_allclose(np.array(point_lps) * [-1, -1, 1], expected[:3], atol=1e-3)


def test_header_says_what_a_value_means(tmp_path: Path, small_result) -> None:
    write_map(tmp_path / "Tmax.nii.gz", small_result.maps["Tmax"])

    header = nib.load(tmp_path / "Tmax.nii.gz").header
    assert header.get_data_dtype() == np.float32
    assert header.get_intent()[0] == "estimate"
    assert header.get_intent()[2] == "Tmax"
    assert header.get_xyzt_units() == ("mm", "sec")
    assert (header["cal_min"], header["cal_max"]) == WINDOWS["Tmax"]
    assert b"[s]" in header["descrip"].tobytes()
    assert int(header["sform_code"]) == int(header["qform_code"]) == 1


def test_numbers_that_do_not_exist_stay_nan(tmp_path: Path, small_result) -> None:
    made = small_result.maps["CBF"]

    write_map(tmp_path / "CBF.nii.gz", made)

    values = np.asarray(nib.load(tmp_path / "CBF.nii.gz").dataobj)
    assert np.isnan(values).sum() == np.isnan(made.values).sum() > 0


def test_masks_are_ones_and_zeros_in_bytes(tmp_path: Path, small_result) -> None:
    mask = small_result.lesions.core

    write_mask(tmp_path / "core.nii.gz", mask, small_result.grid, "core")

    image = nib.load(tmp_path / "core.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert image.header.get_intent()[0] == "label"
    assert np.asarray(image.dataobj).sum() == mask.sum() > 0
    assert abs(np.linalg.det(image.affine[:3, :3])) == pytest.approx(
        1000 * small_result.grid.voxel_ml, rel=1e-5
    )


def test_a_tilted_gantry_sets_no_qform_that_would_lie(tmp_path: Path) -> None:
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    affine[1, 2] = 1.3
    grid = Grid((4, 5, 3), affine)

    write_mask(tmp_path / "m.nii.gz", np.ones(grid.shape, np.bool_), grid, "m")

    image = nib.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)
    assert int(image.header["qform_code"]) == 0


def test_deviations_are_written_where_there_are_any(tmp_path: Path, small_result) -> None:
    made = small_result.maps["CBF"]
    with_sd = Map("CBF", made.values, made.unit, made.grid, sd=np.full(made.grid.shape, 3.0, np.float32))

    write_deviation(tmp_path / "CBF_sd.nii.gz", with_sd)

    assert np.asarray(nib.load(tmp_path / "CBF_sd.nii.gz").dataobj).max() == 3.0
    with pytest.raises(ValueError, match="no standard deviations"):
        write_deviation(tmp_path / "x.nii.gz", made)


def test_same_values_give_same_bytes(tmp_path: Path, small_result) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_map(tmp_path / name, small_result.maps["CBV"])

    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_an_array_of_another_shape_is_refused(tmp_path: Path, small_result) -> None:
    with pytest.raises(ShapeMismatch):
        write_mask(tmp_path / "m.nii.gz", np.ones((2, 2, 2), np.bool_), small_result.grid, "m")
    assert not list(tmp_path.iterdir())
