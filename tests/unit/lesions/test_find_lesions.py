"""Maps of a head with a stroke become lesions and numbers."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.errors import BadRecipe, ShapeMismatch
from bolus.core.finding import Severity
from bolus.core.maps import Map
from bolus.core.units import Unit
from bolus.lesions import RULES, find_lesions


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def codes(findings):
    return {f.code: f.severity for f in findings}


def with_values(one, values):
    return Map(one.name, values.astype(np.float32), one.unit, one.grid)


def test_a_stroke_is_outlined_and_measured(head):
    lesions, findings = find_lesions(head.maps(noise=0.1), head.brain, head.underlay)

    assert findings == ()
    assert lesions.side == "right"
    assert dice(lesions.core, head.core) > 0.95
    assert dice(lesions.hypoperfused, head.hypoperfused) > 0.95
    volumes = lesions.volumes_ml
    assert volumes["core"] == pytest.approx(head.ml(head.core), rel=0.1)
    assert volumes["hypoperfused"] == pytest.approx(head.ml(head.hypoperfused), rel=0.1)
    assert volumes["penumbra"] == pytest.approx(volumes["hypoperfused"] - volumes["core"], rel=0.05)
    assert lesions.mismatch_ml == volumes["hypoperfused"] - volumes["core"]
    assert lesions.mismatch_ratio == volumes["hypoperfused"] / volumes["core"]
    assert lesions.reference["CBF"] == pytest.approx(40.0, rel=0.05)


def test_a_stroke_on_the_left_is_on_the_left(make_head):
    head = make_head(side=-1, yaw=10.0)

    lesions, _ = find_lesions(head.maps(noise=0.1), head.brain, head.underlay)

    assert lesions.side == "left"
    assert dice(lesions.core, head.core) > 0.95


def test_the_steps_of_tmax_and_cbf_are_nested(head):
    lesions, _ = find_lesions(head.maps(noise=0.3), head.brain, head.underlay)

    late = [lesions.volumes_ml[f"tmax>{s}s"] for s in (4, 6, 8, 10)]
    low = [lesions.volumes_ml[f"cbf<{p}%"] for p in (20, 30, 34, 38)]
    assert late == sorted(late, reverse=True)
    assert low == sorted(low)
    assert lesions.volumes_ml["hypoperfused"] == lesions.volumes_ml["tmax>6s"]
    assert lesions.volumes_ml["core"] == lesions.volumes_ml["cbf<30%"]


def test_the_hypoperfusion_intensity_ratio_is_very_late_over_late(head):
    lesions, _ = find_lesions(head.maps(), head.brain, head.underlay)

    wanted = head.ml(head.core) / head.ml(head.hypoperfused)
    assert lesions.hypoperfusion_intensity_ratio == pytest.approx(wanted, rel=0.05)


def test_the_cbv_index_compares_late_with_timely_tissue(head):
    lesions, _ = find_lesions(head.maps(), head.brain, head.underlay)

    part = head.core.sum() / head.hypoperfused.sum()
    assert lesions.cbv_index == pytest.approx((3.2 * (1 - part) + 0.6 * part) / 3.0, rel=0.02)
    without = {name: one for name, one in head.maps().items() if name != "CBV"}
    assert find_lesions(without, head.brain, head.underlay)[0].cbv_index is None


@pytest.mark.parametrize("rule", [key for key in RULES if key not in {"syngo", "cbf38", "mtt_abs"}])
def test_every_relative_rule_finds_this_stroke(head, rule):
    lesions, _ = find_lesions(head.maps(noise=0.05), head.brain, head.underlay, rule=rule)

    assert lesions.rule == rule
    assert dice(lesions.core, head.core) > 0.9
    assert dice(lesions.hypoperfused, head.hypoperfused) > 0.9
    assert any(RULES[rule].label in sentence for sentence in lesions.methods)


def test_rules_with_a_condition_keep_the_core_inside_hypoperfused_tissue(head):
    maps = head.maps()
    late_only_half = np.where(head.core & (head.y > 0), 4.5, maps["MTT"].values)
    maps["MTT"] = with_values(maps["MTT"], late_only_half)

    lesions, _ = find_lesions(maps, head.brain, head.underlay, rule="philips")

    assert lesions.core.any()
    assert not (lesions.core & ~lesions.hypoperfused).any()
    assert not (lesions.core & (head.y > 5)).any()


def test_arrival_stands_in_for_delay_under_the_mistar_like_rule(head):
    maps = {name: one for name, one in head.maps(noise=0.02).items() if name != "delay"}

    lesions, _ = find_lesions(maps, head.brain, head.underlay, rule="mistar")

    assert dice(lesions.hypoperfused, head.hypoperfused) > 0.9
    assert any("BAT" in sentence for sentence in lesions.methods)


def test_healthy_white_matter_of_the_other_side_is_not_hypoperfused_by_the_syngo_like_rule(head):
    maps = head.maps(CBF=(24.0, 12.0, 4.0))

    lesions, _ = find_lesions(maps, head.brain, head.underlay, rule="syngo")

    assert lesions.hypoperfused.any()
    assert not (lesions.hypoperfused & (head.x < -3)).any()


def test_mtt_over_13_5_seconds_is_hypoperfused(head):
    lesions, _ = find_lesions(head.maps(MTT=(4.5, 15.0, 15.0)), head.brain, head.underlay, rule="mtt_abs")

    assert dice(lesions.hypoperfused, head.hypoperfused) > 0.95


def test_without_a_lesion_volumes_are_zero_and_ratios_undefined(head):
    maps = {
        name: with_values(one, np.where(head.brain.inside, 3.0, np.nan)) for name, one in head.maps().items()
    }

    lesions, findings = find_lesions(maps, head.brain, head.underlay)

    assert findings == ()
    assert lesions.side == "none"
    assert lesions.volumes_ml["core"] == lesions.volumes_ml["hypoperfused"] == 0.0
    assert np.isnan(lesions.mismatch_ratio)
    assert lesions.hypoperfusion_intensity_ratio is None
    assert lesions.cbv_index is None


def test_late_tissue_without_core_has_an_infinite_ratio(head):
    maps = head.maps(CBF=(40.0, 18.0, 18.0))

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert lesions.volumes_ml["core"] == 0.0
    assert lesions.mismatch_ratio == float("inf")


def test_a_core_that_has_filled_again_is_found_though_nothing_is_late(head):
    maps = head.maps(Tmax=(2.0, 2.0, 2.0))

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert lesions.side == "none"
    assert lesions.volumes_ml["hypoperfused"] == 0.0
    assert dice(lesions.core, head.core) > 0.95
    assert lesions.mismatch_ratio == 0.0


def test_a_whole_hemisphere_is_compared_with_the_other(head):
    sick = head.brain.tissue & (head.x > 1.0)
    maps = head.maps()
    maps["Tmax"] = with_values(maps["Tmax"], np.where(sick, 11.0, maps["Tmax"].values))
    maps["CBF"] = with_values(maps["CBF"], np.where(sick, 5.0, 40.0))

    lesions, findings = find_lesions(maps, head.brain, head.underlay)

    assert findings == ()
    assert lesions.side == "right"
    assert dice(lesions.core, sick) > 0.97


def test_disease_of_both_sides_is_reported(head):
    maps = head.maps()
    both = (
        ((np.abs(head.x) - 42) / 26) ** 2 + (head.y / 40) ** 2 + (head.z / 35) ** 2 < 1
    ) & head.brain.tissue
    maps["Tmax"] = with_values(maps["Tmax"], np.where(both, 9.0, 2.0))
    later = np.where(both & (head.x < 0), 15.0, maps["TTP"].values)
    maps["TTP"] = with_values(maps["TTP"], np.where(both & (head.x > 0), 12.0, later))

    lesions, findings = find_lesions(maps, head.brain, head.underlay)

    assert codes(findings) == {"BILATERAL": Severity.WARN}
    assert lesions.side == "left"  # equal volumes: the later side
    assert lesions.volumes_ml["hypoperfused"] == pytest.approx(head.ml(both), rel=0.05)


def test_late_tissue_everywhere_leaves_nothing_to_compare_with(head):
    maps = head.maps(Tmax=(9.0, 9.0, 9.0))

    lesions, findings = find_lesions(maps, head.brain, head.underlay)

    assert codes(findings)["NO_REFERENCE"] is Severity.FAIL
    assert np.isnan(lesions.reference["CBF"])
    assert lesions.volumes_ml["core"] == 0.0


def test_a_sliver_of_healthy_tissue_is_too_little_to_compare_with(head):
    maps = head.maps()
    sliver = (head.x < -60) & (np.abs(head.z) < 5)
    healthy = sliver | (head.x > 30)
    maps["Tmax"] = with_values(maps["Tmax"], np.where(healthy, 2.0, 9.0))

    lesions, findings = find_lesions(maps, head.brain, head.underlay)

    assert lesions.side == "left"
    assert "REFERENCE_SMALL" not in codes(findings)
    maps["Tmax"] = with_values(maps["Tmax"], np.where(sliver, 2.0, np.where(head.x > 0, 9.0, 9.5)))
    _, findings = find_lesions(maps, head.brain, head.underlay)
    assert codes(findings)["REFERENCE_SMALL"] is Severity.WARN


@pytest.mark.parametrize("kind", ["no tissue", "no numbers"])
def test_nothing_to_measure_is_a_failure_that_is_said(head, kind):
    maps, brain = head.maps(), head.brain
    if kind == "no tissue":
        brain = Brain(brain.inside, np.zeros_like(brain.tissue), brain.csf)
    else:
        maps = {name: with_values(one, np.full(head.grid.shape, np.nan)) for name, one in maps.items()}

    lesions, findings = find_lesions(maps, brain, head.underlay)

    assert codes(findings)["NO_TISSUE"] is Severity.FAIL
    assert not lesions.core.any()
    assert not lesions.tissue.any()


def test_voxels_without_numbers_are_no_lesion_unless_a_small_hole_in_one(head):
    maps = head.maps()
    hole = np.zeros(head.grid.shape, dtype=bool)
    centre = np.argwhere(head.core & (np.abs(head.z) < 6)).mean(axis=0).round().astype(int)
    hole[centre[0], centre[1], centre[2]] = True
    stripe = (head.x < -30) & (head.x > -40)
    for name in ("CBF", "Tmax"):
        maps[name] = with_values(maps[name], np.where(hole | stripe, np.nan, maps[name].values))

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert lesions.core[hole].all()
    assert not lesions.hypoperfused[stripe].any()
    assert not lesions.tissue[stripe].any()


def test_one_slice_is_enough(make_head):
    head = make_head(shape=(96, 96, 1), yaw=5.0)

    lesions, findings = find_lesions(head.maps(noise=0.1), head.brain, head.underlay)

    assert findings == ()
    assert dice(lesions.core, head.core) > 0.9


def test_specks_under_the_limit_do_not_count_and_are_told_apart(head):
    maps = head.maps()
    speck = (np.abs(head.x - 25) < 3) & (np.abs(head.y + 60) < 3) & (np.abs(head.z) < 5) & head.brain.tissue
    maps["CBF"] = with_values(maps["CBF"], np.where(speck, 2.0, maps["CBF"].values))

    strict, _ = find_lesions(maps, head.brain, head.underlay)
    loose, _ = find_lesions(maps, head.brain, head.underlay, min_lesion_ml=0.05)

    assert 0 < head.ml(speck) < 1
    assert strict.volumes_ml["core"] < strict.volumes_ml["core_unfiltered"]
    assert loose.volumes_ml["core"] > strict.volumes_ml["core"]


def test_vessels_and_fluid_are_no_lesion(head):
    maps = head.maps()
    vessel = (np.abs(head.x - 42) < 5) & (np.abs(head.y - 35) < 5) & head.brain.tissue
    maps["CBV"] = with_values(maps["CBV"], np.where(vessel, 20.0, maps["CBV"].values))

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert not (lesions.tissue & vessel).any()
    assert not (lesions.hypoperfused & ~head.brain.tissue).any()


def test_maps_of_x_ray_projections_take_relative_rules_and_refuse_absolute_ones(head):
    maps = head.maps()
    maps["CBV"] = Map("CBV", maps["CBV"].values / 10, Unit.RATIO, head.grid)
    maps["CBF"] = Map("CBF", maps["CBF"].values / 600, Unit.PER_SECOND, head.grid)

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert dice(lesions.core, head.core) > 0.95
    with pytest.raises(BadRecipe, match="does not fit"):
        find_lesions(maps, head.brain, head.underlay, rule="syngo")


def test_maps_of_different_places_are_refused(head):
    maps = head.maps()
    affine = head.grid.affine.copy()
    affine[0, 3] += 1.0
    moved = replace(maps["CBF"], grid=replace(head.grid, affine=affine))

    with pytest.raises(ShapeMismatch, match="the CBF map"):
        find_lesions({**maps, "CBF": moved}, head.brain, head.underlay)
    with pytest.raises(ShapeMismatch, match="underlay"):
        find_lesions(maps, head.brain, head.underlay[1:])


def test_a_lost_midline_is_reported(head):
    noise = np.random.default_rng(0).normal(0, 500, head.grid.shape).astype(np.float32)

    _, findings = find_lesions(head.maps(), head.brain, noise)

    assert codes(findings)["MIDLINE_UNSURE"] is Severity.WARN


def test_a_core_too_faint_for_a_tmax_is_still_core(head):
    maps = head.maps()
    maps["Tmax"] = with_values(maps["Tmax"], np.where(head.core, np.nan, maps["Tmax"].values))

    lesions, _ = find_lesions(maps, head.brain, head.underlay)

    assert dice(lesions.core, head.core) > 0.95
    assert lesions.volumes_ml["hypoperfused"] < head.ml(head.hypoperfused)
