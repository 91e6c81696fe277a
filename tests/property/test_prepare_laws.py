"""Laws of the prepare stage."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bolus.core.grid import Grid
from bolus.core.series import Voxels
from bolus.core.units import Modality, Unit
from bolus.prepare import METHODS, even_grid, smooth
from bolus.prepare.pose import from_parameters, inverted, numbered, parameters, twist_matrix

LIGHT = settings(max_examples=8, deadline=None)
GRID = Grid((7, 6, 3), np.diag([-1.1, -1.3, 4.0, 1.0]))


def noise(seed, n_times=6, times=None):
    rng = np.random.default_rng(seed)
    mask = rng.random(GRID.shape) > 0.2
    curves = rng.normal(40, 15, (int(mask.sum()), n_times)).astype(np.float32)
    return Voxels(
        curves, np.arange(n_times) * 1.0 if times is None else times, mask, GRID, Modality.CT, Unit.HU
    )


@LIGHT
@given(seed=st.integers(0, 1000), method=st.sampled_from(sorted(METHODS)))
def test_filters_stay_within_the_range_of_each_frame(seed, method):
    some = noise(seed)

    filtered = smooth(some, method=method).curves

    assert (filtered >= some.curves.min(axis=0) - 1e-3).all()
    assert (filtered <= some.curves.max(axis=0) + 1e-3).all()


@LIGHT
@given(seed=st.integers(0, 1000), method=st.sampled_from(sorted(METHODS)), offset=st.floats(-200, 200))
def test_filters_commute_with_an_offset(seed, method, offset):
    some = noise(seed)

    moved = smooth(some.with_curves(some.curves + np.float32(offset), "moved"), method=method).curves

    np.testing.assert_allclose(moved, smooth(some, method=method).curves + offset, atol=0.05)


@LIGHT
@given(seed=st.integers(0, 1000), method=st.sampled_from(sorted(METHODS)))
def test_filters_commute_with_flips_of_the_volume(seed, method):
    some = noise(seed)
    volume = np.zeros((*GRID.shape, 6), np.float32)
    volume[some.mask] = some.curves
    mask = some.mask[::-1, :, ::-1]
    flipped = Voxels(volume[::-1, :, ::-1][mask], some.times, mask, GRID, Modality.CT, Unit.HU)

    back = np.zeros_like(volume)
    back[mask] = smooth(flipped, method=method).curves

    np.testing.assert_allclose(back[::-1, :, ::-1][some.mask], smooth(some, method=method).curves, atol=1e-3)


@LIGHT
@given(
    steps=st.lists(st.floats(0.3, 4.0), min_size=5, max_size=20),
    slope=st.floats(-5, 5),
    shift=st.floats(0.0, 1.0),
)
def test_ramps_survive_any_clock(steps, slope, shift):
    first = np.concatenate([[0.0], np.cumsum(steps)])
    clocks = np.stack([first, first + shift / 2, first + shift])
    some = noise(0, first.size, clocks)
    ramp = some.with_curves((slope * clocks[some.slices]).astype(np.float32), "ramp")

    even = even_grid(ramp, dt=0.25)

    assert even.is_even
    assert clocks[:, 0].max() <= even.times[0] + 1e-6  # clocks a microsecond apart are one
    assert even.times[-1] <= clocks[:, -1].min() + 1e-6
    np.testing.assert_allclose(even.curves, np.tile(slope * even.times, (len(ramp.curves), 1)), atol=2e-3)


@LIGHT
@given(twist=st.lists(st.floats(-15, 15), min_size=6, max_size=6))
def test_parameters_describe_the_pose(twist):
    pose = twist_matrix(np.array(twist))
    x, y, z = np.deg2rad(parameters(pose)[3:])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])

    np.testing.assert_allclose(about_z @ about_x @ about_y, pose[:3, :3], atol=1e-12)
    np.testing.assert_allclose(inverted(pose) @ pose, np.eye(4), atol=1e-12)


@LIGHT
@given(twist=st.lists(st.floats(-15, 15), min_size=6, max_size=6))
def test_a_pose_comes_back_from_its_parameters(twist):
    pose = twist_matrix(np.array(twist))

    np.testing.assert_allclose(from_parameters(parameters(pose)), pose, atol=1e-12)


@LIGHT
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_poses_are_numbered_as_they_come_and_known_again(order, seed):
    rng = np.random.default_rng(seed)
    poses = np.array([[4.0 * k, 0.0, 0.0, 0.0, 0.0, 2.0 * k] for k in range(4)])

    which = numbered(poses[order] + rng.uniform(-0.1, 0.1, (len(order), 6)))

    first_seen = list(dict.fromkeys(order))
    assert which.tolist() == [first_seen.index(k) for k in order]
