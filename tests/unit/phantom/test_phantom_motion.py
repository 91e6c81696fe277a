"""Motion and clocks of the simulated head."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name for itself)

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.phantom.ct import plain_image
from bolus.phantom.motion import pose_matrix, restless
from bolus.phantom.options import CtOptions
from bolus.phantom.scene import scan_grid, set_scene
from bolus.phantom.timing import sample_times, sweep_times


@pytest.mark.parametrize("seed", range(8))
def test_a_restless_head_jumps_three_times_within_bounds(seed):
    poses = restless(np.random.default_rng(seed), 60)
    steps = np.abs(np.diff(poses, axis=0)).max(axis=1)
    assert 1 <= np.count_nonzero(steps > 0.2) <= 3
    assert np.linalg.norm(poses[:, :3], axis=1).max() <= 4.5
    assert np.abs(poses[:, 3:]).max() <= 4.0
    assert not poses[0].any()


def test_the_pose_turns_as_simpleitk_would():
    pose, centre = np.array([1.0, -2.0, 3.0, 4.0, -3.0, 2.0]), (5.0, 6.0, 7.0)
    other = sitk.Euler3DTransform(centre, *np.deg2rad(pose[3:]).tolist(), pose[:3].tolist())
    point = np.array([30.0, -20.0, 10.0, 1.0])
    assert (pose_matrix(pose, centre) @ point)[:3] == pytest.approx(other.TransformPoint(point[:3].tolist()))


def test_a_restless_head_lies_in_few_poses():
    poses = restless(np.random.default_rng(2), 60)

    assert len(np.unique(poses, axis=0)) <= 9
    assert np.ptp(poses[:12, :3], axis=0).max() > 0.05, "it drifts before it jumps"


def test_a_head_that_moved_by_whole_voxels_looks_the_same_there():
    options = CtOptions(shape=(64, 64, 8), seed=4)
    grid = scan_grid(options.shape)
    motion = np.eye(4)
    motion[:3, 3] = grid.affine[:3, 0] * 3 + grid.affine[:3, 2]

    still, moved = (
        plain_image(set_scene(options, np.random.default_rng(1), where)) for where in (np.eye(4), motion)
    )

    assert np.abs(moved[3:, :, 1:] - still[:-3, :, :-1]).max() < 0.5
    assert np.abs(moved - still).mean() > 10.0


@pytest.mark.parametrize("kind", [phantom.ct, phantom.mr])
def test_a_moved_frame_is_as_sharp_as_a_still_one(kind):
    quiet = {"noise_hu": 0.0} if kind is phantom.ct else {"snr": 1e6}
    series = kind(shape=(96, 96, 8), n_frames=20, motion=True, seed=3, **quiet).series
    steps = [np.abs(np.diff(series.frame(t)[24:72, 24:72], axis=2)).mean() for t in (3, 19)]

    assert steps[1] > 0.95 * steps[0], "a second interpolation would blur it along the slice axis"


def test_frames_before_the_first_jump_show_the_head_almost_still():
    still, restive = (
        phantom.ct(shape=(64, 64, 8), n_frames=30, noise_hu=0.0, motion=motion) for motion in (False, True)
    )
    assert np.array_equal(still.series.frames[..., 0], restive.series.frames[..., 0])
    first_jump = int(np.argmax(np.abs(restive.truth.motion).max(axis=1) > 0.6))
    change = np.abs(still.series.frames.astype(float) - restive.series.frames).mean(axis=(0, 1, 2))
    assert first_jump > 4
    assert change[first_jump] > 3 * change[first_jump - 1]


def test_a_jump_brings_tissue_into_the_end_slices_not_air():
    study = phantom.ct(shape=(64, 64, 8), n_frames=30, noise_hu=0.0, motion=True)
    middle = study.series.frames[28:36, 28:36]
    assert middle.min() > -20


def test_a_shuttle_gives_each_slice_its_own_rising_clock():
    times = sample_times("shuttle", 10, 1.5, 8)
    assert times.shape == (8, 10)
    assert (np.diff(times, axis=1) > 0).all()
    assert times[0, 0] == 0.0
    assert times[0, 0] < times[-1, 0]
    assert times[0, 1] > times[-1, 1]  # the table comes back
    assert np.ptp(np.diff(times[0])) > 0.5
    assert np.diff(sweep_times(times)) == pytest.approx(1.5)


def test_an_uneven_clock_doubles_its_step_once():
    steps = np.diff(sample_times("uneven", 12, 1.5, 4))
    assert set(steps.tolist()) == {1.5, 3.0}
    assert (np.diff(steps) >= 0).all()


def test_an_unknown_pattern_is_refused():
    with pytest.raises(BadRecipe, match="timing"):
        sample_times("sometimes", 3, 1.0, 2)


def test_slices_of_a_shuttle_scan_are_sampled_at_their_own_times():
    kinds = {
        timing: phantom.ct(shape=(48, 48, 6), n_frames=30, dt=2.0, noise_hu=0.0, timing=timing)
        for timing in ("even", "shuttle")
    }
    even, shuttle = kinds["even"].series, kinds["shuttle"].series
    assert shuttle.times.shape == (6, 30)
    mask = kinds["even"].truth.masks["tissue"].copy()
    mask[:, :, :-1] = False
    smooth = np.array([np.interp(shuttle.times[-1], even.times, c) for c in even.curves(mask)])
    difference = np.abs(smooth - shuttle.curves(mask)).mean()
    assert difference < 0.8  # rounding and linear interpolation only
    assert difference < np.abs(even.curves(mask) - shuttle.curves(mask)).mean()
