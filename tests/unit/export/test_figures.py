import gc
import io
from dataclasses import replace

import matplotlib._pylab_helpers
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bolus.core.errors import BadRecipe
from bolus.core.maps import WINDOWS, Map
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve, Vessels
from bolus.export import draw_all, layout
from bolus.export.figures import (
    draw_map,
    draw_mismatch,
    draw_motion,
    draw_overview,
    draw_thresholds,
    draw_vessels,
)
from bolus.export.figures.style import BANDS, CORE, FAILED, HYPOPERFUSED, coloured, grey_window, table, window
from bolus.export.figures.thresholds import flow_levels, tmax_levels


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def count(image: np.ndarray, colour) -> int:
    return int((image == np.array(colour)).all(axis=-1).sum())


def columns_of(image: np.ndarray, colour) -> np.ndarray:
    return np.flatnonzero((image == np.array(colour)).all(axis=-1).any(axis=0))


def test_every_figure_of_the_layout_is_drawn(small_result) -> None:
    drawn = dict(draw_all(small_result))

    assert tuple(drawn) == layout.figure_names(small_result)
    assert all(pixels(png).shape[1] == 1600 for png in drawn.values())


def test_the_core_is_magenta_left_and_hypoperfusion_green_right(small_result) -> None:
    image = pixels(draw_mismatch(small_result, small_result.lesions))[84:-200]

    assert count(image, CORE) > 200
    assert columns_of(image, CORE).max() < 800 < columns_of(image, HYPOPERFUSED).min()


def test_a_lesion_in_the_right_half_lies_on_the_left_of_its_tile(make_result, small_result) -> None:
    k = 2
    one = np.zeros(small_result.grid.shape, np.bool_)
    one[:, :, k] = True
    brain = replace(small_result.brain, inside=small_result.brain.inside & one)

    image = pixels(draw_mismatch(make_result(brain=brain), small_result.lesions))[84:-200, :760]

    tile = np.flatnonzero(image.max(axis=(0, 2)) > 200)
    middle = (tile.min() + tile.max()) / 2
    assert columns_of(image, CORE).max() < middle


def test_without_a_core_the_page_is_still_drawn(small_result) -> None:
    nothing = np.zeros(small_result.grid.shape, np.bool_)
    lesions = replace(
        small_result.lesions,
        core=nothing,
        mismatch_ratio=float("inf"),
        reference={},
        side="none",
        midline=None,
    )

    image = pixels(draw_mismatch(small_result, lesions))

    assert count(image[84:-200], CORE) == 0
    assert draw_thresholds(small_result, lesions)


