"""Frames put images of any shape into a square and take answers back to where they belong."""

import numpy as np
import pytest

from bolus.learn.frame import Frame, resampled


@pytest.mark.parametrize(
    ("shape", "side"), [((100, 100), 64), ((120, 60), 50), ((30, 40), 80), ((64, 64), 64)]
)
def test_what_is_put_in_comes_back(shape, side):
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    image = np.sin(x / shape[1] * 3) + np.cos(y / shape[0] * 2)
    frame = Frame(shape, side)

    square = frame.put(image.astype(np.float32))

    assert square.shape == (frame.square,) * 2
    assert frame.square % 16 == 0
    assert frame.square >= side
    back = frame.take(square)
    assert back.shape == shape
    assert np.abs(back - image)[3:-3, 3:-3].max() < 0.05


def test_a_frame_of_the_same_size_changes_nothing():
    image = np.random.default_rng(0).random((48, 48), dtype=np.float32)
    np.testing.assert_array_equal(Frame((48, 48), 48).put(image), image)


def test_shrinking_keeps_the_mean():
    image = np.random.default_rng(0).random((200, 200), dtype=np.float32)
    small = resampled(image, (50, 50))
    assert small.mean() == pytest.approx(image.mean(), abs=2e-3)
    assert small.std() < 0.5 * image.std()
