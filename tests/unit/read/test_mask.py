"""A user's mask must lie on the series, in whatever order it is stored."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import BadGeometry, BadInput, UnreadableFile
from bolus.core.grid import canonical
from bolus.read.mask import load_mask

AFFINE = np.array([[0, 0, 2.0, 1], [1.5, 0, 0, 2], [0, -1, 0, 3], [0, 0, 0, 1]])
GRID = canonical((4, 5, 6), AFFINE)


def saved(tmp_path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path = tmp_path / "mask.nii.gz"
    nib.save(nib.Nifti1Image(values.astype(np.uint8), affine), path)
    return path


def test_mask_is_turned_like_the_series(tmp_path: Path) -> None:
    stored = np.zeros((4, 5, 6))
    stored[1, 2, 3] = 1
    mask = load_mask(saved(tmp_path, stored), GRID)
    np.testing.assert_array_equal(GRID.stored(mask)[0], stored > 0)


def test_mask_elsewhere_is_refused(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 3
    with pytest.raises(BadGeometry, match="resample"):
        load_mask(saved(tmp_path, np.ones((4, 5, 6)), moved), GRID)


def test_empty_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        load_mask(saved(tmp_path, np.zeros((4, 5, 6))), GRID)


def test_series_as_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGeometry, match="not a volume"):
        load_mask(saved(tmp_path, np.ones((4, 5, 6, 2))), GRID)


def test_text_as_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii"
    path.write_text("no image")
    with pytest.raises(UnreadableFile, match=r"mask\.nii"):
        load_mask(path, GRID)


def test_mask_of_slices_kept_third_is_turned_like_the_series(tmp_path: Path) -> None:
    coronal = np.array([[2.0, 0, 0, 1], [0, 0, 1.5, 2], [0, 1, 0, 3], [0, 0, 0, 1]])
    grid = canonical((4, 5, 6), coronal, keep_slices=True)
    stored = np.zeros((4, 5, 6))
    stored[1, 2, 3] = 1
    mask = load_mask(saved(tmp_path, stored, coronal), grid)
    np.testing.assert_array_equal(grid.stored(mask)[0], stored > 0)


def test_mask_in_any_stored_order_lies_on_the_series(tmp_path: Path) -> None:
    stored = np.zeros((4, 5, 6))
    stored[1, 2, 3] = 1
    image = nib.Nifti1Image(stored.astype(np.uint8), AFFINE)
    expected = load_mask(saved(tmp_path, stored), GRID)
    for order in ("RAS", "LPS", "SAR", "PIL", "ASL"):
        wanted = nib.orientations.axcodes2ornt(tuple(order))
        turned = image.as_reoriented(
            nib.orientations.ornt_transform(nib.orientations.io_orientation(AFFINE), wanted)
        )
        path = tmp_path / f"{order}.nii.gz"
        nib.save(turned, path)
        np.testing.assert_array_equal(load_mask(path, GRID), expected)


def test_scaling_of_the_mask_counts(tmp_path: Path) -> None:
    stored = np.zeros((4, 5, 6), dtype=np.int16)
    stored[0, 0, 0] = 10
    path = tmp_path / "mask.nii"
    nib.save(nib.Nifti1Image(stored, AFFINE), path)
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack("<ff", 1.0, -5.0)
    path.write_bytes(content)
    assert load_mask(path, GRID).sum() == 1


def test_truncated_mask_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, np.random.default_rng(1).integers(0, 2, (4, 5, 6)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFile, match="truncated"):
        load_mask(path, GRID)


def test_mask_that_claims_too_much_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii"
    header = nib.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 300))
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    path.write_bytes(header.binaryblock + bytes(400))
    with pytest.raises(UnreadableFile, match="shorter"):
        load_mask(path, GRID)
