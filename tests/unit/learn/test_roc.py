"""Scores of classifiers are what their definitions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bolus.core.errors import BadInput, ShapeMismatch
from bolus.learn.calibration import (
    cooled,
    expected_error,
    fit_scaling,
    fit_temperature,
    log_loss,
    put_right,
    reliability,
    undone,
)
from bolus.learn.roc import (
    auc,
    confusion,
    curve,
    distance_percent,
    folds_summary,
    mcc,
    mean_curve,
    pair_chances,
    with_interval,
)


@pytest.mark.parametrize(
    ("chances", "labels", "expected"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
        ([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1], 0.5),
        ([0.2, 0.5, 0.5, 0.9], [0, 0, 1, 1], 0.875),
        ([0.9, 0.1], [0, 1], 0.0),
    ],
)
def test_area_counts_pairs_and_ties_by_half(chances, labels, expected):
    assert auc(chances, labels) == pytest.approx(expected)
    seen = curve(chances, labels)
    assert np.trapezoid(seen.true_rate, seen.false_rate) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_area_is_that_under_the_curve(cases):
    chances, labels = np.array([c for c, _ in cases]) / 5, np.array([y for _, y in cases])
    if labels.all() or not labels.any():
        assert np.isnan(auc(chances, labels))
        return
    seen = curve(chances, labels)
    assert np.trapezoid(seen.true_rate, seen.false_rate) == pytest.approx(auc(chances, labels))
    assert auc(1 - chances, labels) == pytest.approx(1 - auc(chances, labels))
    assert auc(chances**3, labels) == pytest.approx(auc(chances, labels))


def test_correlation_of_matthews():
    chances, labels = [0.9, 0.8, 0.2, 0.6, 0.1, 0.5], [1, 1, 1, 0, 0, 0]
    counted = confusion(chances, labels)
    assert (counted.tp, counted.fp, counted.fn, counted.tn) == (2, 2, 1, 1)
    assert counted.mcc == pytest.approx((2 * 1 - 2 * 1) / np.sqrt(4 * 3 * 3 * 2))
    assert mcc([0.9, 0.1], [1, 0]) == 1.0
    assert mcc([0.1, 0.9], [1, 0]) == -1.0
    assert mcc([0.9, 0.9], [1, 0]) == 0.0
    # 90 of 100 and 80 of 100: a value that can be looked up
    assert confusion([1] * 90 + [0] * 10 + [1] * 20 + [0] * 80, [1] * 100 + [0] * 100).mcc == pytest.approx(
        0.7035, abs=1e-4
    )


def test_folds_are_averaged_at_their_false_positive_rates():
    perfect, chance = curve([0.1, 0.9], [0, 1]), curve([0.5, 0.5], [0, 1])
    mean = mean_curve([perfect, chance])
    assert mean.false_rate.size == 100
    np.testing.assert_allclose(mean.true_rate[1:], 0.5 + 0.5 * mean.false_rate[1:])
    np.testing.assert_allclose(mean.sd[1:], (1 - mean.false_rate[1:]) / np.sqrt(2))
    assert (mean.true_rate[0], mean.sd[0]) == (0.0, 0.0)
    assert folds_summary([0.7, 0.8]) == pytest.approx((0.75, np.sqrt(0.005)))
    assert folds_summary([0.7]) == (0.7, 0.0)


def test_intervals_draw_patients_not_cases():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.random(40) < 0.5, 5)
    chances = np.repeat(rng.normal(0.5, 0.2, 40), 5) + 0.2 * labels
    alike = with_interval(auc, (chances, labels, [str(i // 5) for i in range(200)]), draws=300)
    apart = with_interval(auc, (chances, labels, [str(i) for i in range(200)]), draws=300)
    assert alike.value == apart.value == auc(chances, labels)
    assert alike.low < alike.value < alike.high
    assert alike.high - alike.low > 1.5 * (apart.high - apart.low)
    lonely = with_interval(auc, ([0.2, 0.3], [0, 0], ["a", "b"]))
    assert np.isnan([lonely.value, lonely.low, lonely.high]).all()


def test_the_interval_has_the_width_that_theory_gives():
    rng = np.random.default_rng(1)
    labels = np.arange(400) % 2
    chances = rng.normal(0, 1, 400) + 1.2 * labels
    found = with_interval(auc, (chances, labels, [str(i) for i in range(400)]), draws=500)
    a, n = found.value, 200
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)  # Hanley and McNeil 1982
    se = np.sqrt((a * (1 - a) + (n - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / n**2)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(se, rel=0.15)


def test_distances_are_of_the_width():
    where = np.zeros((50, 200))
    where[10, 40] = 1.0
    assert distance_percent(where, (43.0, 14.0)) == pytest.approx(100 * 5 / 200)
    np.testing.assert_allclose(pair_chances([0.2, 1.0], [0.4, 0.0]), [0.3, 0.5])


def test_other_numbers_are_refused():
    with pytest.raises(ShapeMismatch):
        auc([0.1], [0, 1])
    with pytest.raises(BadInput, match="no numbers"):
        auc([np.nan, 0.1], [0, 1])
    with pytest.raises(BadInput, match="both kinds"):
        curve([0.1, 0.2], [1, 1])
    with pytest.raises(BadInput, match="both kinds"):
        fit_temperature([0.1, 0.2], [1, 1])


def test_reliability_of_known_chances():
    chances = np.array([0.05, 0.05, 0.95, 0.95, 1.0])
    labels = np.array([0, 1, 1, 1, 0])
    seen = reliability(chances, labels)
    np.testing.assert_allclose(seen.said, [0.05, 2.9 / 3])
    np.testing.assert_allclose(seen.found, [0.5, 2 / 3])
    assert expected_error(chances, labels) == pytest.approx((2 * 0.45 + 3 * 0.3) / 5)
    assert log_loss([0.5, 0.5], [0, 1]) == pytest.approx(np.log(2))


def test_a_temperature_undoes_boldness():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.02, 0.98, 20000)
    labels = rng.random(true.size) < true
    bold = cooled(true, 1 / 2.5)
    assert fit_temperature(bold, labels) == pytest.approx(2.5, rel=0.05)
    cold = cooled(bold, fit_temperature(bold, labels))
    assert expected_error(cold, labels) < 0.02
    assert expected_error(bold, labels) > 0.08
    assert auc(cold, labels) == pytest.approx(auc(bold, labels), abs=1e-9)


def test_an_offset_undoes_what_a_temperature_cannot():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.02, 0.98, 20000)
    labels = rng.random(true.size) < true
    shy = undone(true, {"temperature": 0.5, "offset": 1.5})
    found = fit_scaling(shy, labels)
    assert found == pytest.approx({"temperature": 0.5, "offset": 1.5}, rel=0.05)
    np.testing.assert_allclose(put_right(undone(shy, found), found), shy, rtol=1e-6)
    assert expected_error(put_right(shy, found), labels) < 0.02
    assert expected_error(cooled(shy, fit_temperature(shy, labels)), labels) > 0.1
    np.testing.assert_allclose(put_right(shy, {}), shy)
    with pytest.raises(BadInput, match="both kinds"):
        fit_scaling([0.1, 0.2], [1, 1])
