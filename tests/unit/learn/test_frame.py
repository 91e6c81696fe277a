"""Frames put images of any shape into a square and take answers back to where they belong."""

import numpy as np
import pytest

from bolus.learn.frame import Field, Frame, resampled


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


@pytest.mark.parametrize(
    ("shape", "spacing", "centre"),
    [((96, 120), (2.0, 1.6), (50.0, 57.5)), ((300, 280), (0.7, 0.8), (140.0, 150.0))],
)
def test_a_field_covers_so_many_millimetres_of_any_pixels(shape, spacing, centre):
    """A ramp in millimetres is the same ramp in the square, and comes back to its own pixels."""
    field = Field(shape, spacing, centre, 160.0, 64)
    y, x = ((np.arange(n) - c) * s for n, c, s in zip(shape, centre, spacing, strict=True))
    ramp = (0.5 * y[:, None] + 0.25 * x[None, :]).astype(np.float32)

    square = field.put(ramp + 200.0) - 200.0

    mm = (np.arange(64) - 31.5) * 160.0 / 64
    wanted = 0.5 * mm[:, None] + 0.25 * mm[None, :]
    np.testing.assert_allclose(square[3:-3, 3:-3], wanted[3:-3, 3:-3], atol=0.2)
    back = field.take(square)
    inside = (np.abs(y)[:, None] < 75) & (np.abs(x)[None, :] < 75)
    np.testing.assert_allclose(back[inside], ramp[inside], atol=0.3)
    assert np.isnan(back[np.abs(y)[:, None] + 0 * x > 82]).all()


def test_what_lies_beyond_the_image_is_zero():
    square = Field((40, 40), (2.0, 2.0), (19.5, 19.5), 160.0, 80).put(np.ones((40, 40), np.float32))
    assert square[19, 40] == 0
    assert square[21:59, 21:59].min() == 1
    assert square.sum() == pytest.approx(1600)
