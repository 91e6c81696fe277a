"""A simulated X-ray run on disk, read with pydicom and with the package's own reader."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

import bolus
from bolus import phantom
from bolus.apps.cli import app
from bolus.core.errors import OutputFailed

CASES = {
    "SUB": {"encoding": "SUB"},
    "LIN even": {"encoding": "LIN", "fps": 2.0, "sign": -1},
    "LOG slowing": {"encoding": "LOG", "fps": 4.0, "fps_late": 1.0, "photometric": "MONOCHROME1"},
    "LIN filled": {"encoding": "LIN", "injected_from_first": True, "sign": 1},
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    run = phantom.xa(size=64, seed=2, motion=True, clot="M1", **CASES[request.param])
    return run, phantom.write_study(run, tmp_path_factory.mktemp("xa") / "study")


def test_reader_gives_back_frames_times_and_beam(written):
    run, out = written
    for name, view in run.views.items():
        series = bolus.load(out / "dicom" / f"{name}.dcm")
        np.testing.assert_array_equal(series.frames, view.series.frames)
        np.testing.assert_array_equal(series.times, view.series.times)
        np.testing.assert_allclose(series.grid.affine, view.series.grid.affine, atol=1e-9)
        assert series.modality == view.series.modality
        assert series.acquisition.xray == view.series.acquisition.xray


def test_dicom_holds_what_the_standard_asks_for(written):
    run, out = written
    images = {name: pydicom.dcmread(out / "dicom" / f"{name}.dcm") for name in run.views}
    assert len({image.StudyInstanceUID for image in images.values()}) == 1
    assert len({image.SOPInstanceUID for image in images.values()}) == 2
    assert len({image.AcquisitionTime for image in images.values()}) == 1
    for (name, image), plane, angle in zip(images.items(), "AB", (0.0, 90.0), strict=True):
        view = run.views[name]
        assert image.SOPClassUID.name == "X-Ray Angiographic Image Storage"
        assert image.ImageType[2] == f"BIPLANE {plane}"
        assert image.PositionerPrimaryAngle == angle
        assert image.pixel_array.shape == (*view.series.frames.shape[3:], 64, 64)
        np.testing.assert_array_equal(image.pixel_array[3], view.series.frames[:, :, 0, 3].T)
        assert image.pixel_array.max() < 2**image.BitsStored
        assert image.PhotometricInterpretation == view.truth.photometric
        assert image[image.FrameIncrementPointer].value is not None
        assert image.ReferencedImageSequence[0].ReferencedSOPInstanceUID in {
            other.SOPInstanceUID for other in images.values() if other is not image
        }


def test_times_are_exact_in_the_file(written):
    run, out = written
    image = pydicom.dcmread(out / "dicom" / "AP.dcm", stop_before_pixels=True)
    times = run.views["AP"].series.times
    if "FrameTimeVector" in image:
        assert len(image.FrameTimeVector) == image.NumberOfFrames
        found = np.cumsum([float(step) for step in image.FrameTimeVector]) / 1000.0
    else:
        found = np.arange(image.NumberOfFrames) * float(image.FrameTime) / 1000.0
    np.testing.assert_allclose(found, times, atol=1e-9)


def test_mask_frames_are_named_for_unsubtracted_runs_only(written):
    run, out = written
    image = pydicom.dcmread(out / "dicom" / "AP.dcm", stop_before_pixels=True)
    operations = run.views["AP"].series.acquisition.xray.operations
    assert ("MaskSubtractionSequence" in image) == bool(operations)
    if operations:
        item = image.MaskSubtractionSequence[0]
        assert item.MaskOperation == "AVG_SUB"
        assert image.RecommendedViewingMode == "SUB"
        numbers = np.atleast_1d(item.MaskFrameNumbers)
        assert run.views["AP"].series.times[numbers.max() - 1] < run.injection_s


def test_table_is_written_and_applied(tmp_path):
    run = phantom.xa(size=48, fps=1.0, encoding="LOG", lut=True, seed=1)
    phantom.write_study(run, tmp_path / "study")
    view = run.views["AP"]
    series = bolus.load(tmp_path / "study/dicom/AP.dcm")
    np.testing.assert_array_equal(series.frames, view.truth.to_linear[view.series.frames])


def test_truth_stands_beside_it(written):
    run, out = written
    facts = json.loads((out / "truth/truth.json").read_text())
    assert facts["clot"] == "M1"
    assert facts["lost_fraction"] == pytest.approx(run.tici_fraction, abs=1e-4)
    for name, view in run.views.items():
        for mask in ("ica", "ica_top", "vessels", "arteries", "veins", "field"):
            image = nib.load(out / "truth" / name / f"{mask}.nii.gz")
            np.testing.assert_array_equal(np.asarray(image.dataobj) > 0, view.truth.masks[mask])
        segments = np.asarray(nib.load(out / "truth" / name / "segments.nii.gz").dataobj)
        np.testing.assert_array_equal(segments, view.truth.segments)
        named = facts["views"][name]["segments"]
        assert {int(n) for n in named} >= set(np.unique(segments)) - {0}
        rows = (out / "truth" / name / "aif.csv").read_text().splitlines()
        assert rows[0] == "time_s,value"
        assert len(rows) == view.series.n_frames + 1


def test_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(OutputFailed):
        phantom.write_study(phantom.xa(size=32, fps=1.0), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["note"]


def test_command_writes_a_run(tmp_path):
    done = CliRunner().invoke(
        app, ["phantom", "xa", "-o", str(tmp_path / "s"), "--size", "48", "--fps", "2", "--clot", "M1", "-q"]
    )
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "s/dicom").iterdir()) == ["AP.dcm", "LAT.dcm"]
