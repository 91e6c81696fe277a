"""Every study that cannot be used ends with one clear message, its exit code, and no debris."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner, Result

from bolus import phantom
from bolus.apps.cli import app
from bolus.export import nifti

pytestmark = pytest.mark.timeout(300)
SHAPE, FRAMES, STEP_S = (64, 64, 8), 40, 1.5
N_SLICES = SHAPE[2]

Files = dict[tuple[int, int], pydicom.Dataset]
Edit = Callable[[Files], object]
Spoil = Callable[[Edit], Path]


def bolus(*words: object) -> Result:
    done = CliRunner(env={"BOLUS_DEBUG": "1", "COLUMNS": "200"}).invoke(app, [str(w) for w in words])
    unexpected = done.exception if not isinstance(done.exception, SystemExit) else None
    assert unexpected is None, repr(unexpected)
    return done


def run(study: Path, *words: object) -> tuple[Result, Path]:
    out = study.parent / "out"
    return bolus("run", study, "-o", out, "--no-motion", *words), out


def refused(study: Path, *words: object, says: str, code: int = 3) -> str:
    """Run what must be refused; check that it says so once, says what to do, and leaves nothing."""
    before = sorted(p.name for p in study.parent.iterdir())
    done, out = run(study, *words)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert done.stderr.count("error ") == 1
    assert says in done.stderr
    assert ". " in done.stderr, "no remedy"
    assert "Traceback" not in done.stderr
    assert not out.exists()
    assert sorted(p.name for p in study.parent.iterdir()) == before
    return done.stderr


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "study"
    made = phantom.ct(shape=SHAPE, n_frames=FRAMES, dt=STEP_S, noise_hu=2.0, seed=0)
    return phantom.write_study(made, folder)


@pytest.fixture(scope="module")
def images(good: Path) -> Files:
    """The files of the good study by slice and frame."""
    files = [pydicom.dcmread(p) for p in (good / "dicom").iterdir()]
    heights = sorted({float(f.SliceLocation) for f in files})
    return {(heights.index(float(f.SliceLocation)), int(f.AcquisitionNumber) - 1): f for f in files}


@pytest.fixture
def spoil(images: Files, tmp_path: Path) -> Spoil:
    """Write the study as an edit of its files leaves it."""

    def write(edit: Edit) -> Path:
        copies = {place: pydicom.dcmread(image.filename) for place, image in images.items()}
        edit(copies)
        folder = tmp_path / "study"
        folder.mkdir()
        for (k, t), image in copies.items():
            image.save_as(folder / f"{t:03d}-{k:03d}.dcm", enforce_file_format=True)
        return folder

    return write


def pixels(image: pydicom.Dataset) -> np.ndarray:
    return np.frombuffer(image.PixelData, dtype="<u2").reshape(image.Rows, image.Columns)


def without(files: Files, drop: Callable[[int, int], bool]) -> None:
    for place in [p for p in files if drop(*p)]:
        del files[place]


def as_it_is(_files: Files) -> None:
    """Change nothing."""


def each(change: Callable[[pydicom.Dataset, int, int], object]) -> Edit:
    return lambda files: [change(image, k, t) for (k, t), image in files.items()]


def test_the_good_study_passes(good: Path) -> None:
    done, out = run(good / "dicom", "-q")
    assert done.exit_code == 0, done.stderr
    assert (out / "report.html").is_file()
    shutil.rmtree(out)


def test_an_empty_folder(tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    refused(study, says="the folder is empty")


def test_a_single_volume_is_no_perfusion_series(spoil: Spoil) -> None:
    study = spoil(lambda files: without(files, lambda _k, t: t > 0))
    assert "--series" in refused(study, says="no perfusion series")


def test_too_few_frames_named_by_the_user(spoil: Spoil) -> None:
    study = spoil(lambda files: without(files, lambda _k, t: t >= 5))
    assert "5" in refused(study, "--series", "4", says="too few time points")


def test_one_frame_named_by_the_user(spoil: Spoil) -> None:
    refused(spoil(lambda files: without(files, lambda _k, t: t > 0)), "--series", "4", says="wanted")


def test_two_equal_candidates(spoil: Spoil) -> None:
    study = spoil(as_it_is)
    for number, path in enumerate(sorted(study.iterdir())):
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID, image.SOPInstanceUID = "1.2.3.4", f"1.2.3.4.{number}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(study / f"other-{path.name}")
    text = refused(study, says="equally good")
    assert text.count("--series") >= 3  # one a candidate, and the remedy


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.6])
def test_truncated_files(spoil: Spoil, keep: float) -> None:
    study = spoil(as_it_is)
    for path in study.iterdir():
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    refused(study, says="study")


def test_corrupt_files(spoil: Spoil) -> None:
    study = spoil(as_it_is)
    rng = np.random.default_rng(1)
    for path in study.iterdir():
        path.write_bytes(path.read_bytes()[:132] + rng.bytes(4000))
    refused(study, says="study")


def test_a_slice_missing_in_every_other_frame(spoil: Spoil) -> None:
    study = spoil(lambda files: without(files, lambda k, t: k == 3 and t % 2 == 1))
    done, out = run(study, "-q")
    assert done.exit_code in {0, 3, 4}
    assert "slice" in done.stderr.lower()
    assert out.exists() == (done.exit_code != 3)


def test_most_of_a_slice_missing(spoil: Spoil) -> None:
    refused(spoil(lambda files: without(files, lambda k, t: k == 3 and t > 3)), says="slice")


def test_a_slice_missing_throughout(spoil: Spoil) -> None:
    refused(spoil(lambda files: without(files, lambda k, _t: k == 3)), says="spac")


def test_a_constant_image(spoil: Spoil) -> None:
    def flat(image: pydicom.Dataset, _k: int, _t: int) -> None:
        image.PixelData = np.full((64, 64), 1064, "<u2").tobytes()

    assert "--mask" in refused(spoil(each(flat)), says="brain")


def test_air_alone(spoil: Spoil) -> None:
    rng = np.random.default_rng(0)

    def air(image: pydicom.Dataset, _k: int, _t: int) -> None:
        image.PixelData = rng.integers(10, 40, (64, 64)).astype("<u2").tobytes()

    assert "--mask" in refused(spoil(each(air)), says="brain")


def test_no_bolus(spoil: Spoil, images: Files) -> None:
    rng = np.random.default_rng(0)

    def still(image: pydicom.Dataset, k: int, _t: int) -> None:
        noisy = pixels(images[k, 0]) + rng.normal(0, 2, (64, 64))
        image.PixelData = noisy.round().clip(0).astype("<u2").tobytes()

    refused(spoil(each(still)), says="bolus")


def test_a_bolus_cut_off_withholds_volumes(spoil: Spoil) -> None:
    done, out = run(spoil(lambda files: without(files, lambda _k, t: t > 11)), "--json")
    assert done.exit_code == 4, done.stderr
    document = json.loads(done.stdout)
    assert "TRUNCATED" in {f["code"] for f in document["findings"] if f["severity"] == "fail"}
    assert not (out / "lesions").exists()
    assert (out / "maps" / "Tmax.nii.gz").is_file()


def test_the_wrong_modality(good: Path, tmp_path: Path) -> None:
    study = shutil.copytree(good / "dicom", tmp_path / "study")
    assert "not MR" in refused(study, "--modality", "mr", says="no perfusion series")


@pytest.mark.parametrize("spacing", [[1e-4, 1e-4], [300, 300], [0, 0], [-1, 1]])
def test_absurd_spacing(spoil: Spoil, spacing: list[float]) -> None:
    refused(spoil(each(lambda image, _k, _t: setattr(image, "PixelSpacing", spacing))), says="study")


def test_one_time_for_all_files_asks_for_dt(spoil: Spoil) -> None:
    def stopped(image: pydicom.Dataset, _k: int, _t: int) -> None:
        image.AcquisitionTime = image.ContentTime = "103000"

    assert "--dt" in refused(spoil(each(stopped)), says="time")


@pytest.mark.parametrize("dt", ["0", "-1.5", "nan", "1e9"])
def test_a_step_that_cannot_be(good: Path, tmp_path: Path, dt: str) -> None:
    study = shutil.copytree(good / "dicom", tmp_path / "study")
    done, out = run(study, f"--dt={dt}")
    assert done.exit_code == 2
    assert "dt" in done.stderr
    assert not out.exists()


def as_nifti(folder: Path, values: np.ndarray, step: float = STEP_S, **sidecar: object) -> Path:
    image = nib.Nifti1Image(values, np.diag([3.4, 3.4, 10.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = step
    path = folder / "series.nii.gz"
    image.to_filename(path)
    (folder / "series.json").write_text(json.dumps({"Modality": "CT", "Units": "HU"} | sidecar))
    return path


def series(good: Path) -> np.ndarray:
    return np.asarray(nib.load(good / "nifti" / "series.nii.gz").dataobj, dtype=np.float32)


def test_nothing_but_nan(good: Path, tmp_path: Path) -> None:
    refused(as_nifti(tmp_path, np.full_like(series(good), np.nan)), says="series.nii.gz")


def test_a_nifti_volume_without_time(good: Path, tmp_path: Path) -> None:
    refused(as_nifti(tmp_path, series(good)[..., 0]), says="series.nii.gz")


@pytest.mark.parametrize("times", ["repeated", "decreasing"])
def test_frame_times_that_stand_still_or_go_back(good: Path, tmp_path: Path, times: str) -> None:
    clock = np.arange(FRAMES) * STEP_S
    clock[10] = clock[9] if times == "repeated" else clock[9] - 1
    refused(as_nifti(tmp_path, series(good), FrameTimesStart=clock.tolist()), says="time")


def test_a_truncated_nifti_file(good: Path, tmp_path: Path) -> None:
    path = as_nifti(tmp_path, series(good))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, says="series.nii.gz")


def test_a_missing_echo_time_asks_for_te(tmp_path: Path) -> None:
    made = phantom.write_study(phantom.mr(shape=(64, 64, 4), n_frames=30), tmp_path / "made")
    study = tmp_path / "study"
    study.mkdir()
    for path in (made / "dicom").iterdir():
        image = pydicom.dcmread(path)
        del image.EchoTime
        image.save_as(study / path.name)
    assert "--te" in refused(study, says="echo time")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(spoil: Spoil) -> None:
    study = spoil(as_it_is)
    for path in study.iterdir():
        path.chmod(0)
    refused(study, says="may not be opened")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that takes two volumes and no third."""
    written: list[Path] = []
    usual = nifti.write_map

    def write(path: Path, *rest: object) -> None:
        if len(written) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        usual(path, *rest)

    monkeypatch.setattr(nifti, "write_map", write)
    yield
    assert len(written) == 2


