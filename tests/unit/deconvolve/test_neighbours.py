"""What neighbours say of a voxel: how far blur may have drawn it."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.deconvolve.neighbours import BLUR, allow_for_blur, lean_on_neighbours

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
