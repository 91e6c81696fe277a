"""A folder of patients: each is run, a bad one stops nobody, and what is done is not done again."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bolus import phantom
from bolus.apps import cohort
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


class Faked:
    """Stand in for the runs of patients: each ends as it is told here, and is written down."""

    def __init__(self, monkeypatch, tmp_path):
        self.folder, self.out = tmp_path / "patients", tmp_path / "patients" / "out"
        for name in ("anna", "berta"):
            (self.folder / name).mkdir(parents=True)
        self.ends, self.asked = {}, []
        monkeypatch.setattr(cohort.subprocess, "Popen", self.start)

    def start(self, command, **_options):
        name, out = Path(command[4]).name, Path(command[6])
        self.asked.append(name)
        code, told, noise = self.ends.get(name, (0, '{"verdict": {"word": "PASS"}}', ""))
        if code == 0:
            out.mkdir(parents=True, exist_ok=True)
            (out / "summary.json").write_text(told)
        return Ended(code, told, noise)

    def call(self, *options):
        self.asked.clear()
        return call("cohort", self.folder, "-o", self.out, "-q", *options).exit_code, sorted(self.asked)


class Ended:
    """A process that has ended."""

    def __init__(self, returncode, told, noise):
        self.returncode, self.words = returncode, (told, noise)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def communicate(self):
        return self.words


@pytest.fixture
def faked(monkeypatch, tmp_path):
    return Faked(monkeypatch, tmp_path)


@pytest.mark.parametrize("error", ["OutputFailed", "MemoryError"])
def test_a_patient_for_whom_the_disk_was_full_is_tried_again(faked, error):
    faked.ends["anna"] = (3, json.dumps({"error": error, "what": "no space left"}), "")
    assert faked.call() == (3, ["anna", "berta"])
    del faked.ends["anna"]
    assert faked.call() == (0, ["anna"])
    assert faked.call() == (0, [])


def test_a_study_that_cannot_be_used_is_not_tried_again(faked):
    faked.ends["anna"] = (3, json.dumps({"error": "NoSeries", "what": "no perfusion series"}), "")
    assert faked.call() == (0, ["anna", "berta"])
    assert faked.call() == (0, [])


def test_a_result_that_was_taken_away_is_made_again(faked):
    assert faked.call() == (0, ["anna", "berta"])
    shutil.rmtree(faked.out / "berta")
    assert faked.call() == (0, ["berta"])


def test_a_patient_whose_run_was_killed_says_so(faked):
    faked.ends["anna"] = (-9, "", "")
    assert faked.call() == (1, ["anna", "berta"])
    assert [r["what"] for r in rows(faked.out)] == ["ended by signal 9", ""]
    assert faked.call() == (1, ["anna"])


def test_a_slip_in_the_choices_is_told_before_any_patient_is_run(faked, tmp_path):
    (tmp_path / "slip.toml").write_text("[deconvolve]\nmetod = 1\n")
    assert faked.call("--recipe", tmp_path / "slip.toml") == (2, [])
    assert faked.call("--recipe", tmp_path / "missing.toml") == (3, [])
    assert faked.call("--modality", "pet") == (2, [])
    assert not faked.out.exists()


def test_an_output_that_is_no_folder_is_refused(faked):
    faked.out.write_text("a file")
    assert faked.call() == (3, [])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_a_cohort_that_is_told_to_stop_stops_its_patients(tmp_path):
    (tmp_path / "patients" / "anna").mkdir(parents=True)
    code = (
        "import sys, time\n"
        "from bolus.apps import cohort\n"
        "class Slow(cohort.subprocess.Popen):\n"
        "    def __init__(self, command, **options):\n"
        "        words = [sys.executable, '-c', 'import time; time.sleep(120)']\n"
        "        super().__init__(words, **options); print('started', flush=True)\n"
        "cohort.subprocess.Popen = Slow\n"
        "from bolus.apps.cli import main\n"
        "main()\n"
    )
    words = [sys.executable, "-c", code, "cohort", tmp_path / "patients", "-o", tmp_path / "out"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in err
