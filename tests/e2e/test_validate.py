"""`bolus validate` keeps its promises: files, tables, exit codes, JSON, and nothing half-written."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bolus.apps.cli import app
from bolus.phantom import ct, write_study

pytestmark = pytest.mark.slow
RUNNER = CliRunner(env={"BOLUS_DEBUG": "1"})


def invoke(*words: object) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["validate", *(str(w) for w in words)])
    unexpected = done.exception if not isinstance(done.exception, SystemExit) else None
    assert unexpected is None, unexpected
    return done.exit_code, done.stdout, done.stderr


def test_two_methods_are_measured_and_the_numbers_told_on_standard_output(tmp_path: Path) -> None:
    out = tmp_path / "accuracy"
    code, text, err = invoke(
        "-o", out, "--fast", "--seed", 3, "--json", "--method", "osvd", "--method", "csvd:cutoff=0.15"
    )
    told = json.loads(text)
    kept = json.loads((out / "validation.json").read_text(encoding="utf-8"))

    assert code == 0
    assert "validation.md" in err
    assert kept == told | {"files": kept["files"]}
    assert told["methods"] == [
        {"method": "osvd", "options": {}}, {"method": "csvd", "options": {"cutoff": 0.15}},
    ]  # fmt: skip
    assert (told["seed"], told["effort"]) == (3, "fast")
    assert not [name for name in kept["files"] if not (out / name).is_file()]
    assert (out / "figures" / "noise.png").is_file()
    assert list(tmp_path.iterdir()) == [out]
    assert bias_of_core(told, "osvd") == pytest.approx(-24, abs=8)


def bias_of_core(document: dict, method: str) -> float:
    wanted = {"tissue": "core", "noise_hu": 1.0, "residue": "exponential"}
    (row,) = (
        r for r in document["rows"]
        if (r["method"], r["experiment"], r["quantity"]) == (method, "noise", "CBF")
        and wanted.items() <= r["conditions"].items()
    )  # fmt: skip
    return row["bias"]


def test_a_person_gets_a_table_and_the_place_of_the_rest(shared_data: Path, tmp_path: Path) -> None:
    code, text, err = invoke(
        "-o", tmp_path / "out", "--fast", "--method", "csvd",
        "--osipi", shared_data / "dsc_truth_osipi", "--bezier", shared_data / "dsc_truth_bezier",
    )  # fmt: skip

    assert (code, err) == (0, "")
    assert "csvd" in text
    assert "CBF 14/14, CBV 14/14" in text
    assert str(tmp_path / "out" / "validation.md") in text.replace("\n", "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--method", "magic"], 2),
        (["--method", "osvd:cutoff=0.1"], 2),
        (["--method", "csvd:cutoff=7"], 2),
        (["--seed", "-1"], 2),
        (["--osipi", "nowhere"], 3),
        (["--bezier", "nowhere"], 3),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, words: list[str], code: int) -> None:
    found, out, err = invoke("-o", tmp_path / "out", "--fast", *words)

    assert found == code, err
    assert "error" in err.lower()
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    code, _, err = invoke("-o", tmp_path, "--fast")

    assert code == 3
    assert "other files" in err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_study_tells_whether_maps_follow_flow(tmp_path: Path) -> None:
    words = ["phantom", "ct", "-o", tmp_path, "--size", 64, "--slices", 4, "--frames", 30, "--noise", 2]
    assert RUNNER.invoke(app, [str(w) for w in words]).exit_code == 0

    methods = ("--method", "csvd", "--method", "csvd:cutoff=0.15")
    code, text, _ = invoke("-o", tmp_path / "out", "--flow-response", tmp_path / "dicom", *methods, "--json")
    told = json.loads(text)

    assert code == 0
    assert told == json.loads((tmp_path / "out" / "flow-response.json").read_text(encoding="utf-8"))
    row, other = told["methods"]
    assert row["faithful"]
    assert row["slopes"]["CBV"] == pytest.approx(1.0, abs=0.1)
    assert (row["method"], other["method"]) == ("csvd", "csvd:cutoff=0.15")
    assert row["slopes"] != other["slopes"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--osipi", "."), "measures nothing else; found --osipi"),
        (("--seed", 3, "--fast"), "measures nothing else; found --fast, --seed"),
        (("--method", "csvd", "--method", "magic"), "unknown deconvolution method"),
        (("--method", "csvd:speed=3"), "speed"),
        (("--method", "temp-pix2pix"), "is for other scans"),
    ],
)
def test_a_flow_response_is_refused_before_any_work(words, text, tmp_path: Path) -> None:
    study = tmp_path / "study"
    write_study(ct(shape=(32, 32, 4), n_frames=10, seed=1), study)
    code, _, err = invoke("-o", tmp_path / "out", "--flow-response", study / "dicom", *words)
    assert code == 2, err
    assert text in err
    assert not (tmp_path / "out").exists()


def test_a_flow_response_replaces_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    code, _, err = invoke("-o", tmp_path, "--flow-response", tmp_path / "none")
    assert code == 3
    assert "thesis.txt" in err
