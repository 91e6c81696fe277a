"""Scores are what their definitions say, and intervals are over patients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from bolus.core.errors import ShapeMismatch
from bolus.learn.score import METRICS, dice, over_patients, precision, sensitivity

MASKS = arrays(bool, (4, 5))


@given(a=MASKS, b=MASKS)
def test_dice_lies_between_its_parts(a, b):
    found = dice(a, b)
    assert found == dice(b, a)
    assert 0 <= found <= 1
    assert dice(a, a) == 1
    if a.any() and b.any() and (a & b).any():
        p, s = precision(a, b), sensitivity(a, b)
        assert found == pytest.approx(2 * p * s / (p + s))


def test_empty_masks():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert (dice(empty, empty), dice(empty, full)) == (1.0, 0.0)
    assert np.isnan(sensitivity(full, empty))
    assert np.isnan(precision(empty, full))
    with pytest.raises(ShapeMismatch):
        dice(empty, full[:1])


def test_metrics_take_a_case_of_a_batch():
    answer = np.array([[[0.9, 0.1], [0.5, 0.2]]])
    target = np.array([[[1, 0], [1, 1]]], np.uint8)
    assert METRICS["dice"](answer, {"target": target}) == pytest.approx(0.8)
    mask = np.array([[[1, 1], [0, 0]]])
    assert METRICS["mae"](answer, {"target": target, "mask": mask}) == pytest.approx(0.1)


def test_cases_of_a_patient_count_once():
    found = over_patients([1.0, 1.0, 1.0, 0.0, np.nan], ["a", "a", "a", "b", "c"])
    assert found.mean == pytest.approx(0.5)
    assert (found.least, found.n_patients, found.n_cases) == (0.0, 2, 4)
    assert over_patients([np.nan], ["a"]) is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        patients = rng.normal(0.8, 0.1, 30)
        values = np.repeat(patients, 2) + rng.normal(0, 0.01, 60)
        found = over_patients(values, np.repeat(np.arange(30).astype(str), 2), draws=400, seed=trial)
        held += found.low <= 0.8 <= found.high
    assert 0.89 <= held / 200 <= 0.99
