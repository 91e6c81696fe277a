import numpy as np
import pytest

from bolus.physics.features import first_moment
from bolus.validate.curves import ARTERY, Scan, Tissues, clean_curves, dispersed, simulate
from bolus.validate.experiments import EXPERIMENTS, THREE
from bolus.validate.setup import Effort

FINE = np.arange(0.0, 120.0, 0.1)


@pytest.mark.parametrize("tau", [0.0, 1.5, 3.0])
def test_dispersion_widens_the_bolus_and_keeps_its_area(tau):
    curve = dispersed(tau)(FINE)

    assert curve.sum() * 0.1 == pytest.approx(ARTERY.area, rel=2e-3)
    assert first_moment(curve[None], FINE)[0] == pytest.approx(ARTERY.mean_s + tau, abs=0.05)


def test_the_truth_of_tissue_is_tied_by_the_central_volume_theorem():
    np.testing.assert_allclose(THREE.cbv, [4.0, 4.0, 1.5])
    np.testing.assert_allclose(THREE.truth("exponential")["Tmax"], THREE.delay)
    np.testing.assert_allclose(THREE.truth("box")["Tmax"], [2.0, 10.0, 10.0])


def test_clean_curves_hold_the_volume_that_is_true():
    one = Tissues(("normal",), np.array([60.0]), np.array([4.0]), np.array([2.0]))

    curve = clean_curves(one, Scan(duration_s=120.0))[0]

    # kappa_H / rho turns a ratio of areas into volume
    assert 100 * 0.7051 * curve.sum() / ARTERY.area == pytest.approx(4.0, rel=2e-3)


def test_the_arterial_curve_has_a_tenth_of_the_noise():
    sample = simulate(THREE, Scan(noise_hu=4.0), 500, np.random.default_rng(1))

    before = sample.scan.times < 9
    assert sample.scan.curves[:, before].std() == pytest.approx(4.0, rel=0.05)
    assert 0.1 < sample.artery.values[before].std() < 0.9
    assert sample.scan.curves.shape == (1500, 60)


def test_an_offset_moves_the_frames_and_nothing_else():
    clean = clean_curves(THREE, Scan(dt_s=0.5))
    moved = clean_curves(THREE, Scan(dt_s=1.0, offset_s=0.5))

    np.testing.assert_allclose(moved[:, :59], clean[:, 1::2][:, :59], atol=1e-9)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_curves_depend_on_the_seed_and_the_setting_alone(name):
    setups = EXPERIMENTS[name](Effort("tiny", True, 2, 5, 1, 2, 2))
    last = setups[-1]

    first, again, other = (last.samples(seed)[-1].scan.curves for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    assert len({repr(sorted(s.conditions.items())) for s in setups}) == len(setups)
