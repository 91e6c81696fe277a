import numpy as np
import pytest

from bolus.core.units import TISSUE_SCALE
from bolus.physics.features import area, first_moment
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import (
    RESIDUES,
    antiderivative,
    box_curves,
    flow_per_second,
    tissue_curves,
)

TIMES = np.arange(0.0, 120.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
CBF, MTT, DELAY = (
    np.array([60.0, 24.0, 11.0, 45.0]),
    np.array([4.0, 6.0, 8.0, 5.7]),
    np.array([0.0, 2.3, 5.0, -2.0]),
)


@pytest.mark.parametrize("name", RESIDUES)
def test_residues_start_at_one_never_rise_and_have_the_transit_time_as_area(name):
    lags = np.arange(0.0, 200.0, 0.001)

    values = RESIDUES[name](lags[None, :], np.array([[6.0]]))[0]

    assert values[0] == 1.0
    assert (np.diff(values) <= 0).all()
    assert np.trapezoid(values, lags) == pytest.approx(6.0, rel=2e-4)


@pytest.mark.parametrize("name", RESIDUES)
def test_the_central_volume_theorem_holds(name):
    curves = tissue_curves(BOLUS, TIMES, (CBF, MTT, DELAY), residue=RESIDUES[name])
    aif = BOLUS(TIMES)[None]

    volume = 100 * TISSUE_SCALE * area(curves, TIMES) / area(aif, TIMES)

    np.testing.assert_allclose(volume, CBF * MTT / 60, rtol=2e-3)
    np.testing.assert_allclose(
        first_moment(curves, TIMES) - first_moment(aif, TIMES), _mean_transit(name) + DELAY, atol=0.05
    )


def _mean_transit(name: str) -> np.ndarray:
    """Mean of the residue itself: sum of t R(t) over sum of R(t)."""
    lags = np.arange(0.0, 300.0, 0.01)[None, :]
    values = RESIDUES[name](lags, MTT[:, None])
    return (lags * values).sum(axis=1) / values.sum(axis=1)


@pytest.mark.parametrize("name", RESIDUES)
def test_the_fine_step_hardly_matters(name):
    coarse, fine = (
        tissue_curves(BOLUS, TIMES, (CBF, MTT, DELAY), residue=RESIDUES[name], fine_dt=step)
        for step in (0.05, 0.005)
    )

    assert (np.abs(coarse - fine).max(axis=1) < 1e-3 * fine.max(axis=1)).all()


def test_box_curves_agree_with_the_general_convolution():
    fine = np.arange(0.0, 120.0, 0.01)

    exact = box_curves(fine, BOLUS(fine), CBF, MTT, DELAY, at=TIMES)

    general = tissue_curves(BOLUS, TIMES, (CBF, MTT, DELAY), residue=RESIDUES["box"])
    np.testing.assert_allclose(general, exact, atol=1e-3 * exact.max())


def test_antiderivative_is_exact_for_lines_and_goes_on_after_the_end():
    times, curve = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 2.0])

    found = antiderivative(times, curve, np.array([-5.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0]))

    np.testing.assert_allclose(found, [0.0, 0.0, 0.25, 1.0, 3.0, 5.0, 7.0])


def test_flow_in_tissue_units_and_per_second():
    assert flow_per_second(60.0) == pytest.approx(0.01 / TISSUE_SCALE)


def test_whole_seconds_of_delay_shift_samples():
    early, late = tissue_curves(BOLUS, TIMES, (np.full(2, 40.0), np.full(2, 5.0), np.array([0.0, 7.0])))

    np.testing.assert_allclose(late[7:], early[:-7], atol=1e-9)
