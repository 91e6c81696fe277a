"""A folder of patients: each is run, a bad one stops nobody, and what is done is not done again."""

import csv
import json

import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps.cli import app
from bolus.apps.cohort import Job, _key

pytestmark = pytest.mark.timeout(300)


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort") / "patients"
    phantom.write_study(phantom.xa(size=192, seed=5), folder / "anna")
    (folder / "berta").mkdir()
    (folder / "berta" / "letter.txt").write_text("no images")
    return folder


@pytest.fixture(scope="module")
def result(patients, tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "out"
    done = call("cohort", patients, "-o", out, "--quiet")
    assert done.exit_code == 0, done.output
    return out


def rows(out):
    with (out / "cohort.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_patient_has_a_row_a_view(result):
    found = [(r["patient"], r["view"], r["exit"]) for r in rows(result)]
    assert found == [("anna", "ap", "0"), ("anna", "lateral", "0"), ("berta", "", "3")]
    document = json.loads((result / "anna" / "summary.json").read_text())
    median = document["views"]["ap"]["maps"]["CBV"]["regions"]["tissue"]["median"]
    assert float(rows(result)[0]["CBV median"]) == pytest.approx(median)


def test_a_patient_that_cannot_be_used_says_why(result):
    bad = rows(result)[-1]
    assert bad["verdict"] == "none"
    assert "no" in bad["what"]
    assert not (result / "berta").exists()


def test_what_is_done_is_not_done_again(patients, result):
    before = (result / "anna" / "summary.json").stat().st_mtime_ns
    assert call("cohort", patients, "-o", result, "--quiet").exit_code == 0
    assert (result / "anna" / "summary.json").stat().st_mtime_ns == before


def test_other_choices_are_another_run(patients, result, tmp_path):
    (tmp_path / "recipe.toml").write_text('[deconvolve]\nmethod = "paper"\n')
    done = call("cohort", patients, "-o", result, "--recipe", tmp_path / "recipe.toml", "--quiet")
    assert done.exit_code == 0, done.output
    document = json.loads((result / "anna" / "summary.json").read_text())
    assert document["views"]["ap"]["recipe"]["deconvolve"]["method"] == "ssvd"


def test_a_recipe_that_was_changed_is_another_run(patients, result, tmp_path):
    recipe, bad = tmp_path / "recipe.toml", patients / "berta"
    recipe.write_text('[deconvolve]\nmethod = "paper"\n')
    keys = [_key(Job("berta", bad), ["--recipe", str(recipe)])]
    recipe.write_text('[deconvolve]\nmethod = "csvd"\n')
    keys.append(_key(Job("berta", bad), ["--recipe", str(recipe)]))
    assert keys[0] != keys[1]


def test_a_folder_without_studies_and_one_of_others_are_refused(patients, tmp_path):
    (tmp_path / "empty").mkdir()
    assert call("cohort", tmp_path / "empty", "-o", tmp_path / "out").exit_code == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    assert call("cohort", patients, "-o", tmp_path / "mine").exit_code == 3
