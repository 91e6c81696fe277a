import numpy as np
import pytest

from bolus.deconvolve import METHODS
from bolus.deconvolve.peak import Search, read_peaks
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 15.0, 3.0, 1.5)


def test_the_circle_is_searched_from_five_seconds_before_to_the_end():
    search = Search.circular(60, 1.0)

    inside = search.lags[search.margin : -search.margin] * search.step_s
    assert inside[0] == -5.0
    assert inside[-1] == 59.0


@pytest.mark.parametrize(("dt", "fold"), [(0.5, 1), (1.0, 1), (1.243, 2), (2.0, 2), (2.5, 3)])
def test_lags_are_at_most_a_second_apart(dt, fold):
    search = Search.circular(40, dt)

    assert search.fold == fold
    assert search.step_s == pytest.approx(dt / fold)


def test_a_scan_shorter_than_five_seconds_is_searched_once_round_at_most():
    search = Search.circular(10, 0.25)

    assert search.lags[0] >= -10
    assert search.lags.size <= 22


def test_margins_are_neighbours_and_never_peaks():
    found = np.array([[9.0, 1.0, 2.0, 1.0, 9.0]])
    search = Search(np.arange(-2, 3), 1.0, 1, 1)

    peak = read_peaks(found, search, residues=True)

    assert peak.flow[0] == 2.0
    assert peak.residues.shape == (1, 3)
    np.testing.assert_array_equal(peak.lags, [-1, 0, 1])


def test_the_vertex_lies_between_samples():
    times = np.arange(10.0)
    parabola = 5.0 - (times - 4.3) ** 2

    assert read_peaks(parabola[None], Search.causal(10, 1.0), residues=False).tmax[0] == pytest.approx(4.3)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_residues_without_a_positive_peak_give_nothing(value):
    peak = read_peaks(np.full((2, 20), value), Search.causal(20, 1.0), residues=False)

    assert np.isnan(peak.flow).all()
    assert np.isnan(peak.tmax).all()


@pytest.mark.parametrize("method", ["csvd", "osvd", "tikhonov"])
def test_tissue_that_leads_the_artery_has_negative_tmax(method):
    parameters = (np.full(2, 60.0), np.full(2, 4.0), np.array([-4.0, 0.0]))
    curves = tissue_curves(BOLUS, TIMES, parameters)

    found = METHODS[method](curves, BOLUS(TIMES), 1.0)

    assert found.tmax[0] < 0
    assert found.tmax[1] - found.tmax[0] == pytest.approx(4.0, abs=0.05)
    assert found.flow[0] == pytest.approx(found.flow[1], rel=0.01)
