"""Classifiers are put right on validation patients, and judged beside whoever answered the same question."""

import csv
import json

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn import calibrating
from bolus.learn.calibration import cooled, fit_temperature, unsure_band
from bolus.learn.card import Card
from bolus.learn.cases import Case, Entry, Manifest, write_case, write_manifest
from bolus.learn.evaluate import evaluate, write
from bolus.learn.splits import Split
from bolus.learn.tasks import TASKS

TASK = TASKS["core-size"]


class Bold:
    """Says what is written in the corner of the image, four times too sure of itself."""

    where = "bold.onnx"

    def __init__(self, **calibration: object) -> None:
        recipe = {"size": 16, "fitting": {"threshold_ml": 30.0}}
        self.card = Card("core-size", "", "", recipe=recipe, files={}, calibration=calibration)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return (1 / (1 + np.exp(-4.0 * images[:, 0, 0, 0, :1]))).astype(np.float32)


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    entries = []
    for i in range(240):
        odds = rng.normal(0.0, 2.0)
        large = rng.random() < 1 / (1 + np.exp(-odds))
        image = np.zeros((2, 32, 16, 16), np.float32)
        image[0, 0, 0, 0] = odds
        rival = {"maps_chance": 0.99 if large else 0.01} if i % 2 else {"maps_chance": None}
        case = Case(image, np.array([40.0 if large else 20.0], np.float32), f"p{i}", meta=rival)
        write_case(case, tmp_path / f"{i}.npz")
        entries.append(Entry(f"{i}.npz", f"p{i}", digest=case.digest))
    made = Manifest(tmp_path, tuple(entries), {"task": "core-size"})
    write_manifest(made)
    return made


def test_a_temperature_is_found_on_validation_patients(cases):
    split = Split(tuple(f"p{i}" for i in range(100)), tuple(f"p{i}" for i in range(100, 240)))
    found = calibrating.calibrate(TASK, Bold(), cases, split)
    assert found["temperature"] == pytest.approx(4.0, rel=0.35)
    assert found["cases"] == 140
    low, high = found["unsure"]
    assert 0.02 < low < 0.5 < high == pytest.approx(1 - low)
    assert "noise of a pixel [HU]" in found["ranges"] or "brain in both slices [cm2]" in found["ranges"]
    assert abs(found["offset"]) < 0.6
    others = cases.of([f"p{i}" for i in range(100)])
    assert calibrating.calibrate(TASK, Bold(), cases, split, more=others)["cases"] == 240
    with pytest.raises(BadRecipe, match="calibrated already"):
        calibrating.calibrate(TASK, Bold(temperature=4.0), cases, split)


def test_a_split_of_other_patients_and_one_without_validation_are_refused(cases):
    known = tuple(f"p{i}" for i in range(100))
    with pytest.raises(BadInput, match=r"patients of the split have no case; found q1"):
        calibrating.calibrate(TASK, Bold(), cases, Split(known, ("q1",)))
    with pytest.raises(BadInput, match="no patient for validation"):
        calibrating.calibrate(TASK, Bold(), cases, Split(known, ()))


def test_the_band_is_where_too_many_are_wrong():
    said = [0.05, 0.1, 0.4, 0.45, 0.55, 0.6, 0.9, 0.95]
    truth = [0, 0, 1, 0, 0, 1, 1, 1]
    low, high = unsure_band(said, truth)
    assert (low, high) == pytest.approx((0.4, 0.6))
    assert unsure_band([0.1, 0.9], [0, 1]) == (0.5, 0.5)


def test_an_evaluation_writes_predictions_pictures_and_rivals(cases, tmp_path):
    network = Bold(temperature=4.0, unsure=[0.2, 0.8])
    out = tmp_path / "out"
    document = write(TASK, network, cases, evaluate(TASK, network, cases), out)
    lines = list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))
    assert len(lines) == 240
    for line in lines:
        chance = float(line["chance"])
        wanted = "do not know" if 0.2 < chance < 0.8 else "yes" if chance >= 0.8 else "no"
        assert line["reply"] == wanted
    assert {"roc.png", "reliability.png", "predictions.csv"} <= set(
        document["files"] if "files" in document else json.loads((out / "scores.json").read_text())["files"]
    )
    assert document["verdicts"]["all"]["calibration_error"] < 0.1
    assert document["rivals"]["maps"]["all"]["cases"] == 120
    assert document["rivals"]["maps"]["all"]["auc"]["value"] == 1.0


def test_no_calibration_is_an_empty_one(tmp_path):
    assert calibrating.read(tmp_path) == {}
    calibrating.write({"temperature": 2.0}, tmp_path)
    assert calibrating.read(tmp_path) == {"temperature": 2.0}


def test_few_cases_without_an_error_do_not_make_certainty():
    said, truth = [0.3, 0.4, 0.35, 0.6, 0.7], [0, 0, 0, 1, 1]
    cold = cooled(said, fit_temperature(said, truth))
    assert 0.1 < cold.min() < 0.3
    assert 0.6 < cold.max() < 0.9
