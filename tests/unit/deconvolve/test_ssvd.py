import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.deconvolve import ssvd
from bolus.deconvolve.ssvd import plain, truncated_inverse, volterra, weighted
from bolus.physics.gamma import GammaVariate

TIMES = np.arange(0.0, 60.0)
AIF = GammaVariate(300.0, 10.0, 3.0, 1.5)(TIMES)


def test_plain_rule_is_a_sum_of_rectangles():
    k = np.exp(-TIMES / 5)

    np.testing.assert_allclose(plain(AIF) @ k, np.convolve(AIF, k)[:60])


def test_volterra_rule_is_exact_for_piecewise_linear_curves():
    k = np.interp(TIMES, [0, 3, 10, 59], [1.0, 0.8, 0.1, 0.0])
    fine = np.arange(0.0, 60.0, 0.001)

    at = 25
    product = np.interp(at - fine[fine <= at], TIMES, AIF) * np.interp(fine[fine <= at], TIMES, k)

    assert (volterra(AIF) @ k)[at] == pytest.approx(np.trapezoid(product, dx=0.001), rel=1e-5)
    assert (volterra(AIF) @ k)[0] == 0.0


def test_weighted_rule_keeps_the_area_of_the_arterial_curve():
    assert weighted(AIF)[-1].sum() == pytest.approx(AIF.sum(), rel=1e-6)


def test_truncated_inverse_without_truncation_inverts():
    matrix = np.random.default_rng(0).normal(size=(12, 12)) + 6 * np.eye(12)

    np.testing.assert_allclose(truncated_inverse(matrix, 1e-6) @ matrix, np.eye(12), atol=1e-10)


def test_the_cutoff_follows_the_rule_unless_given():
    curve = np.convolve(AIF, np.exp(-TIMES / 5))[None, :60] * 0.01

    assert (
        ssvd(curve, AIF, 1.0, rule="volterra").flow
        == ssvd(curve, AIF, 1.0, rule="volterra", cutoff=0.15).flow
    )
    assert ssvd(curve, AIF, 1.0).flow == ssvd(curve, AIF, 1.0, rule="weighted", cutoff=0.2).flow


def test_tissue_never_leads_the_artery():
    early = np.roll(np.convolve(AIF, np.exp(-TIMES / 5))[:60], -3)[None] * 0.01

    assert ssvd(early, AIF, 1.0).tmax[0] >= 0.0


def test_a_negative_lobe_is_no_flow():
    curve = -np.convolve(AIF, np.exp(-TIMES / 5))[None, :60] * 0.01

    found = ssvd(curve, AIF, 1.0, residues=True)

    assert found.flow[0] < 0.2 * np.abs(found.residues).max()


@pytest.mark.parametrize("options", [{"rule": "simpson"}, {"cutoff": 0.0}, {"cutoff": 1.0}, {"cutoff": True}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(BadRecipe):
        ssvd(np.ones((1, 60)), AIF, 1.0, **options)
