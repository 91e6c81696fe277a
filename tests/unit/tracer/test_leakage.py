"""Leakage of contrast out of the vessels."""

import numpy as np
import pytest

from bolus.core.units import Modality
from bolus.physics.gamma import GammaVariate
from bolus.tracer import Baseline, correct_leakage, to_concentration

TIMES = np.arange(80) * 1.5
BEFORE = Baseline(0, 8, 13.5)


def leaky(voxels_of, k2, *, noise=0.3, n_leaky=200, n_voxels=2000, te_s=0.03):
    """The first rows leak at K2; returns the voxels and the rates that they would have without."""
    rng = np.random.default_rng(0)
    intact = np.tile(GammaVariate(15.0, 14.0, 3.0, 2.0)(TIMES), (n_voxels, 1))
    steps = 0.5 * (intact[0, 1:] + intact[0, :-1]) * 1.5
    rate = intact.copy()
    rate[:n_leaky] -= k2 * np.concatenate([[0.0], np.cumsum(steps)])
    rate += rng.normal(0.0, noise, rate.shape)
    signal = 500.0 * np.exp(-te_s * rate)
    return voxels_of(signal, TIMES, modality=Modality.MR, te_ms=1000 * te_s), intact


@pytest.mark.parametrize("k2", [-0.04, 0.02, 0.05])
def test_known_leakage_is_recovered_and_undone(voxels_of, k2):
    voxels, intact = leaky(voxels_of, k2)
    plain = to_concentration(voxels, BEFORE)

    corrected, rates = correct_leakage(plain)

    assert np.median(rates[:200]) == pytest.approx(k2, rel=0.1)
    assert abs(np.median(rates[200:])) < 0.1 * abs(k2)
    np.testing.assert_allclose(corrected.curves[:200].mean(axis=0), intact[0], atol=0.5)
    before = abs(plain.curves[:200].sum(axis=1).mean() / intact[0].sum() - 1)
    after = abs(corrected.curves[:200].sum(axis=1).mean() / intact[0].sum() - 1)
    assert after < 0.25 * before


def test_uncertain_rates_leave_curves_alone(voxels_of):
    voxels, _ = leaky(voxels_of, 0.0, noise=3.0)
    plain = to_concentration(voxels, BEFORE)

    corrected, rates = correct_leakage(plain)

    untouched = rates == 0
    assert untouched.mean() > 0.5
    np.testing.assert_array_equal(corrected.curves[untouched], plain.curves[untouched])


def test_it_is_off_unless_asked_for_and_named_in_the_steps(voxels_of):
    voxels, _ = leaky(voxels_of, 0.05)

    plain, asked = to_concentration(voxels, BEFORE), to_concentration(voxels, BEFORE, leakage=True)

    assert not any("leakage" in step for step in plain.steps)
    assert any("leakage" in step for step in asked.steps)
    np.testing.assert_array_equal(asked.curves, correct_leakage(plain)[0].curves)


def test_where_everything_leaks_nothing_is_corrected_and_said_so(voxels_of):
    voxels, _ = leaky(voxels_of, 0.05, n_leaky=2000)
    plain = to_concentration(voxels, BEFORE)

    corrected, rates = correct_leakage(plain)

    assert [f.code for f in corrected.findings] == ["LEAKAGE_SKIPPED"]
    np.testing.assert_array_equal(corrected.curves, plain.curves)
    assert not rates.any()


def test_dead_rows_stay_nan(voxels_of):
    voxels, _ = leaky(voxels_of, 0.05)
    curves = voxels.curves.copy()
    curves[5] = np.nan
    dead = to_concentration(voxels.with_curves(curves, "a dead row"), BEFORE)

    corrected, rates = correct_leakage(dead)

    assert np.isnan(corrected.curves[5]).all()
    assert np.isnan(rates[5])
    assert np.isfinite(corrected.curves[6]).all()
