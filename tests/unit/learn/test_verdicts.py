"""Classifiers are judged on all cases together, on pairs of views, and by place."""

import numpy as np
import pytest

from bolus.learn.roc import auc
from bolus.learn.verdicts import Verdict, calibrated, paired, summary, verdict


def both(patient, chances, truth, place=""):
    return [
        Verdict(patient, view, "A", c, truth, place) for view, c in zip(("AP", "LAT"), chances, strict=True)
    ]


CASES = [
    *both("a", (0.9, 0.3), True, "M1"),
    *both("b", (0.4, 0.6), True, "M3"),
    *both("c", (0.5, 0.1), False),
    *both("d", (0.2, 0.35), False),
]


def test_pairs_are_means_of_the_log_odds_of_views():
    pairs = paired(CASES)
    assert [p.chance for p in pairs] == pytest.approx([0.66261, 0.5, 0.25, 0.26842], abs=1e-5)
    assert [p.truth for p in pairs] == [True, True, False, False]
    assert paired(CASES[::2]) == []


def test_groups_have_their_own_numbers():
    seen = summary(CASES)
    assert set(seen) == {"all", "pair", "AP", "LAT", "A", "clot M1", "clot M3"}
    assert seen["pair"]["auc"]["value"] == 1.0
    assert seen["AP"]["auc"]["value"] == auc([0.9, 0.4, 0.5, 0.2], [1, 1, 0, 0]) == 0.75
    assert (seen["all"]["cases"], seen["all"]["positive"]) == (8, 4)
    assert (seen["clot M1"]["cases"], seen["clot M1"]["positive"]) == (3, 1)
    assert seen["pair"]["confusion"] == {"tp": 2, "fp": 0, "fn": 0, "tn": 2}
    assert seen["all"]["auc"]["low"] <= seen["all"]["auc"]["value"] <= seen["all"]["auc"]["high"]


def test_what_has_no_value_is_none():
    seen = summary([Verdict("a", "", "", 0.3, True), Verdict("b", "", "", 0.4, True)])
    assert set(seen) == {"all"}
    assert seen["all"]["auc"] == {"value": None, "low": None, "high": None}


def test_scores_of_a_case_hold_its_verdict():
    made = verdict("p", "AP", "B", {"chance": 0.7, "truth": 1.0}, {"clot": "M2"})
    assert made == Verdict("p", "AP", "B", 0.7, True, "M2")
    assert verdict("p", "", "", {"chance": 0.7, "truth": 0.0}, {"clot": "none"}).place == ""


def test_a_temperature_of_other_cases_puts_chances_right():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.1, 0.9, 4000)
    bold = true**3 / (true**3 + (1 - true) ** 3)
    known = [
        Verdict(str(i), "", "", float(c), bool(rng.random() < t))
        for i, (c, t) in enumerate(zip(bold, true, strict=True))
    ]
    right = calibrated(known[:10], known)
    assert [v.chance for v in right] == pytest.approx(true[:10], abs=0.03)
