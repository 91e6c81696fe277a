"""A user's mask must lie on the series, in whatever order it is stored."""

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
