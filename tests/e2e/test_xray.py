"""An X-ray injection through the command line: from DICOM to two views side by side."""

import json
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.export import schema

MAPS = ("CBV", "CBF", "MTT", "Tmax")


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def write(folder: Path, **options):
    made = phantom.xa(**{"size": 320, "fps": 3.0, "seed": 2, **options})
    phantom.write_study(made, folder)
    return made


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xa") / "study"
    return folder, write(folder)


@pytest.fixture(scope="module")
def result(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("xa") / "out"
    done = call("run", study[0] / "dicom", "-o", out, "--json")
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def test_both_views_are_there_side_by_side(result):
    out, printed = result
    document = json.loads((out / "summary.json").read_text())
    assert printed == document
    jsonschema.validate(document, schema(), cls=jsonschema.Draft202012Validator)
    assert list(document["views"]) == ["ap", "lateral"]
    there = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert there == document["files"]
    page = (out / "report.html").read_text()
    assert "AP (+0 degrees)" in page
    assert "Lateral (+90 degrees)" in page
    assert "mL/100 g" not in page
    assert "are withheld" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_maps_lie_on_the_run_and_have_units_of_a_projection(result, study):
    out, document = result
    for name, view in zip(("ap", "lateral"), study[1].views.values(), strict=True):
        units = {m: document["views"][name]["maps"][m]["unit"] for m in MAPS}
        assert units == {"CBV": "1", "CBF": "1/s", "MTT": "s", "Tmax": "s"}
        image = nib.load(out / name / "maps" / "CBV.nii.gz")
        assert image.shape == view.series.grid.shape
        assert np.isfinite(image.get_fdata()).mean() > 0.2


def test_arteries_fill_before_tissue_and_tissue_before_veins(result, study):
    out, _ = result
    for name, view in zip(("ap", "lateral"), study[1].views.values(), strict=True):
        late = nib.load(out / name / "maps" / "Tmax.nii.gz").get_fdata()[..., 0]
        stored = {n: view.series.grid.stored(m)[0][..., 0] for n, m in view.truth.masks.items()}
        veins = stored["veins"] & ~stored["arteries"]
        tissue = np.isfinite(late) & ~stored["vessels"]
        arteries, middle, last = (np.nanmedian(late[m]) for m in (stored["ica"], tissue, veins))
        assert arteries < middle < last


def test_a_mask_that_the_user_gives_is_used(study, tmp_path):
    folder, _ = study
    mask = folder / "truth" / "LAT" / "ica.nii.gz"
    done = call("run", folder / "dicom" / "LAT.dcm", "-o", tmp_path / "out", "--aif", mask, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema(), cls=jsonschema.Draft202012Validator)
    given = int(np.count_nonzero(nib.load(mask).get_fdata()))
    assert document["vessels"]["aif"]["n_voxels"] == pytest.approx(given, rel=0.01)
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_deconvolution_of_the_paper_is_there_for_comparison(study, tmp_path):
    folder, _ = study
    done = call("run", folder / "dicom", "-o", tmp_path / "out", "--method", "paper", "--json")
    assert done.exit_code == 0, done.output
    recipe = json.loads(done.stdout)["views"]["ap"]["recipe"]
    assert recipe["deconvolve"]["method"] == "ssvd"
    assert recipe["prepare"]["time_step"] == 1.0


def test_an_earlier_result_of_two_views_is_replaced(result, study):
    out, _ = result
    done = call("run", study[0] / "dicom", "-o", out, "--quiet")
    assert done.exit_code == 0, done.output


def test_other_files_in_the_output_folder_are_kept(study, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = call("run", study[0] / "dicom", "-o", tmp_path)
    assert done.exit_code == 3
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("vessel", ["vertebral", "external"])
def test_an_injection_into_another_artery_is_told(tmp_path, vessel):
    write(tmp_path / "study", vessel=vessel, size=256, seed=5)
    done = call("run", tmp_path / "study" / "dicom", "-o", tmp_path / "out", "--json")
    assert done.exit_code in {0, 4}, done.output
    codes = {f["code"] for v in json.loads(done.stdout)["views"].values() for f in v["findings"]}
    assert "NO_CAROTID" in codes


def test_a_run_without_contrast_is_refused(tmp_path):
    write(tmp_path / "study", vessel="none", seed=4)
    done = call("run", tmp_path / "study" / "dicom", "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert not (tmp_path / "out").exists()
