import numpy as np
import pytest

from bolus.physics.gamma import GammaVariate, fit_gamma_variate

TIMES = np.arange(0.0, 60.0)


def test_the_peak_is_where_and_as_high_as_said():
    bolus = GammaVariate(120.0, 8.0, 2.5, 2.0)
    fine = np.linspace(0, 60, 60_001)

    assert bolus(13.0) == pytest.approx(120.0)
    assert fine[np.argmax(bolus(fine))] == pytest.approx(13.0, abs=1e-3)
    assert (bolus(fine[fine <= 8]) == 0).all()


def test_area_and_mean_are_those_of_the_curve():
    bolus = GammaVariate(120.0, 8.0, 2.5, 2.0)
    fine = np.linspace(0, 200, 200_001)

    whole = np.trapezoid(bolus(fine), fine)
    assert bolus.area == pytest.approx(whole, rel=1e-6)
    assert bolus.mean_s == pytest.approx(np.trapezoid(fine * bolus(fine), fine) / whole, rel=1e-6)


@pytest.mark.parametrize("truth", [GammaVariate(300, 10, 3, 1.5), GammaVariate(40, 14.5, 5, 0.9)])
def test_a_fit_recovers_what_made_the_curve(truth):
    found, r2 = fit_gamma_variate(TIMES, truth(TIMES))

    assert found.peak == pytest.approx(truth.peak, rel=0.02)
    assert found.mean_s == pytest.approx(truth.mean_s, abs=0.1)
    assert r2 > 0.999


def test_a_fit_leaves_recirculation_out():
    truth = GammaVariate(300.0, 10.0, 3.0, 1.5)
    again = GammaVariate(75.0, 28.0, 3.0, 3.0)

    found, _ = fit_gamma_variate(TIMES, truth(TIMES) + again(TIMES))

    assert found.area == pytest.approx(truth.area, rel=0.03)


def test_a_flat_curve_has_no_r2():
    _, r2 = fit_gamma_variate(TIMES, np.zeros(60))

    assert np.isnan(r2)


def test_noise_fits_badly():
    _, r2 = fit_gamma_variate(TIMES, np.random.default_rng(1).normal(size=60))

    assert r2 < 0.9