def test_a_full_disk(good: Path, tmp_path: Path, full_disk: None) -> None:
    study = shutil.copytree(good / "dicom", tmp_path / "study")
    assert "-o" in refused(study, says="no space left")


def test_a_full_disk_leaves_the_earlier_result(
    good: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    study = shutil.copytree(good / "dicom", tmp_path / "study")
    done, out = run(study, "-q")
    assert done.exit_code == 0
    earlier = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    request.getfixturevalue("full_disk")

    done, _ = run(study, "-q")

    assert done.exit_code == 3
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == earlier
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "study"]


BIDI = "\N{RIGHT-TO-LEFT OVERRIDE}"
HOSTILE = ["<script>alert(1)</script>../../../etc/x", f"\x1b[31mred{BIDI}gpj.exe{{{{7*7}}}}[bold]x"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(spoil: Spoil, text: str) -> None:
    def edit(image: pydicom.Dataset, _k: int, _t: int) -> None:
        image.SpecificCharacterSet = "ISO_IR 192"
        image.SeriesDescription = image.ProtocolName = f"perfusion {text}"
        image.Manufacturer = image.ManufacturerModelName = image.StudyDescription = text
        image.PatientName, image.PatientID, image.PatientBirthDate = (
            "Secretname^Jane",
            "SECRETID77",
            "19440203",
        )

    study = spoil(each(edit))
    inside = sorted(p.relative_to(study.parent) for p in study.parent.rglob("*"))
    done, out = run(study)
    assert done.exit_code == 0, done.stderr
    told = bolus("info", study).output

    names = [p.relative_to(study.parent) for p in study.parent.rglob("*") if out not in {p, *p.parents}]
    assert sorted(names) == inside, "something was written outside the output"
    page = (out / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "49" not in page.partition("<h1")[2].partition("</h1>")[0], "a template in the text was run"
    texts = [done.output, told, page, (out / "summary.json").read_text("utf-8")]
    assert not [c for c in ("\x1b", BIDI) if any(c in t for t in texts)]
    assert all(b"Secretname" not in p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert not [s for s in ("Secretname", "SECRETID77", "19440203") if any(s in t for t in texts)]
