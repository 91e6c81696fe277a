"""What neighbours say of a voxel: delay and MTT, where its residue peaks, how far blur has drawn it."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.deconvolve.neighbours import (
    ARRIVAL_S,
    BLUR,
    allow_for_blur,
    lean_on_neighbours,
    read_with_neighbours,
)
from bolus.deconvolve.posterior import APART_S

SHAPE = (24, 24, 3)
MASK = np.ones(SHAPE, dtype=bool)
GRID = Grid(SHAPE, np.diag([2.0, 2.0, 6.0, 1.0]))


def estimate(flow: np.ndarray) -> Estimate:
    ones = np.ones(flow.size, dtype=np.float32)
    sd = {"flow": 0.1 * ones, "volume": 0.2 * ones, "mtt": 0.3 * ones, "delay": 0.4 * ones}
    return Estimate(flow=flow.ravel().astype(np.float32), tmax=ones, mtt=4 * ones, delay=ones, sd=sd)


def test_even_tissue_was_not_blurred():
    found = allow_for_blur(estimate(np.full(SHAPE, 0.5)), MASK, GRID)

    np.testing.assert_allclose(found.sd["flow"], 0.1, rtol=1e-4)
    np.testing.assert_allclose(found.sd["volume"], 0.2, rtol=1e-4)


def test_a_voxel_unlike_its_surroundings_may_be_far_off():
    flow = np.full(SHAPE, 0.5)
    flow[12, 12, 1] = 5.5

    sd = allow_for_blur(estimate(flow), MASK, GRID).sd

    peak = np.ravel_multi_index((12, 12, 1), SHAPE)
    assert 0.9 * BLUR * 5 < sd["flow"][peak] < BLUR * 5.1
    assert sd["volume"][peak] == pytest.approx(4 * sd["flow"][peak], rel=0.01)
    assert sd["flow"][0] == pytest.approx(0.1, rel=1e-3)


def test_times_keep_their_deviations():
    before = estimate(np.random.default_rng(0).random(SHAPE))

    after = allow_for_blur(before, MASK, GRID)

    assert after.sd["mtt"] is before.sd["mtt"]
    assert after.sd["delay"] is before.sd["delay"]


def test_unknown_neighbours_take_no_part():
    flow = np.full(SHAPE, 0.5)
    flow[12, 12, 1] = np.nan

    sd = allow_for_blur(estimate(flow), MASK, GRID).sd["flow"].reshape(SHAPE)

    assert np.isnan(sd[12, 12, 1])
    assert sd[12, 13, 1] == pytest.approx(0.1, rel=1e-3)


def test_methods_without_transit_times_are_refused():
    ones = np.ones(MASK.sum(), dtype=np.float32)
    for ask in (allow_for_blur, lean_on_neighbours):
        with pytest.raises(TypeError, match="only methods that fit"):
            ask(Estimate(flow=ones, tmax=ones), MASK, GRID)


def read(apart: np.ndarray, sd: float = 0.5) -> Estimate:
    """Return an estimate that expects a Tmax of 4 s everywhere and read it this far off [s]."""
    off = apart.ravel().astype(np.float32)
    ones = np.ones_like(off)
    deviation = np.sqrt(sd**2 + off**2)
    return Estimate(
        flow=ones, tmax=4 + off, mtt=ones, delay=ones, expected=4 + 0 * off, sd={"tmax": deviation}
    )


def test_what_all_neighbours_read_is_believed():
    found = read_with_neighbours(read(np.full(SHAPE, 1.0)), MASK, GRID)

    np.testing.assert_allclose(found.tmax, 5.0, rtol=1e-5)
    np.testing.assert_allclose(found.sd["tmax"] ** 2, 0.5**2 + 1.0 + ARRIVAL_S**2, rtol=1e-5)


def test_peaks_that_are_noise_are_not():
    noise = np.random.default_rng(0).choice([-APART_S, APART_S], SHAPE, p=[0.3, 0.7])

    found = read_with_neighbours(read(noise), MASK, GRID)

    assert np.abs(found.tmax - 4.0).max() < 0.35  # their mean is 0.6 s
    np.testing.assert_allclose(found.sd["tmax"], np.hypot(0.5, ARRIVAL_S), atol=0.1)


def test_an_unknown_tmax_stays_unknown_and_spoils_no_other():
    off = np.full(SHAPE, 1.0)
    off[12, 12, 1] = np.nan

    tmax = read_with_neighbours(read(off), MASK, GRID).tmax.reshape(SHAPE)

    assert np.isnan(tmax[12, 12, 1])
    assert tmax[12, 13, 1] == pytest.approx(5.0, rel=1e-5)


def test_methods_that_expect_nothing_are_refused():
    ones = np.ones(MASK.sum(), dtype=np.float32)

    with pytest.raises(TypeError, match="expect"):
        read_with_neighbours(Estimate(flow=ones, tmax=ones), MASK, GRID)


def test_far_neighbours_are_heard_in_even_tissue_and_near_ones_at_an_edge():
    rng = np.random.default_rng(1)
    shape = (48, 48, 1)
    delay = np.where(np.arange(48)[:, None, None] < 24, 0.0, 8.0) + rng.normal(0.0, 1.0, shape)
    ones = np.ones(delay.size, dtype=np.float32)
    found = Estimate(
        flow=ones,
        tmax=ones,
        mtt=4 * ones,
        delay=delay.ravel().astype(np.float32),
        sd={"delay": ones, "mtt": ones},
    )
    grid = Grid(shape, np.diag([2.0, 2.0, 6.0, 1.0]))

    _, half_precision = lean_on_neighbours(found, np.ones(shape, dtype=bool), grid)[:, :2].T

    variance = (-0.5 / half_precision).reshape(shape)[:, 24, 0]
    far = 0.5**2 + 1.0 / 16  # least spread, and the noise of sixteen voxels
    assert variance[4] == pytest.approx(far, rel=0.15)
    assert variance[8] < 1.0  # 32 mm away: beyond the near reach
    assert variance[24] > 4.0
