"""A series checks itself at birth and gives values, whatever it stores."""

import numpy as np
import pytest

from bolus.core.errors import BadTimes, ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.series import Concentration, Series, scatter
from bolus.core.units import Modality, Unit

GRID = Grid((2, 3, 4), np.eye(4))
TIMES = np.arange(5.0)


def stored_series(**changes: object) -> Series:
    frames = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    given = {"frames": frames, "times": TIMES, "grid": GRID, "modality": Modality.CT, "unit": Unit.HU}
    return Series(**(given | changes))


def test_frame_applies_slope_and_intercept() -> None:
    series = stored_series(slope=2.0, intercept=-1024.0)
    np.testing.assert_array_equal(series.frame(1), series.frames[..., 1] * 2.0 - 1024.0)


def test_slope_may_differ_by_slice_and_time() -> None:
    slope = np.arange(20, dtype=np.float32).reshape(4, 5)
    series = stored_series(slope=slope)
    everywhere = np.ones(GRID.shape, dtype=bool)

    whole = series.frames * slope
    np.testing.assert_array_equal(series.frame(3), whole[..., 3])
    np.testing.assert_array_equal(series.curves(everywhere), whole[everywhere])


def test_mean_averages_the_frames_asked_for() -> None:
    series = stored_series()
    np.testing.assert_allclose(series.mean(1, 3), series.frames[..., 1:3].mean(axis=-1))


def test_curves_follow_the_masks_order() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[1, 2, 3] = mask[0, 1, 0] = True
    voxels = stored_series().within(mask)
    np.testing.assert_array_equal(voxels.curves, stored_series().frames[mask])
    np.testing.assert_array_equal(voxels.slices, [0, 3])


def test_frames_are_locked_but_the_callers_array_is_not() -> None:
    frames = np.zeros((2, 3, 4, 5), dtype=np.float32)
    series = stored_series(frames=frames)
    with pytest.raises(ValueError, match="read-only"):
        series.frames[0, 0, 0, 0] = 1.0
    frames[0, 0, 0, 0] = 1.0


@pytest.mark.parametrize("times", [[0, 1, 1, 2, 3], [0, 2, 1, 3, 4], [0, 1, np.nan, 3, 4]])
def test_times_must_increase(times: list[float]) -> None:
    with pytest.raises(BadTimes, match="--dt"):
        stored_series(times=np.array(times))


def test_times_must_fit() -> None:
    with pytest.raises(ShapeMismatch, match="frame times"):
        stored_series(times=np.arange(4.0))


def test_each_slice_may_have_its_own_clock() -> None:
    times = TIMES[None, :] + np.arange(4.0)[:, None] / 10
    series = stored_series(times=times)
    assert not series.is_even
    assert series.median_dt == pytest.approx(1.0)


def test_even_is_one_per_cent() -> None:
    assert stored_series(times=np.array([0, 1.004, 2, 3, 4])).is_even
    assert not stored_series(times=np.array([0, 1.05, 2, 3, 4])).is_even


def test_concentration_refuses_an_uneven_clock() -> None:
    with pytest.raises(BadTimes, match="even"):
        Concentration(
            curves=np.zeros((24, 5), dtype=np.float32),
            times=np.array([0.0, 1.0, 2.0, 4.0, 8.0]),
            mask=np.ones(GRID.shape, dtype=bool),
            grid=GRID,
            modality=Modality.CT,
            unit=Unit.HU,
            baseline=(0, 2),
            noise=1.0,
        )


def test_an_emptied_concentration_keeps_its_noise_and_no_curves() -> None:
    everywhere = np.ones(GRID.shape, dtype=bool)
    curves = np.ones((24, 5), dtype=np.float32)
    whole = Concentration(curves, TIMES, everywhere, GRID, Modality.CT, Unit.HU, baseline=(0, 2), noise=1.5)

    emptied = whole.emptied()

    assert emptied.noise == 1.5
    assert emptied.curves.shape == (0, 5)
    assert emptied.curves.base is not whole.curves.base


def test_scatter_fills_outside_with_nan() -> None:
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[1, 0, 1] = True
    volume = scatter(np.array([7.0]), mask)
    assert volume[1, 0, 1] == 7.0
    assert np.isnan(volume).sum() == 7


def test_with_frames_remembers_the_step() -> None:
    series = stored_series(slope=2.0)
    moved = series.with_frames(np.zeros((2, 3, 4, 5), dtype=np.float32), "motion: rigid")
    assert moved.steps == ("motion: rigid",)
    assert moved.slope == 1.0
