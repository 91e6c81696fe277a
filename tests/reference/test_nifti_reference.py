"""NIfTI sets made by others: read right when told the interval, refused with the remedy when not."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import BadInput, BadTimes, NoSeries
from bolus.core.units import Modality
from bolus.read import ReadOptions, load

pytestmark = pytest.mark.reference

TOLD = ReadOptions(dt_s=1.243, te_ms=29.0, modality=Modality.MR)


def bezier_signals(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "dsc_truth_bezier").rglob("St_*.nii"))
    if not found:
        pytest.skip("the Bezier set is not on this machine")
    return found


def test_a_header_that_nobody_filled_in_asks_for_the_interval(shared_data):
    for path in bezier_signals(shared_data):
        with pytest.raises(BadTimes, match="--dt") as caught:
            load(path)
        assert "no unit" in caught.value.found


def test_bezier_signals_are_read_voxel_by_voxel_when_told(shared_data):
    for path in bezier_signals(shared_data):
        series = load(path, options=TOLD)
        stored, affine = series.grid.stored(series.frames)
        image = nib.load(path)
        np.testing.assert_allclose(stored, image.get_fdata(), rtol=1e-6)
        np.testing.assert_allclose(affine, image.affine)
        np.testing.assert_allclose(series.times, np.arange(161) * 1.243)
        assert series.acquisition.te_ms == 29.0
        assert "ORIENTATION_UNKNOWN" in {f.code for f in series.findings}


def test_without_a_modality_signals_are_guessed_to_be_mr(shared_data):
    series = load(bezier_signals(shared_data)[0], options=ReadOptions(dt_s=1.243))
    assert series.modality is Modality.MR
    assert "MODALITY_GUESSED" in {f.code for f in series.findings}


def test_an_arterial_curve_alone_is_no_series(shared_data):
    for path in (shared_data / "dsc_truth_bezier").rglob("aif.nii"):
        with pytest.raises(BadInput, match="four axes"):
            load(path, options=TOLD)


def test_pictures_of_maps_are_refused(shared_data):
    folder = shared_data / "ctp_maps_magic"
    if not folder.is_dir():
        pytest.skip("the picture set is not on this machine")
    with pytest.raises(NoSeries, match="not DICOM"):
        load(folder)
    with pytest.raises(NoSeries):
        load(next(folder.rglob("*.png")))
