"""Trial labels state numbers, never advice."""

import numpy as np
import pytest

from bolus.lesions.labels import SPANS, marked, mismatch_ratio, trial_labels


def labels(core, late, very_late=0.0):
    found = trial_labels({"cbf<30%": core, "tmax>6s": late, "tmax>10s": very_late})
    return {label.trial.split(" (")[0]: label for label in found}


@pytest.mark.parametrize(
    ("core", "late", "met"),
    [(20, 80, True), (69.9, 130, True), (70, 200, False), (20, 35.9, False), (5, 19.9, False), (0, 15, True)],
)
def test_defuse_3_wants_core_under_70_ratio_1_8_and_mismatch_15(core, late, met):
    label = labels(core, late)["DEFUSE 3"]

    assert label.met is met
    assert label.text.startswith("criteria met on imaging numbers" if met else "criteria not met")


@pytest.mark.parametrize(
    ("core", "late", "met"), [(50, 61, True), (50, 60, False), (8, 18, False), (70, 200, False)]
)
def test_extend_wants_ratio_over_1_2_and_more_than_10_ml(core, late, met):
    assert labels(core, late)["EXTEND"].met is met


@pytest.mark.parametrize(
    ("numbers", "met"),
    [((50, 100, 100), True), ((50.1, 200, 0), False), ((10, 200, 100.1), False), ((50, 89, 0), False)],
)
def test_swift_prime_also_limits_very_late_tissue(numbers, met):
    assert labels(*numbers)["SWIFT PRIME"].met is met


def test_dawn_needs_age_and_nihss_and_names_the_groups_that_remain():
    small, middle, large = (labels(core, 100)["DAWN"] for core in (20, 40, 51))

    assert small.met is None
    assert "80 years or older" in small.text
    assert "31 to" not in small.text
    assert middle.met is None
    assert "31 to < 51" in middle.text
    assert "80 years or older" not in middle.text
    assert large.met is False


def test_large_core_trials_leave_the_rest_to_aspects():
    below, within, above = (labels(core, 150) for core in (30, 80, 120))

    assert [one["SELECT2"].met for one in (below, within, above)] == [None, True, True]
    assert [one["ANGEL-ASPECT"].met for one in (below, within, above)] == [None, True, None]
    assert "ASPECTS" in below["SELECT2"].text


@pytest.mark.parametrize(
    ("trial", "core", "bounds", "spans"),
    [
        ("ANGEL-ASPECT", 62, (50, 120), True),  # both bounds lie outside 70-100 mL
        ("ANGEL-ASPECT", 80, (70, 100), False),
        ("ANGEL-ASPECT", 80, (69, 100), True),
        ("ANGEL-ASPECT", 30, (10, 69), False),
        ("DAWN", 18, (12, 25), True),  # undecided all along, but not for the same patients
        ("DAWN", 25, (21, 30), False),
        ("DAWN", 40, (32, 48), False),
        ("SELECT2", 40, (32, 49.9), False),
        ("SELECT2", 40, (32, 50), True),
    ],
)
def test_a_label_says_that_its_interval_spans_a_limit(trial, core, bounds, spans):
    bounds_ml = {"cbf<30%": bounds, "tmax>6s": (200, 210), "tmax>10s": (0, 0)}
    made = marked(tuple(labels(core, 205).values()), bounds_ml)

    (label,) = (one for one in made if one.trial.startswith(trial))
    assert (SPANS in label.text) is spans


def test_no_label_is_given_without_volumes():
    assert trial_labels({"tmax>6s": 10.0}) == ()
    assert trial_labels({"cbf<30%": np.nan, "tmax>6s": 10.0, "tmax>10s": 1.0}) == ()


def test_the_ratio_is_infinite_without_core_and_undefined_without_both():
    assert mismatch_ratio(30.0, 10.0) == 3.0
    assert mismatch_ratio(30.0, 0.0) == float("inf")
    assert np.isnan(mismatch_ratio(0.0, 0.0))
    assert "ratio >99" in labels(0, 40)["DEFUSE 3"].text
