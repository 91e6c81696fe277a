from itertools import product

import numpy as np
import pytest

from bolus.core.grid import canonical, turn_canonical
from bolus.export.figures.view import choose_slices, crop, find_view, fit, tint

AXIAL, CORONAL, SAGITTAL = (0, 1, 2), (0, 2, 1), (1, 2, 0)
SIGNS = list(product((1, -1), repeat=3))


def with_spot(axes, signs, towards) -> tuple:
    """Make a volume in a stored orientation with a spot towards a patient direction (RAS)."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for i, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, i] = 2.0 * sign
    grid = canonical((9, 9, 9), affine, keep_slices=True)
    centre = grid.position_mm((4, 4, 4))
    index = tuple(np.round(grid.index_of(centre + 6.0 * np.array(towards))).astype(int))
    volume = np.zeros(grid.shape, np.float32)
    volume[index] = 1
    assert turn_canonical(np.zeros((9, 9, 9)), grid).shape == grid.shape
    return grid, volume, index


def shown_at(grid, volume, index) -> tuple[int, int]:
    plane = find_view(grid).show(volume, index[2])
    row, column = np.unravel_index(np.argmax(plane), plane.shape)
    return int(row), int(column)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize(
    ("axes", "towards", "side"),
    [
        (AXIAL, (1, 0, 0), "left"),
        (AXIAL, (0, 1, 0), "top"),
        (CORONAL, (1, 0, 0), "left"),
        (CORONAL, (0, 0, 1), "top"),
        (SAGITTAL, (0, 1, 0), "left"),
        (SAGITTAL, (0, 0, 1), "top"),
    ],
)
def test_slices_are_shown_as_radiologists_read_them(signs, axes, towards, side) -> None:
    row, column = shown_at(*with_spot(axes, signs, towards))

    assert (row, column) == ((4, 1) if side == "left" else (1, 4))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize(
    ("axes", "plane", "edges"),
    [
        (AXIAL, "axial", ("R", "L", "A", "P")),
        (CORONAL, "coronal", ("R", "L", "S", "I")),
        (SAGITTAL, "sagittal", ("A", "P", "S", "I")),
    ],
)
def test_edges_carry_the_right_letters(signs, axes, plane, edges) -> None:
    grid, _, _ = with_spot(axes, signs, (1, 0, 0))

    view = find_view(grid)

    assert (view.plane, view.edges) == (plane, edges)


def test_a_steep_tilt_is_called_oblique() -> None:
    angle = np.deg2rad(35)
    affine = np.eye(4)
    affine[:3, :3] = np.array(
        [[-1, 0, 0], [0, -np.cos(angle), -np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]]
    )

    view = find_view(canonical((8, 8, 8), affine, keep_slices=True))

    assert view.plane == "oblique axial"
    assert view.edges[2] == "AS"


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("axes", [AXIAL, CORONAL, SAGITTAL])
def test_places_of_voxels_are_where_they_are_shown(signs, axes) -> None:
    grid, volume, index = with_spot(axes, signs, (0.6, 0.3, -0.6))

    place = find_view(grid).place(np.array([index]), grid.shape)

    assert tuple(place[0]) == shown_at(grid, volume, index)


def test_tiles_keep_true_proportions() -> None:
    grid = canonical((40, 20, 3), np.diag([-1.0, -3.0, 5.0, 1.0]))
    sampler = fit(find_view(grid), (0, 20, 0, 40), 300, 300)

    assert sampler.size == (300, 200)


def test_sampling_keeps_a_constant_and_never_spreads_nan() -> None:
    grid = canonical((30, 30, 1), np.diag([-1.0, -1.0, 5.0, 1.0]))
    sampler = fit(find_view(grid), (0, 30, 0, 30), 71, 71)
    volume = np.full(grid.shape, 7.0, np.float32)
    volume[:15] = np.nan

    tile = sampler.values(volume, 0)

    np.testing.assert_allclose(tile[:, 40:], 7.0, rtol=1e-5)
    assert np.isnan(tile[:, :30]).all()


def test_a_mask_keeps_its_area_when_it_is_enlarged() -> None:
    grid = canonical((40, 40, 1), np.diag([-1.0, -1.0, 5.0, 1.0]))
    mask = np.zeros(grid.shape, np.bool_)
    mask[10:25, 5:30] = True

    shown = fit(find_view(grid), (0, 40, 0, 40), 200, 200).mask(mask, 0)

    assert shown.mean() == pytest.approx(mask.mean(), rel=0.03)


def test_slices_are_chosen_evenly_among_those_with_tissue() -> None:
    tissue = np.zeros((4, 4, 40), np.bool_)
    tissue[:, :, 5:35] = True

    assert choose_slices(tissue, 4) == (5, 15, 24, 34)
    assert choose_slices(tissue, 99) == tuple(range(5, 35))
    assert choose_slices(np.zeros((4, 4, 3), np.bool_), 9) == (0, 1, 2)


def test_cropping_keeps_the_head_and_leaves_the_air() -> None:
    grid = canonical((100, 80, 2), np.diag([-2.0, -2.0, 5.0, 1.0]))
    inside = np.zeros(grid.shape, np.bool_)
    inside[30:70, 20:50] = True

    assert crop(find_view(grid), inside) == (13, 57, 23, 77)
    assert crop(find_view(grid), np.zeros(grid.shape, np.bool_)) == (0, 80, 0, 100)


def test_a_tint_is_solid_along_the_outline() -> None:
    tile = np.full((9, 9, 3), 100, np.uint8)
    where = np.zeros((9, 9), np.bool_)
    where[2:7, 2:7] = True

    tint(tile, where, (255, 0, 0), 0.5)

    assert tuple(tile[2, 4]) == (255, 0, 0)
    assert tuple(tile[4, 4]) == (177, 50, 50)
    assert tuple(tile[0, 0]) == (100, 100, 100)
