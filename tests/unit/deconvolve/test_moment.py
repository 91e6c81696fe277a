import numpy as np
import pytest

from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import moment
from bolus.physics.features import arrival, first_moment
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, exponential_residue, tissue_curves

TIMES = np.arange(120.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)
CBF = 6000 * TISSUE_SCALE


def tissue(mtt: float, delay: float, n: int = 1, residue=exponential_residue) -> np.ndarray:
    return tissue_curves(
        BOLUS, TIMES, (np.full(n, 40.0), np.full(n, mtt), np.full(n, delay)), residue=residue
    )


def test_first_moments_differ_by_transit_and_delay():
    for mtt, delay in ((4.0, 0.0), (6.0, 2.5), (10.0, 5.0)):
        shift = first_moment(tissue(mtt, delay), TIMES) - first_moment(AIF[None], TIMES)

        assert shift[0] == pytest.approx(mtt + delay, abs=0.05)


@pytest.mark.parametrize(("mtt", "delay"), [(4.0, 0.0), (6.0, 2.5), (10.0, 5.0)])
def test_transit_is_short_by_the_late_arrival(mtt, delay):
    curves = tissue(mtt, delay)
    late = float(arrival(curves, TIMES)[0] - arrival(AIF[None], TIMES)[0]) - delay

    found = moment(curves, AIF, 1.0)

    assert 0.5 < late < 1.5
    assert found.mtt[0] == pytest.approx(mtt - late, abs=0.05)
    assert found.delay[0] == found.tmax[0] == pytest.approx(delay + late, abs=1e-5)


def test_flow_is_volume_over_transit():
    found = moment(tissue(6.0, 1.0), AIF, 1.0)

    assert CBF * found.flow[0] * found.mtt[0] / 60 == pytest.approx(40.0 * 6.0 / 60, rel=2e-3)


@pytest.mark.parametrize(("residue", "share"), [("linear", 2 / 3), ("box", 1 / 2)])
def test_other_residues_have_other_moments(residue, share):
    curves = tissue(9.0, 1.0, residue=RESIDUES[residue])

    found = moment(curves, AIF, 1.0)

    assert found.mtt[0] + found.delay[0] == pytest.approx(share * 9.0 + 1.0, abs=0.05)


def test_a_scan_that_ends_early_shortens_transit():
    curves = tissue(10.0, 3.0)

    whole, cut = moment(curves, AIF, 1.0), moment(curves[:, :40], AIF[:40], 1.0)

    assert cut.mtt[0] < 0.8 * whole.mtt[0]


def test_noise_makes_transit_long_and_uncertain():
    noisy = tissue(4.0, 0.0, n=300) + np.random.default_rng(3).normal(0, 1, (300, 120))

    found = moment(noisy, AIF, 1.0)

    assert np.nanmean(found.mtt) > moment(tissue(4.0, 0.0), AIF, 1.0).mtt[0] + 1.5
    assert np.nanstd(found.mtt) > 0.5


def test_samples_before_the_bolus_do_not_count():
    curves = tissue(6.0, 1.0)
    lifted = curves.copy()
    lifted[:, :8] += 0.5

    np.testing.assert_allclose(moment(lifted, AIF, 1.0).mtt, moment(curves, AIF, 1.0).mtt, rtol=1e-6)


def test_without_positive_transit_there_is_nothing():
    found = moment(0.1 * AIF[None], AIF, 1.0)

    for values in (found.flow, found.mtt, found.delay, found.tmax):
        assert np.isnan(values[0])
