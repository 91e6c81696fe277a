"""When the bolus arrives."""

import numpy as np
import pytest

from bolus.core.errors import NoBolus
from bolus.core.finding import Severity
from bolus.core.units import Modality
from bolus.tracer import find_baseline


@pytest.mark.parametrize(
    ("dt", "n_frames", "onset_s"),
    [(0.5, 100, 6.0), (1.0, 60, 10.0), (1.0, 60, 45.0), (2.0, 30, 10.0), (3.0, 20, 12.0)],
)
def test_arrival_is_found_in_the_arteries_and_not_in_the_taller_veins(
    voxels_of, bolus_curves, dt, n_frames, onset_s
):
    times = np.arange(n_frames) * dt

    found = find_baseline(voxels_of(35 + bolus_curves(times, onset_s=onset_s), times))

    assert onset_s <= found.arrival_s <= onset_s + 1.0 + dt
    assert found.first == 0
    assert times[found.last - 1] <= onset_s + 0.1
    assert found.n_frames >= 2


def test_one_frame_is_left_out_for_safety(voxels_of, bolus_curves):
    times = np.arange(60.0)

    found = find_baseline(voxels_of(35 + bolus_curves(times), times))

    assert times[found.last] < found.arrival_s
    assert found.last == np.flatnonzero(times == found.arrival_s)[0] - 1


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_no_bolus(voxels_of, seed):
    rng = np.random.default_rng(seed)
    curves = rng.normal(35.0, 8.0, (5000, 60))

    with pytest.raises(NoBolus, match="no passage of contrast"):
        find_baseline(voxels_of(curves, np.arange(60.0)))


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        (np.full((200, 40), 35.0), "no passage of contrast"),
        (np.full((200, 40), -1000.0), "nothing but air"),
        (np.full((200, 40), 1200.0), "nothing but air, bone"),
        (np.full((200, 40), np.nan), "nothing but air"),
        (np.full((200, 3), 35.0), "too short"),
    ],
)
def test_what_cannot_enhance_is_refused_with_a_remedy(voxels_of, curves, message):
    with pytest.raises(NoBolus, match=message) as caught:
        find_baseline(voxels_of(curves, np.arange(float(curves.shape[1]))))

    assert caught.value.remedy


def test_air_and_dead_voxels_do_not_hide_the_bolus(voxels_of, bolus_curves):
    times = np.arange(60.0)
    curves = 35 + bolus_curves(times)
    curves[::2] = -1000 + np.random.default_rng(1).normal(0, 300, curves[::2].shape)
    curves[1::10] = np.nan

    assert find_baseline(voxels_of(curves, times)).arrival_s == pytest.approx(11.0, abs=1.0)


def test_an_early_bolus_leaves_a_short_baseline(voxels_of, bolus_curves):
    times = np.arange(60.0)

    found = find_baseline(voxels_of(35 + bolus_curves(times, onset_s=2.0), times))

    assert found.n_frames == 2
    assert [f.code for f in found.findings] == ["SHORT_BASELINE"]
    assert found.findings[0].severity is Severity.WARN


@pytest.mark.parametrize("onset_s", [-12.0, -5.0, -1.5])
def test_a_bolus_that_is_there_from_the_start_leaves_no_baseline(voxels_of, bolus_curves, onset_s):
    times = np.arange(50.0)

    found = find_baseline(voxels_of(35 + bolus_curves(times, onset_s=onset_s), times))

    assert found.is_missing
    assert [f.code for f in found.findings] == ["NO_BASELINE"]
    assert found.findings[0].severity is Severity.FAIL


def test_a_bolus_that_the_end_cuts_off_still_arrives(voxels_of, bolus_curves):
    times = np.arange(60.0)

    found = find_baseline(voxels_of(35 + bolus_curves(times, onset_s=52.0), times))

    assert found.arrival_s == pytest.approx(53.0, abs=1.0)


def test_a_jump_of_a_few_voxels_before_the_bolus_is_no_arrival(voxels_of, bolus_curves):
    times = np.arange(60.0)
    curves = 35 + bolus_curves(times)
    curves[1000:1020, 4:] += 150.0

    assert find_baseline(voxels_of(curves, times)).arrival_s == pytest.approx(11.0, abs=1.0)


