"""Smoothing before the thresholds, tidying after them."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.units import Unit
from bolus.lesions.cleanup import clean, filled, median_in_plane, without_small, without_vessels

GRID = Grid((20, 20, 4), np.diag([-1.0, -1.0, 5.0, 1.0]))  # 5 uL a voxel


def empty():
    return np.zeros(GRID.shape, dtype=bool)


def test_a_lone_spike_is_smoothed_away_and_slices_do_not_mix():
    values = np.ones(GRID.shape, dtype=np.float32)
    values[5, 5, 1] = 90.0
    values[:, :, 2] = 7.0

    smooth = median_in_plane(values, np.ones(GRID.shape, dtype=bool))

    assert (smooth[:, :, :2] == 1).all()
    assert (smooth[:, :, 2] == 7).all()


def test_the_median_matches_numpy_where_neighbours_are_missing():
    rng = np.random.default_rng(0)
    values = rng.normal(size=GRID.shape).astype(np.float32)
    inside = rng.random(GRID.shape) < 0.8
    values[rng.random(GRID.shape) < 0.1] = np.nan

    smooth = median_in_plane(values, inside)

    known = np.where(inside, values, np.nan)
    for x, y, z in ((0, 0, 0), (7, 3, 1), (19, 10, 2), (12, 12, 3)):
        window = known[max(x - 1, 0) : x + 2, max(y - 1, 0) : y + 2, z]
        wanted = np.nanmedian(window) if inside[x, y, z] else np.nan
        np.testing.assert_allclose(smooth[x, y, z], wanted, rtol=1e-6)


def test_a_voxel_without_a_number_takes_its_neighbours_median_and_a_lonely_one_stays_empty():
    values = np.full(GRID.shape, 3.0, dtype=np.float32)
    values[4, 4, 0] = np.nan
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[2:7, 2:7, 0] = True
    inside[15, 15, 0] = True

    smooth = median_in_plane(values, inside)

    assert smooth[4, 4, 0] == 3.0
    assert np.isnan(smooth[15, 15, 0])
    assert np.isnan(smooth[0, 0, 0])


def test_infinite_values_are_no_numbers():
    values = np.full(GRID.shape, 3.0, dtype=np.float32)
    values[4, 3:6, 0] = np.inf

    assert (median_in_plane(values, np.ones(GRID.shape, dtype=bool)) == 3).all()


def blood(values, unit=Unit.VOLUME):
    return {"CBV": Map("CBV", values.astype(np.float32), unit, GRID)}


def test_vessels_have_over_8_ml_and_over_two_and_a_half_medians():
    values = np.full(GRID.shape, 3.0)
    values[0], values[1] = 7.9, 8.1
    tissue = np.ones(GRID.shape, dtype=bool)

    kept = without_vessels(tissue, blood(values))

    assert kept[0].all()
    assert not kept[1].any()
    assert without_vessels(tissue, blood(values + 1.0))[1].all()  # 9.1 is under 2.5 medians of 4


def test_relative_blood_volume_is_judged_by_the_median_alone():
    values = np.full(GRID.shape, 0.2)
    values[0] = 0.6

    assert not without_vessels(np.ones(GRID.shape, dtype=bool), blood(values, Unit.RATIO))[0].any()


def test_without_a_blood_volume_map_nothing_is_a_vessel():
    tissue = np.ones(GRID.shape, dtype=bool)

    assert without_vessels(tissue, {}).all()
    assert without_vessels(tissue, blood(np.full(GRID.shape, np.nan))).all()


def test_components_of_the_limit_stay_and_smaller_ones_go():
    mask = empty()
    mask[:10, :10, 0] = True  # 0.5 mL
    mask[12:, 12:20, 2] = True  # 0.32 mL

    kept = without_small(mask, GRID, 0.5)

    assert kept[:10, :10, 0].all()
    assert not kept[12:].any()


def test_corners_join_components():
    mask = empty()
    mask[0:5, 0:10, 0] = True
    mask[5:10, 10:20, 1] = True

    assert without_small(mask, GRID, 0.5).sum() == 100


def test_small_holes_are_filled_with_tissue_only_and_large_ones_stay():
    mask = empty()
    mask[1:19, 1:19, 1] = True
    mask[3:5, 3:5, 1] = False  # 0.02 mL
    mask[8:13, 8:13, 1] = False  # 0.125 mL
    tissue = np.ones(GRID.shape, dtype=bool)
    tissue[3, 3, 1] = False

    whole = filled(mask, GRID, tissue)

    assert whole[3:5, 3:5, 1].sum() == 3
    assert not whole[8:13, 8:13, 1].any()


def test_a_notch_is_no_hole():
    mask = empty()
    mask[1:10, 1:10, 0] = True
    mask[1, 5, 0] = False

    np.testing.assert_array_equal(filled(mask, GRID, np.ones(GRID.shape, dtype=bool)), mask)


def test_an_empty_mask_stays_empty():
    assert not clean(empty(), GRID, ~empty(), min_lesion_ml=1.0).any()


def test_volumes_use_the_spacing_of_slices():
    mask = empty()
    mask[:10, :10, 0] = True
    thick = Grid(GRID.shape, np.diag([-1.0, -1.0, 10.0, 1.0]))

    assert without_small(mask, thick, 1.0).any()
    assert not without_small(mask, GRID, 1.0).any()
    assert GRID.voxel_ml == pytest.approx(0.005)
