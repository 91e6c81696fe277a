"""The shipped networks make maps and lesions of a study from files, and say what they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.core.recipe import Recipe
from bolus.learn import MAPPERS, infer
from bolus.pipeline import run

CT = {"shape": (96, 96, 6), "n_frames": 40, "dt": 1.5, "noise_hu": 3.0, "seed": 21}
MR = {"shape": (96, 96, 6), "n_frames": 60, "dt": 1.5, "seed": 21, "lesion": "mca-left"}


@pytest.fixture(scope="module", params=["unet", "temp-pix2pix"])
def made(request):
    study = phantom.ct(**CT) if request.param == "unet" else phantom.mr(**MR)
    result = run(
        study.series, Recipe(method=request.param, motion="none", ttp_origin="scan"), mappers=MAPPERS
    )
    return request.param, study, result


def test_maps_are_like_the_truth(made):
    """As like as networks get that were trained for minutes; the documentation says what that is worth."""
    _, study, result = made
    tissue = study.truth.masks["tissue"] & np.isfinite(result.maps["CBF"].values)
    assert tissue.sum() > 0.9 * study.truth.masks["tissue"].sum()
    for name, least in (("CBF", 0.6), ("CBV", 0.5), ("Tmax", 0.6)):
        found, true = (m[name].values[tissue] for m in (result.maps, study.truth.maps))
        assert np.corrcoef(found, true)[0, 1] > least, name
    assert (
        abs(float(np.median(result.maps["Tmax"].values[tissue] - study.truth.maps["Tmax"].values[tissue])))
        < 1.5
    )


def test_late_tissue_is_found_on_the_side_where_it_is(made):
    name, study, result = made
    late = result.maps["Tmax"].values > 6
    true = study.truth.masks["hypoperfused"]
    overlap = 2 * (late & true).sum() / (late.sum() + true.sum())
    assert (
        overlap > {"unet": 0.4, "temp-pix2pix": 0.85}[name]
    )  # the U-Net draws long times towards usual ones
    assert late.sum() < 1.2 * true.sum()
    if result.lesions is not None:
        assert result.lesions.side == study.truth.side


def test_the_reader_is_told(made):
    name, _, result = made
    told = {finding.code: finding for finding in result.findings}
    assert name in told["NETWORK_MAPS"].text
    assert told["NETWORK_MAPS"].value is not None
    assert "NETWORK_RANGE" not in told


@pytest.mark.parametrize("task", ["ctp-unet", "dsc-gan"])
def test_networks_that_come_with_bolus_are_small_and_have_scores(task):
    path = infer.shipped(task)
    card = infer.load(path, task=task).card
    assert path.stat().st_size <= 4e6
    assert {"simulated", "shifted", "shown"} <= set(card.scores)
    assert "CBF slope" in card.scores["shown"]
    assert "/" not in json.dumps(card.data.get("generator", ""))


def test_a_run_from_files_writes_a_report_that_names_the_network(tmp_path: Path):
    phantom.write_study(phantom.ct(**CT), tmp_path / "study")
    words = ["run", str(tmp_path / "study" / "dicom"), "-o", str(tmp_path / "out"), "--method", "unet", "-q"]
    found = CliRunner().invoke(app, [*words, "--no-motion"])
    assert found.exit_code in {0, 4}, found.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert any(one["code"] == "NETWORK_MAPS" for one in summary["findings"])
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "it was not used to make the maps" in report
