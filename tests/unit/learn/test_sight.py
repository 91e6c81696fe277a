"""What the network of `--method net` sees: exact in scale, on its own clock."""

import numpy as np
import pytest

from bolus.core.errors import NoBolus
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import sight
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

ARTERY = GammaVariate(300.0, 8.0, 3.0, 1.5)


def scan(dt: float = 1.5, seconds: float = 60.0):
    times = np.arange(0.0, seconds, dt)
    cbf, mtt, delay = np.array([20.0, 60.0, 40.0]), np.array([6.0, 4.0, 12.0]), np.array([1.0, 0.0, 5.0])
    curves = tissue_curves(ARTERY, times, (cbf, mtt, delay)).astype(np.float32)
    return times, ARTERY(times), curves


def test_tissue_scaled_by_k_looks_the_same_and_its_scale_is_k_times_as_large() -> None:
    times, aif, curves = scan()
    clock = sight.clock_of(aif, times)

    scale, noise = sight.measure(curves, clock)
    larger, same_noise = sight.measure(1.7 * curves, clock)

    assert larger == pytest.approx(1.7 * scale, rel=1e-5)
    assert same_noise == pytest.approx(noise, rel=1e-4)
    one, other = (
        sight.features_of(factor * curves, factor * curves, clock, size)
        for factor, size in ((1.0, scale), (1.7, larger))
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_amplitude_of_tissue_and_artery_together_changes_nothing() -> None:
    times, aif, curves = scan()
    one, other = sight.clock_of(aif, times), sight.clock_of(0.2 * aif, times)

    assert sight.measure(0.2 * curves, other)[0] == pytest.approx(sight.measure(curves, one)[0], rel=1e-5)


@pytest.mark.parametrize("dt", [0.5, 1.0, 2.0, 3.0])
def test_curves_on_the_clock_keep_their_volume_whatever_the_interval(dt: float) -> None:
    times, aif, curves = scan(dt, 90.0)
    scale, _ = sight.measure(curves, sight.clock_of(aif, times))
    volume = np.median(np.array([20.0, 60.0, 40.0]) * np.array([6.0, 4.0, 12.0]) / 60.0)  # mL/100 g

    assert scale * 100.0 * 0.7051 == pytest.approx(volume, rel=0.05)


def test_the_residue_peaks_where_tissue_arrives() -> None:
    times, aif, curves = scan(1.0)
    clock = sight.clock_of(aif, times)
    residues = curves @ (clock.weights.T / clock.area) @ clock.residue.T

    peaks = sight.LAGS_S[np.argmax(residues, axis=1)]

    assert peaks[2] - peaks[1] == pytest.approx(5.0, abs=2.0)
    again, once = residues @ clock.forward.T, curves @ clock.weights.T / clock.area
    np.testing.assert_allclose(again[:2], once[:2], atol=2e-4)  # the third is longer than the lags


def test_samples_after_the_end_of_the_scan_are_not_valid() -> None:
    times, aif, _ = scan(1.5, 40.0)
    clock = sight.clock_of(aif, times)

    assert clock.about["after_s"] == pytest.approx(times[-1] - clock.arrival_s)
    assert not clock.valid[-1]
    assert not clock.weights[~clock.valid].any()


def test_answers_and_maps_are_each_other_s_inverse() -> None:
    maps = {name: np.array([0.5, 2.0]) for name in sight.OUTPUTS}
    there = sight.maps_of(sight.numbers_of(maps, 0.04), 0.04)

    for name in sight.OUTPUTS:
        np.testing.assert_allclose(there[name], maps[name], rtol=1e-6)


def test_channels_hold_features_mask_and_token() -> None:
    mask = np.array([[True, False], [True, True]])
    features = np.arange(3 * 113, dtype=np.float32).reshape(3, 113)
    image = sight.channels(features, np.full(sight.N_TOKEN, 7.0, np.float32), mask)

    assert image.shape == (sight.CHANNELS, 2, 2)
    np.testing.assert_array_equal(image[:113, mask].T, features)
    np.testing.assert_array_equal(image[113], mask)
    assert (image[114:] == 7.0).all()
    assert not image[:113, ~mask].any()


def contrast_of(times, aif, curves):
    mask = np.ones((len(curves), 1, 1), bool)
    grid = Grid(mask.shape, np.diag([2.0, 2.0, 5.0, 1.0]))
    contrast = Concentration(curves, times, mask, grid, Modality.MR, Unit.PER_SECOND, (0, 4), 0.1)
    return contrast, VesselCurve("AIF", times, aif, Unit.PER_SECOND, "made up")


def test_scans_that_go_on_for_long_are_seen_as_those_that_end() -> None:
    whole = contrast_of(*scan(2.0, 110.0))
    short = contrast_of(*scan(2.0, 60.0))

    contrast, aif = sight.cut(*whole)

    rise = sight.clock_of(aif.values, aif.times).arrival_s
    assert aif.times.size == contrast.times.size == contrast.curves.shape[1]
    assert rise + sight.SEEN_S - 2.0 < aif.times[-1] <= rise + sight.SEEN_S
    np.testing.assert_array_equal(contrast.curves, whole[0].curves[:, : contrast.times.size])
    assert sight.cut(*short) == short


def test_an_artery_without_bolus_is_refused() -> None:
    with pytest.raises(NoBolus):
        sight.clock_of(np.zeros(30), np.arange(30.0))
