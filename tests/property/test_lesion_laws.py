"""Laws that lesions keep whatever the maps hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bolus.core.brain import Brain
from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.units import Unit
from bolus.lesions import RULES, find_lesions
from bolus.lesions.cleanup import clean

SHAPE = (36, 40, 6)
UNITS = {"CBF": Unit.FLOW, "CBV": Unit.VOLUME}
HEALTHY = {"CBF": 40.0, "CBV": 3.0, "MTT": 4.5, "Tmax": 2.0, "TTP": 6.0, "delay": 0.7}
SICK = {"CBF": 6.0, "CBV": 1.0, "MTT": 10.0, "Tmax": 9.0, "TTP": 14.0, "delay": 6.0}
RULE_KEYS = st.sampled_from(sorted(RULES))
SEEDS = st.integers(0, 10_000)
QUICK = settings(max_examples=5, deadline=None)


def grid_of(affine=None):
    if affine is None:
        affine = np.diag([-4.5, -4.5, 9.0, 1.0])
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return Grid(SHAPE, affine)


def study(seed):
    """A noisy stroke at random: maps, brain, underlay."""
    rng = np.random.default_rng(seed)
    grid = grid_of()
    x, y, z = np.moveaxis(grid.position_mm(np.moveaxis(np.indices(SHAPE), 0, -1)), -1, 0)
    inside = (x / 72) ** 2 + (y / 84) ** 2 < 1
    tissue = inside & ((x / 66) ** 2 + (y / 78) ** 2 < 1)
    side = rng.choice([-1.0, 1.0])
    size = rng.uniform(15, 40)
    sick = (side * x - 35) ** 2 + y**2 + z**2 < size**2
    maps = {}
    for name, healthy in HEALTHY.items():
        values = np.where(sick, SICK[name], healthy) * (1 + 0.25 * rng.standard_normal(SHAPE))
        values[rng.random(SHAPE) < 0.01] = np.nan
        values = np.where(inside, values, np.nan).astype(np.float32)
        maps[name] = Map(name, values, UNITS.get(name, Unit.SECOND), grid)
    underlay = np.where(inside, 35.0, np.where((x / 80) ** 2 + (y / 92) ** 2 < 1, 900.0, -1000.0))
    return maps, Brain(inside, tissue, inside & ~tissue), underlay.astype(np.float32)


@QUICK
@given(SEEDS, RULE_KEYS)
def test_lesions_lie_in_tissue_and_core_keeps_to_its_rule(seed, rule):
    maps, brain, underlay = study(seed)

    lesions, _ = find_lesions(maps, brain, underlay, rule=rule)

    assert not (lesions.core & ~brain.tissue).any()
    assert not (lesions.hypoperfused & ~brain.tissue).any()
    if RULES[rule].core_inside_hypoperfused:
        assert not (lesions.core & ~lesions.hypoperfused).any()
    volumes = lesions.volumes_ml
    overlap = np.count_nonzero(lesions.core & lesions.hypoperfused) * maps["CBF"].grid.voxel_ml
    assert volumes["penumbra"] == pytest.approx(volumes["hypoperfused"] - overlap)
    assert all(np.isfinite(v) and v >= 0 for v in volumes.values())


@QUICK
@given(SEEDS, st.integers(1, SHAPE[0] - 1))
def test_volumes_add_over_a_split_mask(seed, cut):
    maps, brain, underlay = study(seed)
    grid = maps["CBF"].grid

    lesions, _ = find_lesions(maps, brain, underlay)

    parts = (lesions.hypoperfused[:cut].sum() + lesions.hypoperfused[cut:].sum()) * grid.voxel_ml
    assert lesions.volumes_ml["hypoperfused"] == pytest.approx(parts)


@QUICK
@given(SEEDS, st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_flipping_the_affine_with_the_arrays_changes_no_volume_and_no_side(seed, flips):
    maps, brain, underlay = study(seed)
    grid = maps["CBF"].grid
    axes = tuple(i for i, flip in enumerate(flips) if flip)
    turn = np.eye(4)
    for i in axes:
        turn[i, i], turn[i, 3] = -1.0, SHAPE[i] - 1
    turned_grid = grid_of(grid.affine @ turn)

    def flipped(array):
        return np.flip(array, axes).copy()

    turned_maps = {name: Map(name, flipped(one.values), one.unit, turned_grid) for name, one in maps.items()}
    turned_brain = Brain(flipped(brain.inside), flipped(brain.tissue), flipped(brain.csf))
    straight, _ = find_lesions(maps, brain, underlay)
    turned, _ = find_lesions(turned_maps, turned_brain, flipped(underlay))

    assert turned.side == straight.side
    for name, volume in straight.volumes_ml.items():
        assert turned.volumes_ml[name] == pytest.approx(volume, abs=3 * grid.voxel_ml)


@QUICK
@given(SEEDS, st.floats(0.1, 10.0))
def test_scaling_the_flow_changes_no_relative_lesion(seed, factor):
    maps, brain, underlay = study(seed)
    scaled = dict(maps)
    scaled["CBF"] = replace(maps["CBF"], values=maps["CBF"].values * np.float32(factor))

    straight, _ = find_lesions(maps, brain, underlay)
    other, _ = find_lesions(scaled, brain, underlay)

    differing = np.count_nonzero(straight.core != other.core)
    assert differing <= 1 + 0.001 * straight.core.sum()
    assert other.reference["CBF"] == pytest.approx(factor * straight.reference["CBF"], rel=1e-4)


@QUICK
@given(SEEDS)
def test_mirroring_the_patient_mirrors_the_side(seed):
    maps, brain, underlay = study(seed)
    mirrored = {name: replace(one, values=one.values[::-1].copy()) for name, one in maps.items()}

    straight, _ = find_lesions(maps, brain, underlay)
    other, _ = find_lesions(mirrored, brain, underlay[::-1].copy())

    swap = {"left": "right", "right": "left", "none": "none"}
    assert other.side == swap[straight.side]
    np.testing.assert_array_equal(other.hypoperfused, straight.hypoperfused[::-1])


@QUICK
@given(SEEDS, st.permutations(sorted(HEALTHY)))
def test_the_order_of_the_maps_does_not_matter(seed, order):
    maps, brain, underlay = study(seed)

    straight, _ = find_lesions(maps, brain, underlay)
    other, _ = find_lesions({name: maps[name] for name in order}, brain, underlay)

    assert dict(other.volumes_ml) == dict(straight.volumes_ml)


@QUICK
@given(SEEDS, st.floats(0.3, 0.9), st.floats(0.0, 5.0))
def test_cleaning_keeps_a_mask_inside_a_larger_one(seed, part, min_ml):
    rng = np.random.default_rng(seed)
    grid = grid_of()
    field = rng.random(SHAPE)
    tissue = rng.random(SHAPE) < 0.9

    small = clean(tissue & (field < 0.5 * part), grid, tissue, min_lesion_ml=min_ml)
    large = clean(tissue & (field < 0.5), grid, tissue, min_lesion_ml=min_ml)

    assert not (small & ~large).any()
    again = clean(large, grid, tissue, min_lesion_ml=min_ml)
    assert not (large & ~again).any()
