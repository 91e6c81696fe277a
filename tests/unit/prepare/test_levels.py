"""The levels of ASPECTS are found where the simulated head has them, or the slab decides and says so."""

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.grid import Grid
from bolus.phantom import ct
from bolus.prepare import find_brain, find_levels
from bolus.prepare.levels import vertex_mm

GANGLIONIC_MM, SUPRAGANGLIONIC_MM = 8.0, 33.0  # 68 and 43 mm below the vertex of the simulated head
NEAR_MM = 8.0


@pytest.fixture(scope="module")
def head():
    series = ct(shape=(96, 96, 16), n_frames=2, seed=3).series
    return find_brain(series), series.grid


def cut(head, first, last):
    brain, grid = head
    move = np.eye(4)
    move[2, 3] = first
    part = Grid((*grid.shape[:2], last - first), grid.affine @ move)
    return Brain(*(getattr(brain, name)[:, :, first:last] for name in ("inside", "tissue", "csf"))), part


def heights(grid, slices):
    return [grid.position_mm((48, 48, k))[2] for k in slices]


@pytest.mark.parametrize(
    ("first", "last", "how"), [(0, 16, "vertex"), (0, 12, "ventricles"), (2, 12, "ventricles")]
)
def test_levels_lie_where_the_head_has_them(head, first, last, how):
    brain, grid = cut(head, first, last)
    found = find_levels(brain, grid)
    assert found.how == how
    low, high = heights(grid, found.slices)
    assert low == pytest.approx(GANGLIONIC_MM, abs=NEAR_MM)
    assert high == pytest.approx(SUPRAGANGLIONIC_MM, abs=NEAR_MM)
    assert 20 <= high - low <= 30


def test_a_slab_that_shows_too_little_decides_by_itself(head):
    brain, grid = cut(head, 8, 16)
    found = find_levels(brain, grid)
    assert (found.how, found.slices) == ("slab", (2, 5))
    two = find_levels(*cut(head, 8, 10))
    assert two.slices == (0, 1)


def test_slices_from_head_to_foot_give_the_same_levels(head):
    brain, grid = head
    flipped = grid.affine @ np.diag([1.0, 1.0, -1.0, 1.0])
    flipped[:3, 3] += 15 * grid.affine[:3, 2]
    turned = Grid(grid.shape, flipped)
    masks = Brain(*(getattr(brain, name)[:, :, ::-1] for name in ("inside", "tissue", "csf")))
    found, again = find_levels(brain, grid), find_levels(masks, turned)
    assert again.slices == tuple(15 - k for k in found.slices)


def test_the_vertex_of_an_ellipsoid():
    z = np.arange(-20.0, 40.0, 4.0)
    radius = 30.0 * np.sqrt(1 - (z / 60.0) ** 2)
    x, y = np.meshgrid(np.arange(-40, 41), np.arange(-40, 41))
    inside = (np.hypot(x, y)[:, :, None] < radius) & (z > -100)
    assert vertex_mm(inside, z) is None  # the slab ends far below
    z = np.arange(-20.0, 52.0, 4.0)
    radius = 30.0 * np.sqrt(1 - (z / 60.0) ** 2)
    assert vertex_mm(np.hypot(x, y)[:, :, None] < radius, z) == pytest.approx(60.0, abs=2.0)


def test_somebody_who_knows_better_is_believed(head):
    found = find_levels(*head, given=(4, 9))
    assert (found.slices, found.how) == ((4, 9), "given")
    for given in ((4, 4), (3, 16), (-1, 2)):
        with pytest.raises(BadRecipe, match="no such levels"):
            find_levels(*head, given=given)
    with pytest.raises(BadInput, match="one slice"):
        find_levels(*cut(head, 3, 4))