def test_tissue_bounds_the_arrival_where_only_late_veins_are_tall(voxels_of, bolus_curves):
    times = np.arange(60.0)
    curves = 35 + bolus_curves(times)
    curves[:40] = 35 + bolus_curves(times, seed=1)[1000:1040]  # no arteries in the slab
    voxels = voxels_of(curves, times)
    tissue = np.zeros(voxels.mask.shape, dtype=bool)
    tissue[200:] = True

    without, bounded = find_baseline(voxels), find_baseline(voxels, tissue)

    assert bounded.arrival_s <= without.arrival_s
    assert bounded.arrival_s <= 15.0


def test_slices_with_their_own_clocks_are_compared_by_frame(voxels_of, bolus_curves):
    times = np.arange(30) * 2.0
    clocks = np.stack([times, times + 1.0])
    curves = np.empty((4000, 30))
    curves[::2] = 35 + bolus_curves(clocks[0], n_voxels=2000)
    curves[1::2] = 35 + bolus_curves(clocks[1], n_voxels=2000)

    found = find_baseline(voxels_of(curves, clocks))

    assert 10.0 <= found.arrival_s <= 13.0
    assert found.last <= 5


def test_mr_signal_drops_and_its_first_frames_are_left_out(voxels_of, bolus_curves):
    times = np.arange(50) * 1.5
    rng = np.random.default_rng(2)
    rate = np.maximum(bolus_curves(times, onset_s=20.0, noise=0.0), 0) * 0.2
    signal = 400.0 * np.exp(-0.03 * rate)
    signal[:, :2] *= np.array([1.6, 1.15])  # T1 has not reached its steady state
    signal += rng.normal(0.0, 8.0, signal.shape)

    found = find_baseline(voxels_of(signal, times, modality=Modality.MR, te_ms=30.0))

    assert found.first == 3
    assert 20.0 <= found.arrival_s <= 23.0


def test_a_short_mr_baseline_keeps_its_first_frames(voxels_of, bolus_curves):
    times = np.arange(40) * 1.5
    rate = np.maximum(bolus_curves(times, onset_s=6.0, noise=0.0), 0) * 0.2
    signal = 400.0 * np.exp(-0.03 * rate) + np.random.default_rng(3).normal(0.0, 4.0, rate.shape)

    found = find_baseline(voxels_of(signal, times, modality=Modality.MR, te_ms=30.0))

    assert found.n_frames >= 3
    assert found.first < 3


@pytest.mark.parametrize(("dt", "onset_s", "first_frames"), [(5.0, 15.5, (1.4,)), (3.2, 10.5, (1.4, 1.1))])
def test_a_short_mr_baseline_drops_frames_that_are_brighter(
    voxels_of, bolus_curves, dt, onset_s, first_frames
):
    times = np.arange(16) * dt
    rate = np.maximum(bolus_curves(times, onset_s=onset_s, noise=0.0), 0) * 0.2
    signal = 400.0 * np.exp(-0.03 * rate)
    signal[:, : len(first_frames)] *= np.array(first_frames)
    signal += np.random.default_rng(3).normal(0.0, 4.0, rate.shape)

    found = find_baseline(voxels_of(signal, times, modality=Modality.MR, te_ms=30.0))

    assert found.first == len(first_frames)
    assert found.n_frames >= 2
    assert times[found.last - 1] <= onset_s + 1.0
    level = signal[:, found.first : found.last].mean()
    assert level == pytest.approx(400.0, rel=0.02)


@pytest.mark.parametrize("onset_s", [2.0, 3.5, 5.0, 6.5, 8.0])
def test_two_mr_frames_are_kept_before_contrast_even_if_they_are_brighter(voxels_of, bolus_curves, onset_s):
    times = np.arange(40) * 1.6
    rate = np.maximum(bolus_curves(times, onset_s=onset_s, noise=0.0), 0) * 0.2
    signal = 400.0 * np.exp(-0.03 * rate)
    signal[:, :3] *= np.array([1.4, 1.1, 1.02])
    signal += np.random.default_rng(3).normal(0.0, 4.0, rate.shape)

    found = find_baseline(voxels_of(signal, times, modality=Modality.MR, te_ms=30.0))

    assert found.n_frames >= 2
    assert times[found.last - 1] <= found.arrival_s


def test_tissue_overrules_a_rim_that_moves_before_the_bolus(voxels_of, bolus_curves):
    times = np.arange(60.0)
    curves = 35 + bolus_curves(times, onset_s=15.0)
    curves[1000:1400, :4] += 250.0  # bright until the head moves
    voxels = voxels_of(curves, times)
    tissue = np.zeros(voxels.mask.shape, dtype=bool)
    tissue[2000:] = True

    assert find_baseline(voxels).is_missing
    assert 14.0 <= find_baseline(voxels, tissue).arrival_s <= 18.0