def test_bands_show_every_level_and_nest(small_result) -> None:
    level = tmax_levels(small_result, small_result.lesions)

    image = pixels(draw_thresholds(small_result, small_result.lesions))

    sizes = [int((level.beyond >= step).sum()) for step in range(1, 5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2] > 0
    assert all(count(image[-220:], colour) > 100 for colour in BANDS)


def test_relative_flow_counts_on_the_affected_side_only(small_result) -> None:
    level = flow_levels(small_result, small_result.lesions)

    place = small_result.grid.position_mm(np.argwhere(level.beyond > 0))
    assert place.shape[0] > 0
    assert (place[:, 0] > 0).all()


def test_lesions_that_are_withheld_have_no_pages(make_result, small_result) -> None:
    tmax = {"Tmax": small_result.maps["Tmax"]}
    names = [name for name, _ in draw_all(make_result(lesions=None, motion=None, maps=tmax))]

    assert names == ["maps", "map_Tmax", "vessels"]


def test_one_slice_is_drawn_large(make_result, small_result) -> None:
    k = slice(2, 3)
    grid = small_result.grid.with_shape((*small_result.grid.shape[:2], 1), small_result.grid.affine)
    cut = {n: Map(n, m.values[:, :, k].copy(), m.unit, grid) for n, m in small_result.maps.items()}
    brain, lesions = small_result.brain, small_result.lesions
    aif = replace(small_result.vessels.aif, voxels=small_result.vessels.aif.voxels * [1, 1, 0])
    one = make_result(
        grid=grid,
        maps=cut,
        underlay=small_result.underlay[:, :, k],
        brain=replace(
            brain, inside=brain.inside[:, :, k], tissue=brain.tissue[:, :, k], csf=brain.csf[:, :, k]
        ),
        lesions=replace(
            lesions,
            core=lesions.core[:, :, k],
            hypoperfused=lesions.hypoperfused[:, :, k],
            tissue=lesions.tissue[:, :, k],
        ),
        vessels=Vessels(aif),
    )

    image = pixels(draw_mismatch(one, one.lesions))

    assert draw_map(one, "Tmax")
    assert draw_vessels(one)
    assert np.ptp(columns_of(image[84:-200], CORE)) > 40


def test_an_artery_from_a_file_has_no_place(make_result, small_result) -> None:
    aif = small_result.vessels.aif
    given = VesselCurve("AIF", aif.times, aif.values, aif.unit, "from aif.csv")

    assert draw_vessels(make_result(vessels=Vessels(given)))


def test_voxels_without_a_number_are_grey(make_result, small_result) -> None:
    made = small_result.maps["CBF"]
    values = made.values.copy()
    values[10:22, 20:34, :] = np.nan
    broken = make_result(maps={"CBF": Map("CBF", values, made.unit, made.grid)})

    assert count(pixels(draw_map(broken, "CBF")), FAILED) > 500
    assert count(pixels(draw_map(small_result, "CBF")), FAILED) < 50


def test_maps_without_a_window_of_their_own_are_drawn(make_result, small_result) -> None:
    made = small_result.maps["Tmax"]
    result = make_result(
        maps={"delay": Map("delay", made.values, made.unit, made.grid)}, modality=Modality.MR
    )

    assert draw_overview(result, "cividis")
    assert layout.figure_names(result)[2:4] == ("maps", "map_delay")


def test_a_page_is_black_to_its_very_edge(small_result) -> None:
    image = pixels(draw_overview(small_result))

    assert image[[0, -1]].max() == image[:, [0, -1]].max() == 0


def test_windows_do_not_depend_on_the_values(small_result) -> None:
    made = small_result.maps["CBF"]
    brighter = Map("CBF", made.values * 9, made.unit, made.grid)
    relative = Map("CBV", made.values, Unit.RATIO, made.grid)

    assert window(made, Modality.CT) == window(brighter, Modality.CT) == WINDOWS["CBF"]
    assert window(relative, Modality.XA) == (0.0, 1.0)
    assert window(replace(relative, name="K2"), Modality.XA) == (0.0, 1.0)


def test_colours_rise_from_dark_to_red_and_nan_is_black() -> None:
    plane = np.array([[0.0, 0.5, 1.0, 2.0, np.nan]], np.float32)

    tile = coloured(plane, (0.0, 1.0), table("spectrum"))

    assert tile[0, 0].max() < 60
    assert tile[0, 2, 0] > 150 > tile[0, 2, 1]
    assert (tile[0, 2] == tile[0, 3]).all()
    assert (tile[0, 4] == 0).all()


def test_an_unknown_colour_table_is_refused(small_result) -> None:
    with pytest.raises(BadRecipe, match="spectrum, cividis, grey"):
        draw_map(small_result, "CBF", "jet")


def test_brightness_of_mr_follows_the_brain() -> None:
    low, high = grey_window(Modality.MR, np.linspace(100, 900, 1000))

    assert low == 0.0
    assert 880 < high <= 900
    assert grey_window(Modality.MR, np.array([np.nan])) == (0.0, 1.0)


def test_a_motion_page_takes_slices_with_their_own_clocks(make_result, small_result) -> None:
    per_slice = small_result.times[None, :] + 0.2 * np.arange(small_result.grid.shape[2])[:, None]

    assert draw_motion(make_result(times=per_slice), small_result.motion)


def test_same_result_same_bytes(small_result) -> None:
    assert draw_map(small_result, "CBV") == draw_map(small_result, "CBV")


def test_drawing_keeps_no_figure_alive(small_result) -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(o, Figure) for o in gc.get_objects())

    before = alive()
    for _ in range(2):
        draw_map(small_result, "CBF")
        draw_motion(small_result, small_result.motion)

    assert alive() <= before
    assert not matplotlib._pylab_helpers.Gcf.figs
