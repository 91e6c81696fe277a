"""X-ray runs that cannot be turned into perfusion, or only with a warning."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.learn import ica

pytestmark = pytest.mark.timeout(120)
SIZE = 192


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    phantom.write_study(phantom.xa(size=SIZE, seed=5), folder)
    return folder


def refused(study: Path, out: Path, *options):
    """Run on what must be refused; return the message."""
    done = call("run", study, "-o", out, *options)
    assert done.exit_code == 3, done.output
    assert not out.exists()
    return done.output


def cut(file: Path, target: Path, n_frames: int):
    """Keep the first frames of a run."""
    run = pydicom.dcmread(file)
    run.PixelData = run.pixel_array[:n_frames].tobytes()
    run.NumberOfFrames = n_frames
    run.FrameTimeVector = list(run.FrameTimeVector)[:n_frames]
    target.mkdir()
    run.save_as(target / "run.dcm")
    return target


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_a_run_of_a_few_frames_is_refused(study, tmp_path, n_frames):
    short = cut(study / "dicom" / "AP.dcm", tmp_path / "short", n_frames)
    assert "frame" in refused(short, tmp_path / "out")


def test_contrast_from_the_first_frame_is_marked_as_failed(tmp_path):
    phantom.write_study(phantom.xa(size=SIZE, seed=5, injected_from_first=True), tmp_path / "study")
    done = call("run", tmp_path / "study" / "dicom", "-o", tmp_path / "out", "--json")
    assert done.exit_code == 4, done.output
    views = json.loads(done.stdout)["views"]
    assert all("NO_BASELINE" in {f["code"] for f in view["findings"]} for view in views.values())
    assert (tmp_path / "out" / "ap" / "maps" / "CBF.nii.gz").is_file()


@pytest.mark.parametrize("catheter", [False, True])
def test_a_run_without_an_injection_is_refused(tmp_path, catheter):
    made = phantom.xa(size=SIZE, seed=6, vessel="none", catheter=catheter)
    phantom.write_study(made, tmp_path / "study")
    refused(tmp_path / "study" / "dicom", tmp_path / "out")


def test_a_mask_of_another_size_is_refused(study, tmp_path):
    nib.save(nib.Nifti1Image(np.ones((SIZE // 2, SIZE, 1), np.uint8), np.eye(4)), tmp_path / "mask.nii.gz")
    run = study / "dicom" / "AP.dcm"
    assert "mask" in refused(run, tmp_path / "out", "--aif", tmp_path / "mask.nii.gz")


def test_an_empty_mask_is_refused(study, tmp_path):
    true = nib.load(study / "truth" / "AP" / "ica.nii.gz")
    empty = nib.Nifti1Image(np.zeros(true.shape, np.uint8), true.affine)
    nib.save(empty, tmp_path / "mask.nii.gz")
    run = study / "dicom" / "AP.dcm"
    assert "mask" in refused(run, tmp_path / "out", "--aif", tmp_path / "mask.nii.gz")


def test_two_patients_in_one_folder_are_not_two_views(study, tmp_path):
    for name, patient in (("AP", "ONE"), ("LAT", "TWO")):
        run = pydicom.dcmread(study / "dicom" / f"{name}.dcm")
        run.PatientID = run.PatientName = patient
        run.StudyInstanceUID = f"1.2.3.{len(name)}"
        run.save_as(tmp_path / f"{name}.dcm")
    message = refused(tmp_path, tmp_path.with_name("out"))
    assert "--series" in message


@pytest.mark.parametrize(
    "options",
    [
        ("--aif", "kmeans"),
        ("--aif", "tissue"),
        ("--vof", "3,4,0"),
        ("--leakage",),
        ("--mask", "brain.nii.gz"),
    ],
)
def test_choices_of_other_modalities_are_refused_and_not_ignored(study, tmp_path, options):
    (tmp_path / "brain.nii.gz").write_bytes(b"")
    asked = [str(tmp_path / o) if o.endswith(".gz") else o for o in options]
    done = call("run", study / "dicom", "-o", tmp_path / "out", *asked)
    assert done.exit_code == 2, done.output
    assert "X-ray run" in done.output
    assert not (tmp_path / "out").exists()


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Move the network that is shipped to where a test may spoil it."""
    for end in (".onnx", ".json"):
        shutil.copy(ica.SHIPPED.with_suffix(end), tmp_path / f"ica{end}")
    monkeypatch.setattr(ica, "SHIPPED", tmp_path / "ica.onnx")
    ica.carotid.cache_clear()
    yield tmp_path / "ica.onnx"
    ica.carotid.cache_clear()


def test_missing_weights_are_told(study, tmp_path, weights):
    weights.unlink()
    assert "ica.onnx" in refused(study / "dicom", tmp_path / "out")


def test_changed_weights_are_refused(study, tmp_path, weights):
    changed = bytearray(weights.read_bytes())
    changed[len(changed) // 2] ^= 1
    weights.write_bytes(changed)
    assert "changed" in refused(study / "dicom", tmp_path / "out")


def test_without_weights_a_run_can_do_with_physics(study, tmp_path, weights):
    weights.unlink()
    done = call("run", study / "dicom", "-o", tmp_path / "out", "--aif", "physics", "--quiet")
    assert done.exit_code == 0, done.output
