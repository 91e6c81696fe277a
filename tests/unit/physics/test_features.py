import numpy as np
import pytest

from bolus.physics import features
from bolus.physics.gamma import GammaVariate

TIMES = np.arange(0.0, 60.0)
BOLUS = GammaVariate(100.0, 10.0, 3.0, 1.5)
CURVE = BOLUS(TIMES)[None]
NOTHING = np.stack([np.zeros(60), -np.ones(60), np.full(60, np.nan), np.where(TIMES == 30, np.nan, CURVE[0])])


def test_arrival_interpolates_between_frames():
    ramp = np.array([[0.0, 0.0, 0.0, 10.0, 20.0, 10.0]])

    assert features.arrival(ramp, np.arange(6.0))[0] == pytest.approx(2.2)


def test_arrival_searches_backwards_past_early_noise():
    spiky = CURVE.copy()
    spiky[0, 3] = 40.0

    assert features.arrival(spiky, TIMES)[0] == features.arrival(CURVE, TIMES)[0]


def test_arrival_of_a_curve_that_starts_high_is_the_first_time():
    assert features.arrival(np.array([[5.0, 6.0, 5.0]]), np.array([2.0, 3.0, 4.0]))[0] == 2.0
    assert features.arrival(np.array([[9.0, 6.0, 5.0]]), np.array([2.0, 3.0, 4.0]))[0] == 2.0


def test_curves_without_a_peak_have_no_times():
    for measure in (features.arrival, features.time_to_peak, features.width_at_half, features.first_moment):
        assert np.isnan(measure(NOTHING, TIMES)).all(), measure.__name__


@pytest.mark.parametrize("onset_s", [10.0, 10.3, 10.8])
def test_time_to_peak_lies_between_frames(onset_s):
    curve = GammaVariate(100.0, onset_s, 3.0, 1.5)(TIMES)[None]

    assert features.time_to_peak(curve, TIMES)[0] == pytest.approx(onset_s + 4.5, abs=0.1)


def test_a_peak_at_the_edge_is_that_frame():
    assert features.time_to_peak(np.array([[1.0, 2.0, 3.0]]), np.arange(3.0))[0] == 2.0
    assert features.time_to_peak(np.array([[2.0]]), np.array([7.0]))[0] == 7.0


def test_vertex_of_a_parabola_is_exact_and_bounded():
    x = np.array([-1.0, 0.0, 1.0])
    before, top, after = 3.0 - (x - 0.2) ** 2

    assert features.vertex_offset(before, top, after) == pytest.approx(0.2, abs=1e-6)
    assert features.vertex_offset(np.float32(0), np.float32(1), np.float32(5)) == 0.0
    assert features.vertex_offset(np.float32(0), np.float32(1), np.float32(1.9)) == 0.5


def test_width_at_half_of_a_triangle():
    triangle = np.interp(TIMES, [10, 20, 40], [0.0, 8.0, 0.0])[None]

    assert features.width_at_half(triangle, TIMES)[0] == pytest.approx(15.0)


def test_a_side_that_never_falls_counts_to_the_end():
    step = np.where(TIMES < 30, 0.0, 8.0)[None]

    assert features.width_at_half(step, TIMES)[0] == pytest.approx(59 - 29.5, abs=0.01)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_area_and_moment_of_a_bolus(kind):
    assert features.area(CURVE.astype(kind), TIMES)[0] == pytest.approx(BOLUS.area, rel=1e-3)
    assert features.first_moment(CURVE.astype(kind), TIMES)[0] == pytest.approx(BOLUS.mean_s, rel=1e-3)


def test_area_of_uneven_samples_is_by_trapezoids():
    times = np.array([0.0, 1.0, 1.5, 4.0])
    values = np.array([[1.0, 3.0, -2.0, 5.0]])

    assert features.area(values, times)[0] == pytest.approx(np.trapezoid(values, times, axis=1)[0])


def test_first_moment_ignores_negative_samples():
    dipped = CURVE.copy()
    dipped[0, 40:] = -50.0

    assert features.first_moment(dipped, TIMES)[0] == pytest.approx(BOLUS.mean_s, rel=1e-2)


@pytest.mark.parametrize(("onset_s", "frame"), [(10.0, 9), (12.3, 12), (0.5, 0)])
def test_a_bolus_starts_at_most_two_frames_before_arrival(onset_s, frame):
    assert features.bolus_start(GammaVariate(100.0, onset_s, 3.0, 1.5)(TIMES)) == frame


def test_nothing_starts_at_the_first_frame():
    assert [features.bolus_start(curve) for curve in NOTHING[:3]] == [0, 0, 0]


def test_roughness_grows_with_noise_and_not_with_height():
    noisy = CURVE + np.random.default_rng(0).normal(0, 5, (1, 60))

    assert features.roughness(noisy, TIMES)[0] > 2 * features.roughness(CURVE, TIMES)[0]
    assert features.roughness(7 * CURVE, TIMES)[0] == pytest.approx(
        features.roughness(CURVE, TIMES)[0], rel=1e-5
    )


def test_tail_is_what_is_left_at_the_end():
    assert features.tail(CURVE)[0] < 0.01
    assert features.tail(np.linspace(0, 1, 60)[None])[0] > 0.9
