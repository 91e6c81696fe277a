"""What a result holds: how far a head moved, on the clock of the contrast, and a line about each part."""

import numpy as np

from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.result import SKULL_MM, MotionTrace
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve


def _trace():
    parameters = np.zeros((4, 6))
    parameters[2:, 0], parameters[3, 5] = 2.0, 3.0
    return MotionTrace(parameters, "first")


def test_the_way_is_read_between_frames_and_kept_beyond_them():
    at = np.array([-1.0, 1.0, 3.0, 4.0, 5.0, 9.0])
    way = _trace().way_mm(np.array([0.0, 2.0, 4.0, 6.0]), at)
    np.testing.assert_allclose(way[:, 0], [0.0, 0.0, 1.0, 2.0, 2.0, 2.0])
    np.testing.assert_allclose(way[:, 5], SKULL_MM * np.radians([0.0, 0.0, 0.0, 0.0, 1.5, 3.0]))
    np.testing.assert_array_equal(way[:, 1:5], 0.0)


def test_slices_with_clocks_of_their_own_share_one_way():
    clock = np.array([0.0, 2.0, 4.0, 6.0])
    own = clock + np.array([[-0.5], [0.0], [0.5]])
    at = np.linspace(0.0, 6.0, 13)
    np.testing.assert_allclose(_trace().way_mm(own, at), _trace().way_mm(clock, at))


def test_arrays_are_shown_in_a_line():
    grid, times = Grid((4, 5, 2), np.eye(4)), np.arange(3) * 1.5
    series = Series(np.zeros((4, 5, 2, 3), np.int16), times, grid, Modality.CT, Unit.HU)
    values = np.full(grid.shape, np.nan, np.float32)
    assert repr(Map("MTT", values, Unit.SECOND, grid)) == "<MTT [s], 4 x 5 x 2 voxels, 0 with a value>"
    values = values.copy()
    values[0, 0] = 4.25
    aif = VesselCurve("AIF", times, np.array([0.0, 250.0, 90.0]), Unit.HU, "a file")

    assert repr(series) == "<CT series, 4 x 5 x 2 voxels, 3 frames over 3.0 s [HU]>"
    assert repr(Map("MTT", values, Unit.SECOND, grid)).endswith("2 with a value, median 4.25>")
    assert repr(aif) == "<AIF, peak 250 HU at 1.5 s, a file>"
