"""Every rule speaks on the bad side of its limits and is silent on the good side."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from bolus.core.brain import Brain
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.result import MotionTrace
from bolus.core.series import Acquisition, Concentration, Series
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve, Vessels
from bolus.physics.gamma import GammaVariate
from bolus.quality import RULES, Evidence, check
from bolus.quality.measures import agreement

DOCS = Path(__file__).resolve().parents[3] / "docs" / "concepts" / "quality.md"
INFO, WARN, FAIL = Severity.INFO, Severity.WARN, Severity.FAIL
SHAPE = (10, 10, 10)
GRID = Grid(SHAPE, np.diag([-5.0, -5.0, 5.0, 1.0]))
TIMES = np.arange(40) * 1.5
INSIDE = np.zeros(SHAPE, dtype=bool)
INSIDE[1:-1, 1:-1] = True
GOOD_AIF = {
    "peak": 200.0,
    "fwhm_s": 8.0,
    "arrival_s": 8.0,
    "ttp_s": 14.0,
    "auc": 2000.0,
    "tail": 0.1,
    "gamma_r2": 0.98,
}
GOOD_VOF = {
    "peak": 300.0,
    "fwhm_s": 11.0,
    "arrival_s": 13.0,
    "ttp_s": 20.0,
    "auc": 3800.0,
    "tail": 0.15,
    "gamma_r2": 0.98,
}


def curve(
    name: str, quality: dict[str, float], values: np.ndarray | None = None, unit: Unit = Unit.HU
) -> VesselCurve:
    shape = GammaVariate(quality["peak"], quality["arrival_s"], 3.0, 2.0)(TIMES) if values is None else values
    return VesselCurve(name, TIMES[: shape.size], shape, unit, "test", quality={"n_voxels": 100.0} | quality)


def good(modality: Modality = Modality.CT) -> Evidence:
    """A study about which there is nothing to say."""
    is_ct = modality is Modality.CT
    frames = np.full((*SHAPE, TIMES.size), 35.0 if is_ct else 500.0, dtype=np.float32)
    series = Series(
        frames, TIMES, GRID, modality, Unit.HU, acquisition=Acquisition(te_ms=None if is_ct else 30.0)
    )
    tissue = GammaVariate(20.0, 11.0, 3.0, 2.0)(TIMES).astype(np.float32)
    curves = np.broadcast_to(tissue, (np.count_nonzero(INSIDE), TIMES.size)).copy()
    contrast = Concentration(curves, TIMES, INSIDE, GRID, modality, Unit.HU, (0, 5), 2.0)
    aif = GOOD_AIF if is_ct else GOOD_AIF | {"peak": 40.0}
    factor = 1.0 if is_ct else 1.5
    maps = {name: a_map(name, value) for name, value in (("CBF", 50.0), ("Tmax", 2.0))}
    vessels = Vessels(curve("AIF", aif), curve("VOF", GOOD_VOF), factor)
    return Evidence(series, still(), Brain(INSIDE, INSIDE, ~INSIDE), contrast, contrast, vessels, maps)


def a_map(name: str, value: Any) -> Map:
    values = np.full(SHAPE, np.nan, dtype=np.float32)
    values[INSIDE] = value
    return Map(name, values, Unit.SECOND, GRID)


def still() -> MotionTrace:
    return MotionTrace(np.zeros((TIMES.size, 6)), "first", (), np.ones(TIMES.size))


def with_aif(evidence: Evidence, **figures: float) -> Evidence:
    return replace(evidence, vessels=replace(evidence.vessels, aif=curve("AIF", GOOD_AIF | figures)))


def with_vof(evidence: Evidence, **figures: float) -> Evidence:
    return replace(evidence, vessels=replace(evidence.vessels, vof=curve("VOF", GOOD_VOF | figures)))


def aif_is(name: str) -> Callable[[float], Evidence]:
    return lambda value: with_aif(good(), **{name: value})


def vof_is(name: str) -> Callable[[float], Evidence]:
    return lambda value: with_vof(good(), **{name: value})


def baseline_of(n: float) -> Evidence:
    evidence = good()
    return replace(evidence, concentration=replace(evidence.concentration, baseline=(1, 1 + int(n))))


def moved(column: int, n_frames: int = 1) -> Callable[[float], Evidence]:
    def build(value: float) -> Evidence:
        parameters = np.zeros((TIMES.size, 6))
        parameters[-n_frames:, column] = -value
        return replace(good(), motion=replace(still(), parameters=parameters))

    return build


def far_frames(n: float) -> Evidence:
    parameters = np.zeros((TIMES.size, 6))
    parameters[: int(n), :3] = 5.0
    return replace(good(), motion=replace(still(), parameters=parameters))


def rejected(n: float) -> Evidence:
    return replace(good(), motion=replace(still(), rejected=tuple(range(int(n)))))


def matched(value: float) -> Evidence:
    similarity = np.ones(TIMES.size)
    similarity[7], similarity[8] = value, np.nan
    return replace(good(), motion=replace(still(), similarity=similarity))


def measured_peak(value: float) -> Evidence:
    evidence = with_aif(good(), peak=2.0 * value)
    return replace(evidence, vessels=replace(evidence.vessels, partial_volume=2.0))


def signal_drop(percent: float) -> Evidence:
    evidence = good(Modality.MR)
    rate = GammaVariate(1.0, 8.0, 3.0, 2.0)(TIMES)
    rate *= -np.log(1 - percent / 100) / 0.03 / rate.max() * 1.5
    aif = curve("AIF", GOOD_AIF, rate)
    return replace(evidence, vessels=replace(evidence.vessels, aif=aif))


def dark_frames(n: float) -> Evidence:
    evidence = good(Modality.MR)
    rate = np.zeros(TIMES.size)
    rate[10 : 10 + int(n)] = 250.0
    return replace(evidence, vessels=replace(evidence.vessels, aif=curve("AIF", GOOD_AIF, rate)))


def second_peak(height: float) -> Evidence:
    first, second = GammaVariate(200.0, 5.0, 3.0, 1.5), GammaVariate(200.0 * height, 35.0, 3.0, 1.5)
    evidence = good()
    aif = curve("AIF", GOOD_AIF, first(TIMES) + second(TIMES))
    return replace(evidence, vessels=replace(evidence.vessels, aif=aif))


def area_ratio(value: float) -> Evidence:
    return with_vof(good(), auc=2000.0 * value)


def lag(value: float) -> Evidence:
    return with_vof(good(), ttp_s=14.0 + value)


def tissue_lag(value: float) -> Evidence:
    evidence = good()
    peak = 11.0 + 3.0 * 2.0
    return with_aif(evidence, ttp_s=peak - value)


def tissue_cnr(value: float) -> Evidence:
    evidence = good()
    return replace(evidence, concentration=replace(evidence.concentration, noise=20.0 / value))


def negative_tmax(percent: float) -> Evidence:
    evidence = good()
    values = np.full(np.count_nonzero(INSIDE), 2.0)
    values[: round(percent / 100 * values.size)] = -1.0
    return replace(evidence, maps={**evidence.maps, "Tmax": a_map("Tmax", values)})


def gaps(percent: float) -> Evidence:
    evidence = good()
    values = np.full(np.count_nonzero(INSIDE), 50.0)
    values[: round(percent / 100 * values.size)] = np.nan
    return replace(evidence, maps={**evidence.maps, "CBF": a_map("CBF", values)})


def tissue_tail(value: float) -> Evidence:
    evidence = good()
    curves = evidence.concentration.curves.copy()
    curves[:, -3:] = value * curves.max()
    return replace(evidence, concentration=replace(evidence.concentration, curves=curves))


def interval_cv(percent: float) -> Evidence:
    steps = np.tile([1.5 * (1 - percent / 100), 1.5 * (1 + percent / 100)], 20)
    evidence = good()
    return replace(
        evidence, series=replace(evidence.series, times=np.concatenate([[0.0], np.cumsum(steps[:-1])]))
    )


def interval(modality: Modality) -> Callable[[float], Evidence]:
    def build(value: float) -> Evidence:
        evidence = good(modality)
        return replace(evidence, series=replace(evidence.series, times=np.arange(40) * value))

    return build


def coverage(value: float) -> Evidence:
    evidence = good()
    grid = Grid(SHAPE, np.diag([-5.0, -5.0, value / 10, 1.0]))
    return replace(evidence, series=replace(evidence.series, grid=grid))


def brain_of(ml: float) -> Evidence:
    evidence = good()
    edge = (ml * 1000 / np.count_nonzero(INSIDE) / 12.0) ** 0.5
    grid = Grid(SHAPE, np.diag([-edge, -edge, 12.0, 1.0]))
    return replace(evidence, series=replace(evidence.series, grid=grid))


def cut(percent: float) -> Evidence:
    inside = np.zeros((32, 32, 10), dtype=bool)
    inside[1:-1, 1:-1] = True
    inside[0, 1 : 1 + round(percent / 100 * 9000), 4] = True
    grid = Grid(inside.shape, np.diag([-5.0, -5.0, 5.0, 1.0]))
    evidence = good()
    frames = np.full((*inside.shape, TIMES.size), 35.0, dtype=np.float32)
    series = replace(evidence.series, frames=frames, grid=grid)
    return replace(
        evidence, series=series, brain=Brain(inside, inside, inside), maps={}, **without_tissue(inside, grid)
    )


def without_tissue(inside: np.ndarray, grid: Grid) -> dict[str, Concentration]:
    curves = np.full((np.count_nonzero(inside), TIMES.size), np.nan, dtype=np.float32)
    contrast = Concentration(curves, TIMES, inside, grid, Modality.CT, Unit.HU, (0, 5), 2.0)
    return {"concentration": contrast, "raw": contrast}


def brain_hu(value: float) -> Evidence:
    evidence = good()
    frames = np.full((*SHAPE, TIMES.size), value, dtype=np.float32)
    return replace(evidence, series=replace(evidence.series, frames=frames))


def scaled(is_unscaled: float) -> Evidence:
    evidence = good(Modality.MR)
    return replace(evidence, vessels=replace(evidence.vessels, partial_volume=1.0 if is_unscaled else 1.5))


def uncalibrated(is_absolute: float) -> Evidence:
    evidence = good(Modality.MR)
    cbf = replace(evidence.maps["CBF"], unit=Unit.FLOW if is_absolute else Unit.RATIO)
    return replace(evidence, maps={**evidence.maps, "CBF": cbf})


def by_numbers(is_absolute: float) -> Evidence:
    cbf = {"CBF": replace(a_map("CBF", 50.0), unit=Unit.RATIO)}
    evidence = good(Modality.MR)
    return replace(evidence, maps={**evidence.maps, **cbf}, by_numbers=bool(is_absolute))


def agreeing(rank_correlation: float) -> Evidence:
    rng = np.random.default_rng(0)
    n = np.count_nonzero(INSIDE)
    first, other = rng.standard_normal(n), rng.standard_normal(n)
    second = rank_correlation * first + (1 - rank_correlation**2) ** 0.5 * other
    evidence = good()
    return replace(
        evidence, maps={**evidence.maps, "CBF": a_map("CBF", first)}, second={"CBF": a_map("CBF", second)}
    )


CASES = [
    ("TRUNCATED", vof_is("tail"), 0.39, {0.41: WARN, 0.71: FAIL}),
    ("TRUNCATED", aif_is("tail"), 0.39, {0.41: WARN, 0.71: FAIL}),
    ("TRUNCATED", tissue_tail, 0.59, {0.61: WARN, 0.81: FAIL}),
    ("TRUNCATED", vof_is("fwhm_s"), 28.0, {29.0: WARN}),
    ("NO_BASELINE", baseline_of, 3, {1: FAIL, 0: FAIL}),
    ("SHORT_BASELINE", baseline_of, 3, {2: WARN}),
    ("MOTION", moved(2), 2.9, {3.1: WARN}),
    ("MOTION", moved(4), 2.9, {3.1: WARN}),
    ("MOTION", far_frames, 0, {1: WARN, 5: WARN, 6: FAIL}),
    ("MOTION", rejected, 0, {1: WARN, 5: WARN, 6: FAIL}),
    ("MOTION", matched, 0.91, {0.89: WARN}),
    ("POOR_BOLUS", measured_peak, 51.0, {49.0: WARN, 17.0: WARN, 14.0: FAIL}),
    ("POOR_BOLUS", signal_drop, 22.0, {18.0: WARN}),
    ("WIDE_BOLUS", aif_is("fwhm_s"), 14.9, {15.1: WARN, 20.1: FAIL}),
    ("AIF_LATE", tissue_lag, 1.2, {0.8: FAIL}),
    ("AIF_LATE", negative_tmax, 9.0, {11.0: FAIL}),
    ("AIF_SHAPE", second_peak, 0.45, {0.55: WARN}),
    ("AIF_SHAPE", aif_is("gamma_r2"), 0.86, {0.84: WARN}),
    ("PV_RATIO", area_ratio, 9.9, {10.1: WARN}),
    ("PV_RATIO", area_ratio, 0.95, {0.85: WARN}),
    ("VOF_EARLY", lag, 2.1, {1.9: WARN}),
    ("VOF_EARLY", lag, 14.9, {15.1: WARN}),
    ("LOW_SNR", tissue_cnr, 5.2, {4.8: WARN, 2.8: FAIL}),
    ("TIME_IRREGULAR", interval_cv, 4.5, {5.5: INFO}),
    ("UNDERSAMPLED", interval(Modality.CT), 2.04, {2.1: WARN, 3.1: FAIL}),
    ("UNDERSAMPLED", interval(Modality.MR), 2.5, {2.6: WARN, 5.0: WARN}),
    ("COVERAGE", coverage, 40.0, {39.0: INFO}),
    ("COVERAGE", cut, 0.1, {0.3: INFO}),
    ("MASK_SMALL", brain_of, 620.0, {580.0: FAIL}),
    ("SATURATED", dark_frames, 1, {2: WARN}),
    ("HU_RANGE", brain_hu, 21.0, {19.0: WARN, -1.0: FAIL}),
    ("HU_RANGE", brain_hu, 49.0, {51.0: WARN, 101.0: FAIL}),
    ("NONQUANT", scaled, 0, {1: INFO}),
    ("RELATIVE_ONLY", uncalibrated, 0, {1: INFO}),
    ("RELATIVE_ONLY", by_numbers, 0, {1: FAIL}),
    ("MAP_GAPS", gaps, 4.0, {6.0: WARN, 51.0: FAIL}),
    ("METHOD_DISAGREE", agreeing, 0.95, {0.7: WARN}),
]


def found(evidence: Evidence, code: str) -> list[Finding]:
    return [finding for finding in check(evidence) if finding.code == code]


@pytest.mark.parametrize("modality", [Modality.CT, Modality.MR])
def test_a_good_study_has_no_findings(modality: Modality) -> None:
    assert check(good(modality)) == ()


@pytest.mark.parametrize(
    ("code", "build", "fine", "bad"), CASES, ids=[f"{c}-{i}" for i, (c, *_) in enumerate(CASES)]
)
def test_a_rule_speaks_beyond_its_limits_only(
    code: str, build: Callable[[float], Evidence], fine: float, bad: dict[float, Severity]
) -> None:
    assert not found(build(fine), code)
    for value, severity in bad.items():
        (finding,) = found(build(value), code)
        assert finding.severity is severity
        assert finding.value is not None
        assert "nan" not in finding.text


def test_every_rule_has_a_case_of_its_own() -> None:
    head_rules = [rule for rule in RULES if rule.modalities != frozenset({Modality.XA})]
    wanted = sorted(rule.code for rule in head_rules)
    assert sorted(code for code, *_ in CASES) == wanted


@pytest.mark.parametrize("modality", [Modality.CT, Modality.MR])
def test_a_curve_made_of_tissue_is_not_judged_as_blood(modality: Modality) -> None:
    low = measured_peak(10.0) if modality is Modality.CT else dark_frames(3)
    assert {f.code for f in check(low)} & {"POOR_BOLUS", "SATURATED"}
    aif = replace(low.vessels.aif, measured=False)
    made = replace(low, vessels=replace(low.vessels, aif=aif))
    assert not {f.code for f in check(made)} & {"POOR_BOLUS", "SATURATED"}


def test_a_vein_is_not_compared_with_a_curve_made_of_tissue() -> None:
    small = area_ratio(0.3)
    assert "PV_RATIO" in {f.code for f in check(small)}
    aif = replace(small.vessels.aif, measured=False)
    made = replace(small, vessels=replace(small.vessels, aif=aif))
    assert "PV_RATIO" not in {f.code for f in check(made)}


def test_x_ray_rules_apply_to_x_ray_only() -> None:
    weak = replace(with_aif(good(), peak=0.1), series=replace(good().series, modality=Modality.XA))
    texts = [f.text for f in check(weak) if f.code == "POOR_BOLUS"]
    assert len(texts) == 1
    assert "nat" in texts[0]


def test_bone_that_remains_after_alignment_is_said_of_x_ray_runs() -> None:
    run = replace(good(), series=replace(good().series, modality=Modality.XA))
    still = MotionTrace(np.zeros((3, 6)), "frame 1", residual=np.array([0.0, 0.05, np.nan]))
    assert not [f for f in check(replace(run, motion=still)) if f.code == "MOTION"]
    moved = replace(still, residual=np.array([0.0, 0.05, 0.2]), similarity=np.array([1.0, 0.5, 0.5]))
    (finding,) = [f for f in check(replace(run, motion=moved)) if f.code == "MOTION"]
    assert finding.value == 0.2
    assert "0.20 nat" in finding.text


def test_the_worst_of_a_code_speaks() -> None:
    evidence = replace(far_frames(6), motion=replace(far_frames(6).motion, rejected=(3,)))
    (finding,) = found(evidence, "MOTION")
    assert finding.severity is FAIL
    assert finding.value == 6


@pytest.mark.parametrize(("raised", "speaks"), [(INFO, True), (WARN, False), (FAIL, False)])
def test_what_a_stage_said_as_severely_is_not_said_again(raised: Severity, speaks: bool) -> None:
    evidence = lag(1.0)
    stage = replace(evidence.vessels, findings=(Finding("VOF_EARLY", raised, "said"),))
    assert bool(found(replace(evidence, vessels=stage), "VOF_EARLY")) is speaks


def test_what_was_not_looked_for_is_not_judged() -> None:
    evidence = good()
    bare = replace(evidence, motion=None, maps={}, vessels=replace(evidence.vessels, vof=None))
    assert check(bare) == ()


def test_a_curve_from_a_file_without_figures_is_not_judged() -> None:
    evidence = good()
    aif = replace(evidence.vessels.aif, quality={})
    assert not [f for f in check(replace(evidence, vessels=Vessels(aif))) if f.code != "NONQUANT"]


def test_an_area_ratio_of_a_truncated_vein_is_not_judged() -> None:
    assert not found(with_vof(good(), auc=30000.0, tail=0.6), "PV_RATIO")


def test_tmax_of_noise_is_not_judged() -> None:
    evidence = negative_tmax(50.0)
    noisy = replace(evidence, concentration=replace(evidence.concentration, noise=10.0))
    assert not found(noisy, "AIF_LATE")


def test_agreement_is_the_rank_correlation_of_spearman_with_ties() -> None:
    evidence = agreeing(0.6)
    rounded = evidence.maps["CBF"].values.round(1)
    coarse = replace(evidence.maps["CBF"], values=rounded)
    second = (evidence.second or {})["CBF"]

    found = agreement(replace(evidence, maps={**evidence.maps, "CBF": coarse}))

    tissue = evidence.brain.tissue
    assert found == pytest.approx(spearmanr(rounded[tissue], second.values[tissue]).statistic, abs=1e-12)


def test_every_rule_names_its_source_and_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for rule in RULES:
        assert rule.source
        assert f"`{rule.code}`" in text
        assert all(f"{limit:g}" in text for _, limit in rule.limits), rule


def test_limits_grow_worse_in_order() -> None:
    order = list(Severity)
    for rule in RULES:
        severities = [order.index(severity) for severity, _ in rule.limits]
        limits = [limit if rule.bad == "above" else -limit for _, limit in rule.limits]
        assert severities == sorted(severities)
        assert limits == sorted(limits)
