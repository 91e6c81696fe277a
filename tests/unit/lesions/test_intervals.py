"""How sure volumes are, from the standard deviations of maps."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.lesions import ErrorModel, find_lesions, volume_intervals, with_intervals
from bolus.lesions.labels import SPANS
from bolus.lesions.sampling import draw_errors, smooth_noise

N = 30


@pytest.fixture(scope="module")
def small(make_head):
    return make_head(shape=(56, 56, 6), spacing=(3.6, 3.6, 14.0))


def soft(head, part, **values):
    """Maps whose lesions have soft edges, with deviations of a part of each value (times: of 8 s)."""
    from scipy import ndimage

    made = {}
    for name, one in head.maps(**values).items():
        blurred = ndimage.gaussian_filter(np.nan_to_num(one.values), (1.5, 1.5, 0.5))
        weight = ndimage.gaussian_filter(head.brain.inside.astype(float), (1.5, 1.5, 0.5))
        array = np.where(head.brain.inside, blurred / np.maximum(weight, 1e-3), np.nan).astype(np.float32)
        sd = part * (array if name in {"CBF", "CBV", "MTT"} else 8.0) * np.ones_like(array)
        made[name] = replace(one, values=array, sd=sd.astype(np.float32))
    return made


def sure(head, maps, seed=0, rule="rapid", **options):
    found, _ = find_lesions(maps, head.brain, head.underlay, rule=rule)
    rng = np.random.default_rng(seed)
    return found, volume_intervals(maps, head.brain, found, rng=rng, **{"n_samples": N, **options})


def width(intervals, name):
    low, high = intervals.volumes_ml[name]
    return high - low


def test_without_error_each_interval_is_its_volume(small):
    found, intervals = sure(small, soft(small, 0.0))

    for name, bounds in intervals.volumes_ml.items():
        known = found.mismatch_ml if name == "mismatch" else found.volumes_ml[name]
        assert bounds == (known, known), name
    assert max(intervals.sd_ml.values()) < 1e-9
    np.testing.assert_array_equal(intervals.chance["core"] == 1, found.core)
    np.testing.assert_array_equal(intervals.chance["hypoperfused"] == 1, found.hypoperfused)


def test_larger_errors_make_wider_intervals(small):
    widths = [
        [width(sure(small, soft(small, part))[1], name) for name in ("core", "hypoperfused", "mismatch")]
        for part in (0.05, 0.15, 0.4)
    ]

    assert (np.diff(np.array(widths), axis=0) > 0).all()


def test_errors_that_all_voxels_share_do_not_average_out(small):
    maps = soft(small, 0.2)
    alone, shared = (
        sure(small, maps, model=ErrorModel(common=part, bias_flow=0.0, bias_time_s=0.0))[1]
        for part in (0.0, 0.5)
    )

    for name in ("core", "hypoperfused"):
        assert width(shared, name) > 2 * width(alone, name)


def test_each_interval_holds_its_volume_and_covers_what_is_reported(small):
    found, intervals = sure(small, soft(small, 0.3))

    assert set(found.volumes_ml) - set(intervals.volumes_ml) == {"cbf<20%", "cbf<34%", "cbf<38%"}
    for name, (low, high) in intervals.volumes_ml.items():
        known = found.mismatch_ml if name == "mismatch" else found.volumes_ml[name]
        assert low <= known <= high
    assert intervals.level == 0.9
    assert intervals.n_samples == N


def test_what_noise_makes_of_healthy_tissue_may_be_nothing(small):
    healthy = {name: (one,) * 3 for name, one in (("CBF", 40.0), ("CBV", 3.0), ("MTT", 4.5), ("Tmax", 4.0))}
    noise = smooth_noise(small.brain.inside.shape, [1.0, 1.0, 0.3], np.random.default_rng(5))
    maps = soft(small, 0.1, **healthy)
    tmax = replace(maps["Tmax"], values=maps["Tmax"].values + np.float32(1.5) * noise)
    maps["Tmax"] = replace(tmax, sd=np.full_like(tmax.values, 1.5))

    found, intervals = sure(small, maps)

    assert found.volumes_ml["hypoperfused"] > 5.0
    assert intervals.volumes_ml["hypoperfused"][0] == 0.0


def test_chances_are_between_0_and_1_in_brain_tissue_and_nowhere_else(small):
    _, intervals = sure(small, soft(small, 0.3))

    for chance in intervals.chance.values():
        assert chance.dtype == np.float32
        assert chance.shape == small.grid.shape
        np.testing.assert_array_equal(np.isfinite(chance), small.brain.tissue)
        inside = chance[small.brain.tissue]
        assert inside.min() == 0.0
        assert 0.9 < inside.max() <= 1.0
        assert ((inside > 0) & (inside < 1)).any()


def test_equal_seeds_give_equal_intervals_and_others_similar_ones(small):
    maps = soft(small, 0.2)
    (_, first), (_, again), (_, other) = (sure(small, maps, seed) for seed in (0, 0, 1))

    assert dict(first.volumes_ml) == dict(again.volumes_ml)
    np.testing.assert_array_equal(first.chance["core"], again.chance["core"])
    assert dict(first.volumes_ml) != dict(other.volumes_ml)
    for name in ("core", "hypoperfused"):
        assert width(other, name) == pytest.approx(width(first, name), rel=0.5)


@pytest.mark.parametrize("axes", [(0,), (1, 2)])
def test_flipping_the_grid_changes_bounds_by_no_more_than_another_seed(small, axes):
    maps = soft(small, 0.2)
    turn = np.eye(4)
    for i in axes:
        turn[i, i], turn[i, 3] = -1.0, small.grid.shape[i] - 1
    grid = Grid(small.grid.shape, small.grid.affine @ turn)

    def flipped(array):
        return np.flip(array, axes).copy()

    turned = {n: Map(n, flipped(m.values), m.unit, grid, flipped(m.sd)) for n, m in maps.items()}
    brain = Brain(*(flipped(m) for m in (small.brain.inside, small.brain.tissue, small.brain.csf)))
    _, straight = sure(small, maps, n_samples=100)
    found, _ = find_lesions(turned, brain, flipped(small.underlay))
    other = volume_intervals(turned, brain, found, rng=np.random.default_rng(0), n_samples=100)

    for name in ("core", "hypoperfused"):
        spread = straight.sd_ml[name]
        np.testing.assert_allclose(other.volumes_ml[name], straight.volumes_ml[name], atol=spread)


def test_the_order_of_the_maps_does_not_matter(small):
    maps = soft(small, 0.2)

    _, straight = sure(small, maps)
    _, other = sure(small, dict(reversed(maps.items())))

    assert dict(other.volumes_ml) == dict(straight.volumes_ml)


def test_maps_without_deviations_have_no_intervals(small):
    maps = small.maps()

    found, intervals = sure(small, maps)

    assert intervals is None
    assert with_intervals(maps, small.brain, found, rng=np.random.default_rng(0)) is found


@pytest.mark.parametrize(
    ("rule", "unknown"),
    [("rapid", "Tmax"), ("rapid", "CBF"), ("syngo", "CBV"), ("mistar", "delay"), ("vitrea_svd", "TTP")],
)
def test_a_map_without_deviations_leaves_no_intervals_rather_than_narrow_ones(small, rule, unknown):
    maps = soft(small, 0.3)
    maps[unknown] = replace(maps[unknown], sd=None)

    _, intervals = sure(small, maps, rule=rule)

    assert intervals is None


@pytest.mark.parametrize("rule", ["vitrea_bayes", "vitrea_svd"])
def test_times_whose_errors_have_no_model_leave_no_intervals(small, rule):
    _, intervals = sure(small, soft(small, 0.3), rule=rule)

    assert intervals is None


@pytest.mark.parametrize("rule", ["mistar", "syngo", "philips", "cbf38"])
def test_every_kind_of_rule_can_be_sampled(small, rule):
    found, intervals = sure(small, soft(small, 0.2), rule=rule)

    assert width(intervals, "core") > 0
    assert intervals.volumes_ml["core"][0] <= found.volumes_ml["core"]


def test_voxels_without_a_deviation_or_a_value_are_no_trouble(small):
    maps = soft(small, 0.2)
    holes = np.random.default_rng(0).random(small.grid.shape) < 0.05
    for name in ("CBF", "Tmax"):
        one = maps[name]
        sd = np.where(holes, np.nan, one.sd).astype(np.float32)
        values = np.where(holes & (small.x > 50), np.nan, np.where(holes, 0.0, one.values))
        maps[name] = replace(one, values=values.astype(np.float32), sd=sd)

    found, intervals = sure(small, maps)

    assert all(np.isfinite(bounds).all() for bounds in intervals.volumes_ml.values())
    assert width(intervals, "core") < 3 * found.volumes_ml["core"]


def test_labels_say_where_the_interval_spans_their_limit(small):
    maps = soft(small, 0.3)
    found, _ = find_lesions(maps, small.brain, small.underlay)

    made = with_intervals(maps, small.brain, found, rng=np.random.default_rng(0))

    assert [label.met for label in made.labels] == [label.met for label in found.labels]
    assert made.intervals is not None
    low, high = made.intervals.volumes_ml["cbf<30%"]
    for label in made.labels:
        if label.trial.startswith("SELECT2"):
            assert (SPANS in label.text) == (low < 50 <= high)
    assert "percentiles" in made.methods[-1]


def test_shared_errors_are_even_and_fields_have_unit_variance():
    rng = np.random.default_rng(0)

    draws = list(draw_errors((4, 5, 6), 50, rng))
    field = smooth_noise((40, 40, 8), [2.0, 2.0, 0.5], rng)

    for kind in ("flow", "time", "volume"):
        values = [draw.shared[kind] for draw in draws]
        assert np.mean(values) == pytest.approx(0.0, abs=1e-6)
        assert np.std(values) == pytest.approx(1.0, abs=0.05)
    assert np.std(field) == pytest.approx(1.0, abs=1e-5)
    assert np.corrcoef(field[:-1].ravel(), field[1:].ravel())[0, 1] > 0.9
