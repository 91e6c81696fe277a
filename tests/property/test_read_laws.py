"""What must hold for every clock and every hole."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bolus.core.grid import Grid, canonical, same_place, turn_canonical
from bolus.read.dicom.align import line_up
from bolus.read.dicom.clock import settle
from bolus.read.dicom.holes import fill, plan_repair
from bolus.read.dicom.images.dates import moment, over_midnight, time_of_day
from bolus.read.placement import place_onto

LAW = settings(max_examples=60, deadline=None)


@st.composite
def scans(draw):
    """Times of every slice at every frame, with a clock of its own a slice, and where images are missing."""
    n_slices, n_frames = draw(st.integers(1, 9)), draw(st.integers(8, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.sampled_from([(1.0, 1.0), (1.5, 3.0), (2.0, 2.6)]))
    frames = np.cumsum(np.r_[0, np.where(np.arange(n_frames - 1) < n_frames // 2, *steps)])
    slices = draw(st.sampled_from([0.0, 0.05, 0.3])) * steps[0] * rng.permutation(n_slices) / n_slices
    times = frames + slices[:, None] + rng.uniform(-0.02, 0.02, (n_slices, n_frames)) * steps[0]
    missing = rng.random(times.shape) < draw(st.sampled_from([0.0, 0.03, 0.08]))
    missing[:, 0] = missing[:, -1] = False
    missing[0, :] = False  # every frame is held by one slice at least
    return times, missing


@LAW
@given(scans())
def test_every_image_finds_its_frame_whatever_is_missing(scan):
    times, missing = scan
    present = [np.flatnonzero(~row) for row in missing]
    aligned = line_up([row[there] for row, there in zip(times, present, strict=True)])
    common = (~missing).mean(axis=0) >= 0.5
    assert aligned.table.shape[1] == int(common.sum())
    for k, there in enumerate(present):
        found = np.flatnonzero(aligned.table[k] >= 0)
        assert np.array_equal(there[aligned.table[k, found]], np.flatnonzero(common)[found])
        assert np.array_equal(aligned.times[k, found], times[k, np.flatnonzero(common)[found]])


@LAW
@given(scans())
def test_estimated_times_of_missing_images_increase(scan):
    times, missing = scan
    aligned = line_up([row[~gone] for row, gone in zip(times, missing, strict=True)])
    assert (np.diff(aligned.times, axis=1) > 0).all()


@LAW
@given(st.integers(2, 10), st.integers(10, 40), st.integers(0, 2**32 - 1))
def test_what_is_filled_is_linear_in_time(n_slices, n_frames, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(1, 3, (n_slices, n_frames)), axis=1)
    values = 10 * times[None, None]
    missing = np.zeros((n_slices, n_frames), dtype=bool)
    missing[rng.integers(n_slices), rng.integers(1, n_frames - 1)] = True
    repair = plan_repair(missing, "")
    frames = np.rint(np.where(missing, 0, values)).astype(np.int16)
    one, zero = np.ones(times.shape), np.zeros(times.shape)
    fill(frames, repair.fills, times, one, zero)
    assert len(repair.kept) == n_frames
    assert np.abs(frames - values).max() <= 1.01


@LAW
@given(st.integers(0, 86_399_999_999))
def test_times_of_day_survive_being_written(microseconds):
    whole, micro = divmod(microseconds, 1_000_000)
    text = f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{micro:06d}"
    assert abs(time_of_day(text) - microseconds / 1e6) < 1e-6
    assert abs(moment(f"20000101{text}") - microseconds / 1e6) < 1e-6


@LAW
@given(st.integers(0, 86_399), st.integers(2, 60), st.sampled_from([0.5, 1.0, 2.5]))
def test_midnight_changes_no_step(start, n_frames, step):
    true = start + step * np.arange(n_frames)
    carried = over_midnight(true % 86400)
    assert np.allclose(np.diff(carried), step)


@LAW
@given(scans())
def test_settled_times_start_at_zero(scan):
    times, _ = scan
    settled = settle(times)
    assert settled.min() == 0.0
    assert settled.shape in {times.shape, times.shape[1:]}


@LAW
@given(
    axes=st.sampled_from(list(permutations(range(3)))),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    shear=st.floats(-0.4, 0.4),
    keep_slices=st.booleans(),
)
def test_a_volume_in_any_stored_order_finds_its_grid(axes, flips, shear, keep_slices):
    affine = np.array([[0, 0, 2.0, 1], [1.5, 0, 0, 2], [0, -1, shear, 3], [0, 0, 0, 1]])
    grid = canonical((4, 5, 6), affine, keep_slices=keep_slices)
    values = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    stored, where = Grid(grid.shape, grid.affine, axes, flips).stored(values)
    own = place_onto(stored.shape, where, grid)
    assert same_place(own, grid)
    np.testing.assert_array_equal(turn_canonical(stored, own), values)
