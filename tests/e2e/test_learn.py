"""`bolus learn`: from simulated patients, or one's own runs and masks, to a network that answers."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.learn.angiograms import true_arteries
from bolus.learn.cases import read_case, read_manifest
from bolus.learn.score import dice
from bolus.learn.splits import read_split

pytestmark = pytest.mark.slow
RUNNER = CliRunner(env={"BOLUS_DEBUG": "1"})
TINY = ("--set", "size=64", "--set", "options={width=4}", "--set", "precision=float32", "--threads", "1")


def invoke(*words: object) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["learn", *(str(w) for w in words)])
    unexpected = done.exception if not isinstance(done.exception, SystemExit) else None
    assert unexpected is None, unexpected
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learn") / "cases"
    code, out, err = invoke(
        *("data", "simulate", "ica", "-o", folder, "--patients", 6, "--seed", 1, "--size", 96),
        *("--processes", 1),
    )
    assert code == 0, err
    assert "cases:" in out
    return folder


def test_simulated_patients_have_two_views_and_an_artery(cases: Path) -> None:
    manifest = read_manifest(cases)
    found = [read_case(cases / entry.file) for entry in manifest.entries]

    assert {entry.view for entry in manifest.entries} == {"AP", "LAT"}
    assert all(case.image.shape == case.target.shape == (1, 96, 96) for case in found)
    filled = [case for case in found if case.meta["vessel"] == "carotid"]
    assert all(30 < case.target.sum() < 96 * 96 / 8 for case in filled)
    assert np.mean([case.image[case.target > 0].mean() for case in filled]) > 0.3
    assert manifest.source["setting"] == "A"


def test_train_evaluate_export_predict(cases: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run, net = tmp_path / "run", tmp_path / "net" / "ica.onnx"
    code, out, err = invoke("train", "ica", "--data", cases, "-o", run, "--epochs", 2, *TINY)
    assert code == 0, err
    assert "best validation dice" in out
    code, _, err = invoke("train", "ica", "--data", cases, "-o", run, "--epochs", 3, *TINY, "--resume")
    assert code == 0, err
    assert len((run / "log.csv").read_text().splitlines()) == 4

    code, out, err = invoke(
        "evaluate", "ica", "--run", run, "--data", cases, "-o", tmp_path / "scores", "--json", "--part", "all"
    )
    assert code == 0, err
    assert set(json.loads(out)["scores"]) >= {"all", "AP", "LAT", "simulated A"}
    rows = list(csv.DictReader((tmp_path / "scores" / "cases.csv").read_text().splitlines()))
    assert len(rows) == len(read_manifest(cases).entries)

    scores = f"simulated={tmp_path / 'scores' / 'scores.json'}"
    code, _, err = invoke("export", "ica", "--run", run, "-o", net, "--scores", scores)
    assert code == 0, err
    card = json.loads(net.with_suffix(".json").read_text())
    assert card["scores"]["simulated"]["data"]["seed"] == 1
    assert card["data"]["generator"] == "simulated"

    phantom.write_study(phantom.xa(size=96, seed=3), tmp_path / "xa")
    code, _, err = invoke(
        "predict", "ica", tmp_path / "xa" / "dicom", "-o", tmp_path / "answer", "--weights", net
    )
    assert code == 0, err
    names = {path.name for path in (tmp_path / "answer").iterdir()}
    views = [f"{v}{end}" for v in ("AP", "LAT") for end in ("_mask.nii.gz", "_probability.nii.gz", ".png")]
    assert names == {"prediction.json", *views}

    net.write_bytes(net.read_bytes() + b"x")
    code, _, err = invoke(
        "predict", "ica", tmp_path / "xa" / "dicom", "-o", tmp_path / "other", "--weights", net
    )
    assert code == 3
    assert "not those that their card describes" in err
    assert not (tmp_path / "other").exists()


def test_truth_of_a_run_that_moved_lies_where_its_first_frame_does() -> None:
    drawn = {"seed": 3, "size": 96, "motion": True}
    moved, still = phantom.xa(**drawn), phantom.xa(**drawn | {"motion": False})
    for view, artery in true_arteries(moved, drawn).items():
        ever = np.asarray(moved.views[view].truth.masks["ica"])
        assert artery.sum() < 0.95 * ever.sum()
        assert not (artery & ~ever).any()
        assert dice(artery, np.asarray(still.views[view].truth.masks["ica"])) > 0.95


def test_patients_are_dealt_out_to_folds(cases: Path, tmp_path: Path) -> None:
    code, out, err = invoke("data", "split", "--data", cases, "-o", tmp_path / "folds", "--folds", 3)
    assert code == 0, err
    tests = [read_split(tmp_path / "folds" / f"fold-{i}.json").test for i in range(3)]
    assert sorted(name for who in tests for name in who) == list(read_manifest(cases).patients)
    code, out, err = invoke("data", "split", "--data", cases, "-o", tmp_path, "--parts", "0.6,0.2,0.2")
    assert code == 0, err
    assert "1 test" in out
    assert invoke("data", "split", "--data", cases, "-o", tmp_path, "--parts", "all")[0] == 2


def test_own_runs_with_masks_become_the_cases_of_their_truth(tmp_path: Path) -> None:
    run = phantom.xa(size=96, seed=3, layered=False, encoding="LOG", clot="none")
    phantom.write_study(run, tmp_path / "xa")
    own = tmp_path / "own" / "patient one"
    own.mkdir(parents=True)
    for view in ("AP", "LAT"):
        shutil.copy(tmp_path / "xa" / "dicom" / f"{view}.dcm", own / f"{view}.dcm")
    artery = np.asarray(run.views["AP"].truth.masks["ica"])
    Image.fromarray(artery[:, :, 0].T.astype(np.uint8) * 255).save(own / "AP.png")
    shutil.copy(tmp_path / "xa" / "truth" / "LAT" / "ica.nii.gz", own / "LAT.nii.gz")

    code, out, err = invoke("data", "manifest", "ica", tmp_path / "own", "-o", tmp_path / "cases")

    assert code == 0, err
    assert "cases: 2 of 1 patients" in out
    for entry in read_manifest(tmp_path / "cases").entries:
        case = read_case(tmp_path / "cases" / entry.file)
        truth = np.asarray(run.views[case.view].truth.masks["ica"])[:, :, 0].T
        np.testing.assert_array_equal(case.target[0] > 0, truth)
        assert case.patient == "patient one"


def test_the_tasks_are_listed() -> None:
    code, out, _ = invoke("tasks", "--json")
    assert code == 0
    assert json.loads(out)["ica"]["presets"]["paper"]["lr"] == 1e-4


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["train", "thumb", "--data", ".", "-o", "run"], 2, "unknown task"),
        (["train", "ica", "--data", ".", "-o", "run", "--preset", "big"], 2, "unknown preset"),
        (["train", "ica", "--data", ".", "-o", "run", "--set", "lr=-1"], 2, "lr"),
        (["train", "ica", "--data", ".", "-o", "run", "--set", "nothing"], 2, "no choice"),
        (["train", "ica", "--data", ".", "-o", "run", "--set", "depth=3"], 2, "unknown choice"),
        (["train", "ica", "--data", ".", "-o", "run"], 3, "no table of cases"),
        (["evaluate", "ica", "--data", ".", "-o", "out", "--weights", "none.onnx"], 3, "card"),
        (["data", "simulate", "arteries", "-o", "out"], 2, "no simulator"),
        (["data", "manifest", "ica", "none", "-o", "out"], 3, "no such folder"),
        (["data", "import-dias", ".", "-o", "out"], 3, "no frames"),
        (["data", "import-maps", "ctp-unet", ".", "--from", "isles2018", "-o", "out"], 3, "no scan"),
        (["data", "import-maps", "ctp-unet", ".", "--from", "elsewhere", "-o", "out"], 2, "unknown layout"),
        (["data", "import-maps", "dsc-gan", "none.csv", "-o", "out"], 3, "no such folder"),
        (["data", "import-maps", "ica", ".", "-o", "out"], 2, "no task with maps"),
        (["export", "ica", "--run", "none", "-o", "net.onnx"], 3, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    found, _, err = invoke(*words)
    assert found == code, err
    assert text in err
    assert not list(tmp_path.iterdir())


CRITIC = ("--set", "critic=patchgan", "--set", "critic_options={width=4}", "--set", "betas=[0.5, 0.999]")


@pytest.mark.parametrize(("name", "kinds", "more"), [("ctp-unet", 3, ()), ("dsc-gan", 5, CRITIC)])
def test_map_networks_are_made_from_simulated_patients(
    name: str, kinds: int, more: tuple[str, ...], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    order = ("--patients", 3, "--seed", 1, "--size", 64, "--processes", 1)
    code, _, err = invoke("data", "simulate", name, "-o", tmp_path / "cases", *order)
    assert code == 0, err
    small = ("--set", "size=64", "--set", "precision=float32", "--epochs", 1, "--threads", 1)
    code, out, err = invoke(
        "train", name, "--data", tmp_path / "cases", "-o", tmp_path / "run", *small, *more
    )
    assert code == 0, err
    assert "best validation m" in out

    code, out, err = invoke(
        *("evaluate", name, "--run", tmp_path / "run", "--data", tmp_path / "cases", "--part", "all"),
        *("-o", tmp_path / "scores", "--json"),
    )

    assert code == 0, err
    scores = json.loads(out)["scores"]["all"]
    assert len({score.split()[0] for score in scores}) == kinds
    assert 0 < scores["CBF MAE in brain"]["mean"] < 1
    assert (tmp_path / "scores" / "examples.png").is_file()


def test_reference_maps_and_settings_are_chosen(tmp_path: Path) -> None:
    order = ("--patients", 1, "--seed", 1, "--size", 64, "--processes", 1)
    code, _, err = invoke(
        *("data", "simulate", "dsc-gan", "-o", tmp_path / "b", "--setting", "B", "--reference", "bolus"),
        *order,
    )
    assert code == 0, err
    assert read_manifest(tmp_path / "b").source["reference"] == "bolus"
    code, _, err = invoke("data", "simulate", "ica", "-o", tmp_path / "c", "--reference", "bolus", *order)
    assert code == 2
    assert "unknown reference" in err
    code, _, err = invoke("predict", "dsc-gan", tmp_path / "b", "-o", tmp_path / "d")
    assert code == 2
    assert "X-ray" in err


def test_a_calibration_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    kept = tmp_path / "run" / "calibration.json"
    kept.parent.mkdir()
    kept.write_text('{"temperature": 2.0}')
    code, _, err = invoke("calibrate", "core-size", "--data", tmp_path, "--run", kept.parent)
    assert code == 3
    assert "recipe" in err
    assert kept.read_text() == '{"temperature": 2.0}'
