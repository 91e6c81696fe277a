"""Simulated studies on disk, read back without the package's own reader."""

import csv
import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.core.errors import OutputFailed

SMALL = {"shape": (32, 24, 5), "n_frames": 6}


@pytest.fixture(scope="module", params=["ct", "ct shuttle", "mr", "kudo"])
def written(request, tmp_path_factory):
    kind, _, timing = request.param.partition(" ")
    if kind == "kudo":
        study = phantom.kudo(tile_px=2, n_frames=5)
    else:
        make = {"ct": phantom.ct, "mr": phantom.mr}[kind]
        study = make(**SMALL, timing=timing or "even")
    out = phantom.write_study(study, tmp_path_factory.mktemp("phantom") / "study")
    return study, out


def _images(out):
    return [pydicom.dcmread(path) for path in sorted((out / "dicom").iterdir())]


def test_dicom_holds_every_pixel_at_its_place_and_time(written):
    study, out = written
    series = study.series
    to_lps = np.diag([-1.0, -1.0, 1.0])
    images = _images(out)
    times = np.broadcast_to(series.times, (series.grid.shape[2], series.n_frames))
    seen = set()
    for image in images:
        position = to_lps @ np.array(image.ImagePositionPatient, dtype=float)
        i, j, k = np.rint(series.grid.index_of(position)).astype(int)
        t = int(image.AcquisitionNumber) - 1
        assert (i, j) == (0, 0)
        values = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) \
            if "RescaleSlope" in image else image.pixel_array  # fmt: skip
        np.testing.assert_allclose(values.T, series.frame(t)[:, :, k], atol=1e-3)
        clock = image.AcquisitionTime
        seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:])
        assert seconds - (10 * 3600 + 30 * 60) == pytest.approx(times[k, t], abs=2e-6)
        seen.add((k, t))
    assert len(seen) == len(images) == series.grid.shape[2] * series.n_frames


def test_dicom_says_which_way_its_axes_run(written):
    study, out = written
    image = _images(out)[0]
    orientation = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
    dx, dy, dz = study.series.grid.spacing_mm
    affine = study.series.grid.affine[:3]
    assert orientation[0] * dx == pytest.approx(np.diag([-1, -1, 1]) @ affine[:, 0], abs=1e-6)
    assert orientation[1] * dy == pytest.approx(np.diag([-1, -1, 1]) @ affine[:, 1], abs=1e-6)
    assert [float(s) for s in image.PixelSpacing] == pytest.approx([dy, dx])
    assert float(image.SliceThickness) == pytest.approx(dz)
    assert (image.Rows, image.Columns) == (study.series.grid.shape[1], study.series.grid.shape[0])


def test_dicom_attributes_are_valid_and_belong_together(written):
    _, out = written
    pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
    try:
        images = _images(out)
        for image in images:
            str(image)  # makes every element's value
    finally:
        pydicom.config.settings.reading_validation_mode = pydicom.config.WARN
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID"):
        assert len({image[name].value for image in images}) == 1
    assert len({image.SOPInstanceUID for image in images}) == len(images)
    assert all(image.SOPInstanceUID.is_valid for image in images)
    assert all(image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID for image in images)


def test_file_names_do_not_sort_by_time(written):
    _, out = written
    numbers = [int(image.InstanceNumber) for image in _images(out)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert numbers != sorted(numbers)


def test_nifti_is_the_series_in_its_geometry(written):
    study, out = written
    image = nib.load(out / "nifti" / "series.nii.gz")
    stored, affine = study.series.grid.stored(
        np.stack([study.series.frame(t) for t in range(study.series.n_frames)], -1)
    )
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    np.testing.assert_allclose(image.get_fdata(), stored, atol=1e-3)
    sidecar = json.loads((out / "nifti" / "series.json").read_text())
    if study.series.is_even:
        assert sidecar["RepetitionTime"] == pytest.approx(float(image.header["pixdim"][4]))
    else:
        assert sidecar["SliceTimes"] == study.series.times.tolist()


def test_truth_is_written_whole(written):
    study, out = written
    for name, each in study.truth.maps.items():
        np.testing.assert_array_equal(nib.load(out / "truth" / f"{name}.nii.gz").get_fdata(), each.values)
    for name, mask in study.truth.masks.items():
        assert np.array_equal(nib.load(out / "truth" / f"{name}.nii.gz").get_fdata() > 0, mask)
    with (out / "truth" / "aif.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["value"]) for r in rows] == pytest.approx(study.truth.aif.values.tolist(), abs=1e-4)
    facts = json.loads((out / "truth" / "truth.json").read_text())
    assert facts["seed"] == study.truth.seed
    assert facts["volumes_ml"] == pytest.approx(dict(study.truth.volumes_ml), abs=1e-3)


def test_writing_twice_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        phantom.write_study(phantom.ct(**SMALL), tmp_path / name)
    for path in (tmp_path / "a" / "dicom").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "dicom" / path.name).read_bytes()


def test_other_options_give_other_uids(tmp_path):
    uids = set()
    for number, changes in enumerate(({}, {"seed": 1}, {"timing": "shuttle"}, {"motion": True})):
        out = phantom.write_study(phantom.ct(**SMALL, **changes), tmp_path / str(number))
        uids.add(_images(out)[0].SeriesInstanceUID)
    assert len(uids) == 4


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputFailed, match="not empty"):
        phantom.write_study(phantom.kudo(tile_px=2, n_frames=3), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_command_looks_at_the_folder_before_it_simulates(tmp_path, monkeypatch):
    monkeypatch.setattr(phantom, "kudo", lambda **_options: pytest.fail("simulated for nothing"))
    (tmp_path / "mine.txt").write_text("keep")
    done = CliRunner().invoke(app, ["phantom", "kudo", "-o", str(tmp_path)])
    assert done.exit_code == 3
    assert "not empty" in done.stderr


def test_an_empty_folder_is_used(tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    phantom.write_study(phantom.kudo(tile_px=2, n_frames=3), out)
    assert {path.name for path in out.iterdir()} == {"dicom", "nifti", "truth"}


def test_nothing_is_left_behind_where_writing_fails(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bolus.phantom.files._write_truth", full)
    with pytest.raises(OutputFailed, match="No space left"):
        phantom.write_study(phantom.kudo(tile_px=2, n_frames=3), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_progress_is_told(tmp_path):
    heard = []
    phantom.write_study(
        phantom.kudo(tile_px=2, n_frames=3),
        tmp_path / "out",
        progress=lambda stage, done, total: heard.append((stage, done, total)),
    )
    assert heard[-1] == ("write DICOM", 18, 18)
