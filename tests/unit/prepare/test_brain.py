"""The brain is outlined on CT and MR, and its absence is said."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import NoBrain
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.prepare import find_brain


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def altered(series, change):
    frames = np.array(series.frames)
    change(frames)
    return replace(series, frames=frames)


def constant(value, modality=Modality.CT):
    grid = Grid((48, 48, 6), np.diag([-3.0, -3.0, 5.0, 1.0]))
    return Series(np.full((48, 48, 6, 4), value, np.float32), np.arange(4.0), grid, modality, Unit.HU)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"noise": 20.0},
        {"shape": (160, 192, 8), "spacing": (1.1, 1.1, 5.0), "n_frames": 3},
        {"shape": (80, 96, 3), "spacing": (2.2, 2.2, 10.0)},
        {"shape": (80, 96, 1)},
        {"modality": Modality.MR, "noise": 15.0},
        {"modality": Modality.MR, "noise": 60.0},
        {"modality": Modality.MR, "noise": 15.0, "shape": (80, 96, 1)},
    ],
    ids=str,
)
def test_the_inside_of_the_skull_is_found(head, changes):
    recipe = head(**changes)

    brain = find_brain(recipe.series())

    assert dice(brain.inside, recipe.inside()) >= 0.95
    assert brain.findings == ()


@pytest.mark.parametrize("modality", [Modality.CT, Modality.MR])
def test_tissue_leaves_out_fluid_and_the_rim(head, modality):
    recipe = head(modality=modality)

    brain = find_brain(recipe.series())

    ventricle = recipe.points()[1]
    deep = (np.abs(np.abs(ventricle[..., 0]) - 9) < 2) & (
        np.hypot(ventricle[..., 1] + 5, ventricle[..., 2] - 5) < 6
    )
    assert brain.csf[deep].mean() > 0.95
    assert not (brain.tissue & (brain.csf | ~brain.inside)).any()
    assert 0.6 < brain.tissue.sum() / brain.inside.sum() < 0.97


@pytest.mark.parametrize("shading", [0.0, 0.3])
def test_half_fluid_of_mr_is_no_tissue_under_coil_shading(head, shading):
    recipe = head(modality=Modality.MR, noise=15.0)
    plain = recipe.series()
    side = np.linspace(-1.0, 1.0, recipe.shape[0], dtype=np.float32)[:, None, None, None]

    shaded = find_brain(replace(plain, frames=plain.frames * (1.0 + shading * side)))

    clean = replace(recipe, noise=0.0).series().frame(0)
    fluid, grey = 900.0, 560.0
    assert shaded.tissue[clean > 0.8 * fluid + 0.2 * grey].mean() < 0.1
    deep_tissue = (np.abs(clean - 480.0) < 1) & recipe.inside()  # white matter
    assert shaded.tissue[deep_tissue].mean() > 0.97


def test_mr_without_bright_fluid_keeps_its_tissue(head):
    recipe = head(modality=Modality.MR, noise=15.0)
    series = altered(recipe.series(), lambda f: np.minimum(f, 590.0, out=f))

    brain = find_brain(series)

    assert brain.tissue.sum() > 0.6 * brain.inside.sum()


def test_calcium_is_inside_but_not_tissue(head):
    recipe = head()
    spot = (slice(50, 52), slice(40, 42), 4)

    brain = find_brain(altered(recipe.series(), lambda f: f.__setitem__(spot, 140.0)))

    assert brain.inside[spot].all()
    assert not brain.tissue[spot].any()


@pytest.mark.parametrize("outside", [np.nan, 0.0, -1024.0])
def test_a_skull_stripped_head_is_its_own_mask(head, outside):
    recipe = head()
    outer = ~recipe.inside()

    brain = find_brain(altered(recipe.series(), lambda f: f.__setitem__(outer, outside)))

    assert dice(brain.inside, recipe.inside()) >= 0.95
    assert [finding.code for finding in brain.findings] == ["NO_SKULL"]


def test_a_skull_stripped_mr_head_is_its_own_mask(head):
    recipe = head(modality=Modality.MR)
    outer = ~recipe.inside()

    brain = find_brain(altered(recipe.series(), lambda f: f.__setitem__(outer, 0.0)))

    assert dice(brain.inside, recipe.inside()) >= 0.95


def test_a_craniectomy_is_bounded_by_the_hull(head):
    recipe = head()
    series = recipe.series()

    def open_skull(frames):
        side = frames[:22, 30:66]
        side[side > 150] = 40.0

    brain = find_brain(altered(series, open_skull))

    assert dice(brain.inside, recipe.inside()) >= 0.95
    assert brain.findings[0].code == "SKULL_OPEN"


@pytest.mark.parametrize("value", [-1000.0, 0.0, 40.0, 500.0])
def test_frames_without_a_head_are_refused(value):
    series = constant(value)
    if value == 40.0:
        series = altered(series, lambda f: f.__setitem__((slice(0, 47),), -1000.0))

    with pytest.raises(NoBrain, match="no brain"):
        find_brain(series)


def test_noise_and_constants_are_not_an_mr_head():
    rng = np.random.default_rng(0)

    for values in (0.0, 300.0):
        with pytest.raises(NoBrain):
            find_brain(constant(values, Modality.MR))
    with pytest.raises(NoBrain):
        find_brain(
            altered(constant(0.0, Modality.MR), lambda f: f.__iadd__(np.abs(rng.normal(0, 9, f.shape))))
        )


def test_x_ray_projections_have_no_brain_to_outline():
    with pytest.raises(NoBrain, match="--mask"):
        find_brain(constant(1.0, Modality.XA))


def test_a_brain_that_is_a_small_part_of_the_head_is_reported(head):
    recipe = head(shape=(80, 96, 4))
    far = recipe.points()[1]
    hidden = recipe.inside() & (np.hypot(far[..., 0], far[..., 1]) > 28)

    brain = find_brain(altered(recipe.series(), lambda f: f.__setitem__(hidden, 600.0)))

    assert "MASK_SMALL" in [finding.code for finding in brain.findings]
