"""How far a head moved, on the clock of the contrast."""

import numpy as np

from bolus.core.result import SKULL_MM, MotionTrace


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
