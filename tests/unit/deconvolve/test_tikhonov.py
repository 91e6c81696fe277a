import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.deconvolve import choose_strength, tikhonov
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)


def noisy(sd: float, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(4)
    clean = tissue_curves(BOLUS, TIMES, (rng.uniform(8, 70, n), rng.uniform(4, 12, n), rng.uniform(0, 5, n)))
    return clean + rng.normal(0, sd, clean.shape)


def test_it_solves_the_regularised_least_squares_problem():
    curve = noisy(1.0, 1)
    strength = 0.2
    matrix = np.array([np.roll(np.append(AIF, np.zeros(60)), shift) for shift in range(120)]).T
    damping = strength * AIF.sum()
    padded = np.append(curve[0], np.zeros(60))
    wanted = np.linalg.solve(matrix.T @ matrix + damping**2 * np.eye(120), matrix.T @ padded)

    found = tikhonov(curve, AIF, 1.0, strength=strength, residues=True)

    np.testing.assert_allclose(found.residues[0, found.lags >= 0], wanted[:60], atol=1e-6 * wanted.max())


def test_noisier_scans_are_regularised_more():
    chosen = [choose_strength(noisy(sd), AIF, 1.0) for sd in (0.3, 1.0, 3.0)]

    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


@pytest.mark.parametrize("sd", [0.0, 50.0])
def test_the_chosen_strength_stays_within_its_clamp(sd):
    assert 0.05 <= choose_strength(noisy(sd), AIF, 1.0) <= 0.4


def test_voxels_without_contrast_or_numbers_do_not_choose():
    good = noisy(1.0)
    worse = np.concatenate([good, np.zeros((50, 60)), np.full((50, 60), np.nan)])

    assert choose_strength(worse, AIF, 1.0) == choose_strength(good, AIF, 1.0)
    assert choose_strength(np.zeros((5, 60)), AIF, 1.0) == 0.2


def test_lcurve_is_the_strength_it_chooses():
    curves = noisy(1.0)
    chosen = choose_strength(curves, AIF, 1.0)

    by_name, by_number = (tikhonov(curves, AIF, 1.0, strength=s) for s in ("lcurve", chosen))

    np.testing.assert_array_equal(by_name.flow, by_number.flow)


@pytest.mark.parametrize("strength", [0.0, 1.5, "gcv", False])
def test_strengths_out_of_range_are_refused(strength):
    with pytest.raises(BadRecipe):
        tikhonov(np.ones((1, 60)), AIF, 1.0, strength=strength)
