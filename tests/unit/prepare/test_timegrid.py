"""Uneven and per-slice clocks become one even clock, without inventing samples."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe, BadTimes
from bolus.core.grid import Grid
from bolus.core.series import Voxels
from bolus.core.units import Modality, Unit
from bolus.prepare import even_grid

GRID = Grid((3, 4, 2), np.diag([-1.0, -1.0, 5.0, 1.0]))


def voxels(times, value, mask=None):
    """Each voxel's curve is `value(its own times)`."""
    times = np.asarray(times, dtype=float)
    mask = np.ones(GRID.shape, bool) if mask is None else mask
    slices = np.nonzero(mask)[2]
    own = times[slices] if times.ndim == 2 else np.broadcast_to(times, (slices.size, times.size))
    return Voxels(value(own).astype(np.float32), times, mask, GRID, Modality.CT, Unit.HU)


def test_an_even_clock_is_left_alone():
    some = voxels(np.arange(10) * 2.0, np.sin)

    assert even_grid(some) is some
    assert even_grid(some, dt=2.0) is some


def test_ramps_are_exact_on_an_uneven_clock():
    some = voxels(np.concatenate([np.arange(10) * 1.5, 13.5 + 3.0 * np.arange(1, 8)]), lambda t: 5 - 0.7 * t)

    even = even_grid(some)

    assert even.is_even
    np.testing.assert_allclose(np.diff(even.times), 1.0)
    np.testing.assert_allclose(even.curves, 5 - 0.7 * np.tile(even.times, (24, 1)), rtol=1e-5, atol=1e-5)
    assert "1 s grid" in even.steps[-1]


def test_each_slice_is_read_by_its_own_clock():
    clocks = np.array([np.arange(12) * 3.0, np.arange(12) * 3.0 + 1.2])

    even = even_grid(voxels(clocks, lambda t: 2 * t + 1))

    assert even.times[0] == pytest.approx(1.2)
    assert even.times[-1] <= 33.0
    np.testing.assert_allclose(even.curves, 2 * np.tile(even.times, (24, 1)) + 1, rtol=1e-5)
    assert "its own clock" in even.steps[-1]


def test_slices_without_voxels_have_no_say():
    clocks = np.array([np.arange(12) * 1.0, np.arange(12) * 1.0 + 5.0])
    mask = np.ones(GRID.shape, bool)
    mask[..., 1] = False

    even = even_grid(voxels(clocks, lambda t: t, mask), dt=0.5)

    assert even.times[0] == 0.0
    assert even.times[-1] == 11.0


def test_equal_clocks_of_all_slices_become_one():
    clocks = np.tile(np.arange(8) * 2.0, (2, 1))
    some = voxels(clocks, np.cos)

    even = even_grid(some)

    np.testing.assert_array_equal(even.times, clocks[0])
    np.testing.assert_array_equal(even.curves, some.curves)


@pytest.mark.parametrize(("finest", "wanted"), [(0.2, 0.5), (0.7, 0.7), (1.5, 1.0)])
def test_the_step_is_the_finest_within_bounds(finest, wanted):
    times = np.cumsum([0.0, *([finest, 2.0] * 6)])

    assert np.diff(even_grid(voxels(times, lambda t: t)).times) == pytest.approx(wanted)


def test_a_wanted_step_resamples_an_even_clock():
    even = even_grid(voxels(np.arange(10) * 2.0, lambda t: t), dt=0.5)

    assert even.times.size == 37
    np.testing.assert_allclose(even.curves[0], even.times, atol=1e-5)


def test_samples_that_are_kept_keep_their_values():
    rng = np.random.default_rng(0)
    times = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 7.0])
    values = rng.normal(size=(24, 6))
    some = voxels(times, lambda _: values)

    even = even_grid(some)

    np.testing.assert_allclose(even.curves[:, [0, 1, 2, 3, 5, 7]], values, rtol=1e-6)


def test_a_curve_with_a_gap_stays_alone_in_it():
    some = voxels([0.0, 1.0, 2.0, 4.0, 5.0], lambda t: np.where(np.arange(24)[:, None] == 7, np.nan, t))

    even = even_grid(some)

    assert np.isnan(even.curves[7]).all()
    assert np.isfinite(np.delete(even.curves, 7, axis=0)).all()


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_an_absurd_step_is_refused(dt):
    with pytest.raises(BadRecipe):
        even_grid(voxels(np.arange(5.0), np.sin), dt=dt)


def test_too_little_time_is_refused():
    with pytest.raises(BadTimes, match="too little time"):
        even_grid(voxels([[0.0, 1.0, 2.0], [1.5, 2.5, 3.5]], np.sin))
    with pytest.raises(BadTimes, match="one frame"):
        even_grid(voxels([0.0], np.sin))
