import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import slope
from bolus.deconvolve.slope import local_lines
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import box_residue, exponential_residue, tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)
CBF = 6000 * TISSUE_SCALE


def tissue(cbf: float, mtt: float, delay: float, residue=exponential_residue) -> np.ndarray:
    parameters = tuple(np.array([p]) for p in (cbf, mtt, delay))
    return tissue_curves(BOLUS, TIMES, parameters, residue=residue)


@pytest.mark.parametrize(("mtt", "share", "smoothed"), [(3.4, 0.57, 0.51), (12.0, 0.82, 0.76)])
def test_the_known_share_of_flow_is_found(mtt, share, smoothed):
    curve = tissue(40.0, mtt, 0.0)

    assert CBF * slope(curve, AIF, 1.0, window_s=3.0).flow[0] / 40.0 == pytest.approx(share, abs=0.015)
    assert CBF * slope(curve, AIF, 1.0).flow[0] / 40.0 == pytest.approx(smoothed, abs=0.015)


def test_tissue_that_nothing_has_left_shows_its_flow():
    curve = tissue(40.0, 20.0, 0.0, box_residue)

    assert CBF * slope(curve, AIF, 1.0, window_s=3.0).flow[0] == pytest.approx(40.0, rel=0.03)


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.5, 2.7, 6.0])
def test_time_is_found_between_frames(delay):
    here, there = (slope(tissue(40.0, 5.0, d), AIF, 1.0).tmax[0] for d in (0.0, delay))

    assert there - here == pytest.approx(delay, abs=0.1)


def test_the_artery_itself_has_no_delay():
    assert slope(0.1 * AIF[None], AIF, 1.0).tmax[0] == pytest.approx(0.0, abs=1e-6)


def test_lines_make_slopes_robust():
    noisy = tissue(40.0, 6.0, 1.0) + np.random.default_rng(4).normal(0, 1, (500, 60))
    clean = slope(tissue(40.0, 6.0, 1.0), AIF, 1.0)

    wide, narrow = (slope(noisy, AIF, 1.0, window_s=w).flow / clean.flow for w in (5.0, 3.0))

    assert abs(wide.mean() - 1) < 0.12
    assert wide.std() < 0.6 * narrow.std()


def test_a_late_spike_is_no_rise():
    curve = tissue(40.0, 5.0, 1.0)
    spiked = curve.copy()
    spiked[0, 50] += 5.0

    assert slope(spiked, AIF, 1.0).flow[0] == pytest.approx(slope(curve, AIF, 1.0).flow[0], rel=1e-6)


def test_a_falling_curve_has_no_flow():
    assert np.isnan(slope(-np.cumsum(AIF)[None], AIF, 1.0).flow[0])


def test_there_is_no_transit_time():
    found = slope(tissue(40.0, 5.0, 1.0), AIF, 1.0)

    assert found.mtt is None
    assert found.residues is None


@pytest.mark.parametrize("half", [1, 2, 5])
def test_lines_are_exact_for_lines(half):
    line = 3.0 + 0.7 * np.arange(20)

    heights, slopes = local_lines(20, half)

    np.testing.assert_allclose(heights @ line, line, atol=1e-10)
    np.testing.assert_allclose(slopes @ line, 0.7, atol=1e-10)


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("inf"), "5", True])
def test_windows_out_of_range_are_refused(window_s):
    with pytest.raises(BadRecipe):
        slope(tissue(40.0, 5.0, 1.0), AIF, 1.0, window_s=window_s)
