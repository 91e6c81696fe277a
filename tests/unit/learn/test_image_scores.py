"""Scores of maps have their known values."""

import numpy as np
import pytest

from bolus.core.errors import ShapeMismatch
from bolus.learn.image_scores import image_scores, mae, mse, nrmse, psnr, ssim

RNG = np.random.default_rng(3)
TRUTH = RNG.uniform(-1, 1, (24, 20))
LEFT = np.zeros((24, 20), dtype=bool)
LEFT[:, :10] = True


def test_a_constant_offset_has_known_errors():
    truth = np.full((16, 16), 0.5)
    assert mae(truth + 0.2, truth) == pytest.approx(0.2)
    assert mse(truth - 0.2, truth) == pytest.approx(0.04)
    assert nrmse(truth + 0.2, truth) == pytest.approx(0.4)
    assert psnr(truth + 0.2, truth) == pytest.approx(20.0)
    assert psnr(truth + 0.1, truth, data_range=1.0) == pytest.approx(20.0)


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
def test_similarity_of_constants_is_that_of_their_means(window):
    a, b, c1 = 0.2, 0.7, (0.01 * 2) ** 2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim(np.full((16, 16), a), np.full((16, 16), b), window=window) == pytest.approx(expected)


def test_similarity_of_one_window_is_the_formula():
    found, truth = RNG.uniform(-1, 1, (2, 7, 7))
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    common = np.cov(found.ravel(), truth.ravel())
    one, other = found.mean(), truth.mean()
    expected = (2 * one * other + c1) * (2 * common[0, 1] + c2)
    expected /= (one**2 + other**2 + c1) * (common[0, 0] + common[1, 1] + c2)
    assert ssim(found, truth) == pytest.approx(expected)


def test_similarity_of_one_gaussian_window_is_the_formula():
    found, truth = RNG.uniform(-1, 1, (2, 11, 11))
    at = np.arange(11) - 5
    weight = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    one, other = (weight * found).sum(), (weight * truth).sum()
    spread = (weight * found**2).sum() - one**2 + (weight * truth**2).sum() - other**2
    common = (weight * found * truth).sum() - one * other
    expected = (2 * one * other + c1) * (2 * common + c2) / ((one**2 + other**2 + c1) * (spread + c2))
    assert ssim(found, truth, window="gaussian") == pytest.approx(expected)


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
def test_equal_maps_are_alike_and_inverted_ones_are_not(window):
    assert ssim(TRUTH, TRUTH, window=window) == pytest.approx(1.0)
    positive = (TRUTH + 1) / 2
    assert ssim(1 - positive, positive, window=window) < -0.8
    assert psnr(TRUTH, TRUTH) == float("inf")


def test_only_pixels_inside_count():
    found = np.where(LEFT, TRUTH, TRUTH + 1.0)
    assert mae(found, TRUTH, LEFT) == 0
    assert mae(found, TRUTH, ~LEFT) == pytest.approx(1.0)
    far = np.zeros_like(LEFT)
    far[:, :6] = True  # no window of 7 pixels around these reaches what differs
    assert ssim(found, TRUTH, far) == pytest.approx(1.0)
    assert ssim(found, TRUTH) < 0.9


def test_all_scores_are_there_for_slice_and_brain():
    scores = image_scores(TRUTH + 0.1, TRUTH, LEFT)
    names = ["MAE", "MSE", "NRMSE", "PSNR", "SSIM", "SSIM gaussian"]
    assert list(scores) == names + [f"{n} in brain" for n in names]
    assert scores["MAE in brain"] == pytest.approx(0.1)
    assert list(image_scores(TRUTH, TRUTH)) == names


def test_a_slice_without_brain_or_truth_has_no_scores_there():
    scores = image_scores(TRUTH, TRUTH, np.zeros_like(LEFT))
    assert np.isnan(scores["SSIM in brain"])
    assert np.isnan(nrmse(TRUTH, np.zeros_like(TRUTH)))
    assert np.isnan(ssim(TRUTH, TRUTH, np.zeros_like(LEFT)))


def test_maps_of_other_shape_are_refused():
    with pytest.raises(ShapeMismatch, match="differ in shape"):
        image_scores(TRUTH, TRUTH.T)
    with pytest.raises(ShapeMismatch):
        image_scores(TRUTH, TRUTH, LEFT.T)
