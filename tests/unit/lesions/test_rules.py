"""Rules are data, in the units of their sources."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.units import Unit
from bolus.lesions import RULES, Against, Threshold
from bolus.lesions.rules import find_rule


def test_all_styles_are_there_and_say_that_they_are_nobodys_software():
    assert set(RULES) == {
        "rapid", "mistar", "syngo", "philips", "ge", "vitrea_bayes", "vitrea_svd", "cbf38", "mtt_abs",
    }  # fmt: skip
    for key, rule in RULES.items():
        assert rule.key == key
        assert "vendor's software" in rule.label
        assert rule.core
        assert rule.hypoperfused
        assert rule.source
        assert rule.evidence


def test_the_default_rule_is_cbf_under_30_percent_and_tmax_over_6_seconds():
    rule = RULES["rapid"]

    assert rule.core == (Threshold("CBF", "<", 0.30, Against.RATIO),)
    assert rule.hypoperfused == (Threshold("Tmax", ">", 6.0, unit="s"),)
    assert not rule.core_inside_hypoperfused


def test_thresholds_per_100_ml_are_divided_by_the_density_of_brain():
    threshold = Threshold("CBV", "<", 1.2, unit="mL/100 mL")

    assert threshold.limit(Unit.VOLUME, float("nan")) == pytest.approx(1.2 / 1.04)
    assert Threshold("CBF", "<", 27.0, unit="mL/100 mL/min").limit(Unit.FLOW, 0.0) == pytest.approx(27 / 1.04)


def test_relative_thresholds_follow_the_reference():
    assert Threshold("CBF", "<", 0.3, Against.RATIO).limit(Unit.FLOW, 40.0) == pytest.approx(12.0)
    later = Threshold("TTP", ">", 5.3, Against.DIFFERENCE, "s")
    assert later.limit(Unit.SECOND, 6.0) == pytest.approx(11.3)
    assert later.text == "TTP > healthy tissue +5.3 s"


def test_a_value_on_the_threshold_and_nan_do_not_count():
    values = np.array([5.9, 6.0, 6.1, np.nan], dtype=np.float32)

    met = Threshold("Tmax", ">", 6.0, unit="s").met(values, Unit.SECOND, float("nan"))

    np.testing.assert_array_equal(met, [False, False, True, False])


def test_a_reference_without_a_number_makes_no_lesion():
    values = np.array([-1.0, 0.0, 50.0], dtype=np.float32)

    assert not Threshold("CBF", "<", 0.3, Against.RATIO).met(values, Unit.FLOW, float("nan")).any()


def test_a_threshold_in_another_unit_is_refused():
    with pytest.raises(BadRecipe, match=r"does not fit the CBV map.*rapid"):
        Threshold("CBV", "<", 2.0, unit="mL/100 g").limit(Unit.RATIO, 1.0)


def test_an_unknown_rule_is_refused_with_the_ones_on_offer(head):
    with pytest.raises(BadRecipe, match=r"rapid, mistar.*found autotriage"):
        find_rule("autotriage", head.maps())


def test_a_rule_whose_maps_are_missing_says_which(head):
    maps = head.maps()
    without = {name: maps[name] for name in ("CBF", "Tmax", "CBV")}

    with pytest.raises(BadRecipe, match="wanted MTT"):
        find_rule("philips", without)


def test_arrival_stands_in_for_a_delay_that_was_not_fitted(head):
    maps = head.maps()
    without = {name: one for name, one in maps.items() if name != "delay"}

    assert find_rule("mistar", maps).hypoperfused[0].quantity == "delay"
    assert find_rule("mistar", without).hypoperfused[0].quantity == "BAT"
    assert "BAT > healthy tissue +3 s" in find_rule("mistar", without).text
