"""A folder of NIfTI files gives the one series that it holds, or names the several."""

import json
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bolus.core.errors import AmbiguousSeries, BadTimes, NoSeries, UnreadableFile
from bolus.core.units import Modality
from bolus.read import ReadOptions, load, survey


def volume(folder: Path, name: str, *, n_frames: int = 10, level: int = 0, **sidecar: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shape = (4, 5, 3, n_frames) if n_frames else (4, 5, 3)
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) + level
    image = nib.Nifti1Image(values, np.diag([-1.0, -1.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    if n_frames:
        image.header["pixdim"][4] = 1.5
    nib.save(image, folder / f"{name}.nii.gz")
    if sidecar:
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    return folder / f"{name}.nii.gz"


def test_the_only_series_among_volumes_and_notes_is_read(tmp_path: Path) -> None:
    volume(tmp_path / "anat", "sub-01_T1w", n_frames=0, Modality="MR")
    path = volume(tmp_path / "perf", "sub-01_dsc", Modality="MR", EchoTime=0.03, RepetitionTime=1.5)
    for i in range(12):
        (tmp_path / f"note-{i}.txt").write_text("x")
    series = load(tmp_path)
    np.testing.assert_array_equal(series.frames, load(path).frames)
    assert series.acquisition.te_ms == pytest.approx(30.0)
    told = next(f.text for f in series.findings if f.code == "FILES_NOT_USED")
    assert "1 (NIfTI without a time axis)" in told
    assert "12 (not DICOM)" in told


def test_image_and_sidecar_alone_leave_nothing_unused(tmp_path: Path) -> None:
    volume(tmp_path, "scan", Modality="CT")
    assert "FILES_NOT_USED" not in {f.code for f in load(tmp_path).findings}


def test_several_series_are_named_with_the_option_to_choose(tmp_path: Path) -> None:
    first = volume(tmp_path, "first", Modality="MR")
    second = volume(tmp_path, "second", n_frames=20, level=7, Modality="MR")
    with pytest.raises(AmbiguousSeries) as caught:
        load(tmp_path)
    for word in (first.name, second.name, "--series"):
        assert word in str(caught.value)
    name = next(c.name for c in survey(tmp_path).candidates if c.description == second.name)
    for word in ("second.nii.gz", "second", name):
        assert load(tmp_path, options=ReadOptions(series=word)).n_frames == 20


@pytest.mark.parametrize("other", ["sub-01_bold", "sub-01_dwi", "sub-01_asl", "sub-01_run-2"])
def test_the_name_of_a_file_tells_what_it_is(tmp_path: Path, other: str) -> None:
    volume(tmp_path, "sub-01_dsc", Modality="MR")
    volume(tmp_path, other, n_frames=20, Modality="MR")
    assert load(tmp_path).n_frames == 10


def test_dicom_comes_before_what_was_converted_from_it(tmp_path: Path, dicom) -> None:
    dicom.series(tmp_path / "dicom")
    volume(tmp_path, "perfusion_converted", n_frames=20, Modality="CT")
    assert load(tmp_path).acquisition.source == "dicom"
    chosen = load(tmp_path, options=ReadOptions(series="perfusion_converted.nii.gz"))
    assert chosen.acquisition.source == "nifti"


def test_the_survey_lists_every_series(tmp_path: Path) -> None:
    volume(tmp_path, "perfusion", Modality="MR", EchoTime=0.03)
    volume(tmp_path, "fieldmap", n_frames=2, Modality="MR")
    seen = survey(tmp_path)
    assert seen.chosen is not None
    assert (seen.chosen.description, seen.chosen.shape) == ("perfusion.nii.gz", (4, 5, 3, 10))
    assert seen.chosen.dt_s == pytest.approx((1.5, 1.5, 1.5))
    assert seen.candidates[1].problems == ("2 frames only, 8 wanted",)
    json.dumps(seen.as_dict())


def test_the_survey_of_one_file_says_what_load_would_do(tmp_path: Path) -> None:
    path = volume(tmp_path, "short", n_frames=5)
    seen = survey(path)
    assert seen.chosen is not None
    assert seen.chosen.modality is load(path).modality is Modality.MR
    assert seen.verdict.startswith("would read")
    path.write_bytes(path.read_bytes()[:60])
    assert survey(path).chosen is None
    assert "NIfTI" in survey(path).verdict or "truncated" in survey(path).verdict


def test_a_series_without_times_is_refused_by_its_own_error(tmp_path: Path) -> None:
    path = volume(tmp_path, "scan", Modality="MR", VolumeTiming=[0, 1])
    with pytest.raises(BadTimes, match="VolumeTiming"):
        load(tmp_path)
    assert "VolumeTiming" in survey(path).verdict
    assert load(tmp_path, options=ReadOptions(dt_s=2.0)).n_frames == 10


def test_volumes_alone_are_no_series(tmp_path: Path) -> None:
    volume(tmp_path, "T1w", n_frames=0)
    with pytest.raises(NoSeries, match="time axis"):
        load(tmp_path)


def test_a_damaged_file_alone_is_named(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(UnreadableFile, match="damaged NIfTI"):
        load(tmp_path)


def test_an_error_names_the_archive_and_not_where_it_was_unpacked(tmp_path: Path) -> None:
    path = volume(tmp_path / "study", "scan", Modality="MR", VolumeTiming=[0, 1])
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        for file in (path, path.with_name("scan.json")):
            packed.write(file, f"inside/{file.name}")
    with pytest.raises(BadTimes) as caught:
        load(tmp_path / "study.zip")
    assert caught.value.where == str(tmp_path / "study.zip" / "inside" / "scan.nii.gz")
    assert "VolumeTiming" in caught.value.what
