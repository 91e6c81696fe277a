"""`bolus run --aif tissue` writes a whole result, and says in each part of it that there is no artery."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bolus.apps.cli import app

RUNNER = CliRunner(env={"BOLUS_DEBUG": "1"})


def call(*words: object):
    return RUNNER.invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ct")
    size = ("--size", 96, "--slices", 3, "--frames", 40, "--noise", 2, "--seed", 3)
    assert call("phantom", "ct", "-o", folder, *size).exit_code == 0
    return folder / "dicom"


@pytest.fixture(scope="module", params=["net", "csvd"])
def result(request, study, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp(request.param) / "out"
    done = call("run", study, "-o", out, "--no-motion", "--aif", "tissue", "--method", request.param)
    assert done.exit_code == 0, done.output
    return out


def test_the_summary_and_the_report_say_so(result):
    summary = json.loads((result / "summary.json").read_text(encoding="utf-8"))
    told = {finding["code"]: finding for finding in summary["findings"]}
    assert told["NO_ARTERY"]["severity"] == "warn"
    assert "NET_FALLBACK" not in told
    assert "no artery" in summary["vessels"]["aif"]["origin"]
    assert summary["vessels"]["aif"]["n_voxels"] == 0
    page = (result / "report.html").read_text(encoding="utf-8")
    assert "CBF and CBV are relative" in page
    assert "made of the curve of early tissue" in page


def test_lesions_of_relative_thresholds_and_the_curve_are_written(result):
    assert (result / "lesions" / "core.nii.gz").is_file()
    times, values = np.loadtxt(result / "vessels" / "aif.csv", delimiter=",", skiprows=1).T[:2]
    assert times.size == 40
    assert values.max() > 100.0
    recipe = tomllib.loads((result / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["vessels"]["aif"] == "tissue"


def test_a_rule_of_numbers_withholds_volumes(study, tmp_path):
    asked = ("--no-motion", "--aif", "tissue", "--method", "csvd", "--rule", "syngo", "--json")
    done = call("run", study, "-o", tmp_path / "out", *asked)
    assert done.exit_code == 4, done.output
    assert json.loads(done.stdout)["lesions"] is None
    assert (tmp_path / "out" / "maps" / "CBF.nii.gz").is_file()
    assert not (tmp_path / "out" / "lesions").exists()
