from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.core.maps import Estimate
from bolus.core.units import ML_100G_MIN_PER_ML_G_S, TISSUE_SCALE
from bolus.validate import Candidate, judges
from bolus.validate.curves import Sample
from bolus.validate.experiments import EXPERIMENTS, THREE
from bolus.validate.outcome import Outcome, solve
from bolus.validate.rows import Source
from bolus.validate.setup import Effort, Setup

EFFORT = Effort("tiny", True, 2, 40, 3, 1, 3)


def tell(**more):
    return Source("oracle", {}, "test", more)


def setup_of(name: str, **conditions) -> Setup:
    return next(s for s in EXPERIMENTS[name](EFFORT) if conditions.items() <= s.conditions.items())


def oracle(sample: Sample) -> Candidate:
    """A method that knows the truth of one sample."""

    def know(curves, aif, dt, /):
        n = len(curves) // len(sample.tissues.names)
        true = {k: np.repeat(v, n).astype(np.float32) for k, v in sample.truth.items()}
        flow = true["CBF"] / np.float32(ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE)
        sd = {"flow": 0.1 * flow, "delay": np.ones_like(flow)}
        return Estimate(flow, true["Tmax"], mtt=true["MTT"], delay=true["delay"], sd=sd)

    return Candidate("oracle", know)


def judged(name: str, **conditions):
    setup = setup_of(name, **conditions)
    samples = setup.samples(0)
    outcome = setup.outcome(oracle(samples[0]), samples)
    return list(setup.judged(oracle(samples[0]), outcome))


@pytest.mark.parametrize("name", ["noise", "delay", "dispersion", "sampling", "length", "dsc"])
def test_an_oracle_has_no_error(name):
    rows = [r for r in judged(name) if hasattr(r, "bias")]

    assert {r.quantity for r in rows} == {"CBF", "CBV", "MTT", "Tmax", "delay"}
    assert max(abs(r.bias) for r in rows) < 1e-4
    assert max(r.sd for r in rows) < 1e-4
    assert not [r for r in rows if r.n_failed]


def test_an_oracle_has_all_figures_of_merit():
    scores = {(s.quantity, s.measure): s.value for s in judged("kudo", noise_hu=2.0, residue="linear")}

    perfect = [
        v for (_, m), v in scores.items() if m in {"r", "r_tiles", "slope", "delay_ratio", "delay_slope"}
    ]
    np.testing.assert_allclose(perfect, 1.0, atol=1e-5)
    assert scores["CBF", "bias"] == pytest.approx(0.0, abs=1e-4)
    assert scores["CBF", "coverage_68"] == scores["delay", "coverage_90"] == 1.0


def test_an_oracle_finds_the_core_and_no_more():
    tissues = {
        s.measure: s.value
        for s in judged("noise", noise_hu=4.0)
        if s.__class__.__name__ == "Score" and s.quantity == "core"
    }
    graded = {s.measure: s.value for s in judged("core", noise_hu=4.0)}

    assert tissues == {"normal": 0.0, "penumbra": 0.0, "core": 1.0}
    assert graded == {"found": 1.0, "beyond": 0.0, "volume": 1.0}


def outcome(**values) -> Outcome:
    truth = THREE.truth("exponential")
    return Outcome(THREE, truth, {k: np.asarray(v, dtype=float) for k, v in values.items()}, {})


def test_errors_are_relative_for_flow_and_absolute_for_the_rest():
    wide = np.ones((1, 4))
    found = outcome(CBF=0.8 * THREE.cbf[:, None] * wide, MTT=(THREE.mtt + 1.5)[:, None] * wide)

    rows = {(r.quantity, r.source.conditions["tissue"]): r for r in judges.errors(found, tell)}

    assert rows["CBF", "core"].bias == pytest.approx(-20.0)
    assert rows["CBF", "core"].median == pytest.approx(-20.0)
    assert rows["MTT", "penumbra"].bias == pytest.approx(1.5)
    assert (rows["CBF", "core"].unit, rows["MTT", "core"].unit) == ("%", "s")
    assert rows["CBF", "normal"].source.conditions["cbf"] == 60.0


def test_voxels_without_a_number_are_counted_and_left_out():
    values = np.repeat(THREE.cbf[:, None], 4, axis=1)
    values[0, 1], values[2] = np.nan, np.nan

    normal, _, core = judges.errors(outcome(CBF=values), tell)

    assert (normal.n, normal.n_failed, normal.bias) == (4, 1, 0.0)
    assert (core.n, core.n_failed) == (4, 4)
    assert np.isnan(core.bias)
    assert np.isnan(core.sd)


def test_intervals_of_the_right_width_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    values = THREE.mtt[:, None] + rng.normal(0, 2.0, (3, 20_000))
    sd = np.full_like(values, 2.0)
    found = replace(outcome(MTT=values), sd={"MTT": sd})

    whole = {s.measure: s.value for s in judges.coverage_of_all(found, tell)}
    by_tissue = [s for s in judges.coverage(found, tell) if s.measure == "coverage_90"]

    assert whole["coverage_68"] == pytest.approx(0.68, abs=0.01)
    assert whole["coverage_90"] == pytest.approx(0.90, abs=0.01)
    assert [s.value for s in by_tissue] == pytest.approx([0.9] * 3, abs=0.02)


def test_core_is_counted_against_the_median_of_normal_tissue():
    flow = np.array([[50.0, 50.0, 90.0, np.nan], [14.0, 20.0, 20.0, 20.0], [14.0, 14.0, 16.0, np.nan]])

    called = {s.measure: s.value for s in judges.core(outcome(CBF=flow), tell)}

    assert called == {"normal": 0.0, "penumbra": 0.25, "core": 0.5}


def test_without_normal_flow_nothing_can_be_called_core():
    called = [s.value for s in judges.core(outcome(CBF=np.full((3, 4), np.nan)), tell)]

    assert np.isnan(called).all()


def test_a_method_that_refuses_a_scan_has_failed_in_all_its_voxels():
    def refuses(curves, aif, dt, /):
        raise BadInput("not this one")

    sample = setup_of("noise", noise_hu=1.0).samples(0)[0]
    found = solve(Candidate("refuses", refuses), sample)

    rows = list(judges.errors(found, tell))
    assert [r.n_failed for r in rows] == [r.n for r in rows]
    assert {r.quantity for r in rows} == {"CBF", "CBV", "MTT", "Tmax"}


def test_a_wrong_option_is_no_failure_of_the_method():
    sample = setup_of("noise", noise_hu=1.0).samples(0)[0]

    with pytest.raises(BadRecipe):
        solve(Candidate("csvd", "csvd", {"cutoff": 7}), sample)


@pytest.mark.parametrize("values", [[1.0, np.nan, np.nan], [2.0, 2.0, 2.0]])
def test_what_does_not_vary_has_no_correlation(values):
    assert np.isnan(judges.correlation(np.array([1.0, 2.0, 3.0]), np.array(values)))
    assert np.isnan(judges.slope(np.ones(3), np.array(values)))
