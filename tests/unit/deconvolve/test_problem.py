import numpy as np
import pytest

from bolus.core.errors import BadTimes, NoBolus, ShapeMismatch
from bolus.deconvolve import METHODS
from bolus.deconvolve.problem import pose, raggedness, usable_aif
from bolus.physics.gamma import GammaVariate

TIMES = np.arange(60.0)
AIF = GammaVariate(300.0, 10.0, 3.0, 1.5)(TIMES)
CURVES = 0.02 * np.convolve(AIF, np.exp(-TIMES / 5))[None, :60] * np.ones((4, 1))


def noise(n: int = 60) -> np.ndarray:
    return np.random.default_rng(5).normal(size=n)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("aif", "error"),
    [
        (np.zeros(60), NoBolus),
        (-AIF, NoBolus),
        (np.where(TIMES == 20, np.nan, AIF), NoBolus),
        (np.where(TIMES == 20, np.inf, AIF), NoBolus),
        (np.exp(-TIMES / 5), NoBolus),
        (noise(), NoBolus),
        (AIF - 60.0, NoBolus),
        (AIF[:-1], ShapeMismatch),
        (np.append(AIF, 0.0), ShapeMismatch),
        (AIF[None], ShapeMismatch),
    ],
    ids=["zeros", "negative", "nan", "inf", "first", "noise", "no-area", "shorter", "longer", "matrix"],
)
def test_arterial_curves_are_checked(method, aif, error):
    with pytest.raises(error) as caught:
        METHODS[method](CURVES, aif, 1.0)

    assert caught.value.what


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_the_interval_must_be_positive(method, dt):
    with pytest.raises(BadTimes, match="interval"):
        METHODS[method](CURVES, AIF, dt)


@pytest.mark.parametrize("method", METHODS)
def test_seven_frames_are_too_few_and_eight_are_enough(method):
    short = np.array([0, 0, 1, 5, 8, 5, 2, 1.0])
    tissue = np.convolve(short, [0.2, 0.1, 0.05])[None, :8]

    with pytest.raises(BadTimes, match="at least 8"):
        METHODS[method](CURVES[:, :7], short[:7], 1.0)
    assert np.isfinite(METHODS[method](tissue, short, 1.0).flow).all()


def test_curves_must_be_a_matrix():
    with pytest.raises(ShapeMismatch, match="matrix"):
        pose(CURVES[0], AIF, 1.0)


def test_noise_before_the_bolus_is_removed_and_the_rest_kept():
    noisy = AIF + noise()

    usable = usable_aif(noisy, 60)

    assert (usable[:8] == 0).all()
    np.testing.assert_array_equal(usable[12:], noisy[12:])
    np.testing.assert_array_equal(usable_aif(usable, 60), usable)


def test_the_given_arterial_curve_is_left_alone():
    noisy = AIF + noise()
    before = noisy.copy()

    usable_aif(noisy, 60)

    np.testing.assert_array_equal(noisy, before)


@pytest.mark.parametrize("dt", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("onset_s", [10.0, 10.7, 11.3])
def test_boluses_are_smoother_than_noise(dt, onset_s):
    bolus = GammaVariate(300.0, onset_s, 3.0, 1.5)(np.arange(0, 60, dt))

    assert raggedness(bolus) < 0.6
    assert raggedness(noise(2000)) == pytest.approx(1.0, abs=0.1)


def test_a_constant_has_no_raggedness():
    assert raggedness(np.ones(10)) == 0.0


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int64, np.float16, np.float32])
def test_other_types_become_single_precision(kind):
    assert pose(CURVES.astype(kind), AIF, 1.0).curves.dtype == np.float32


def test_double_precision_stays():
    assert pose(CURVES.astype(">f8"), AIF, 1.0).curves.dtype == np.float64
