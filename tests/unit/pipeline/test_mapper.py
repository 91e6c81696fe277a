"""A run takes maps from a function that is handed in."""

from dataclasses import replace

import numpy as np
import pytest

from bolus import deconvolve, quantify
from bolus.core.errors import BadRecipe
from bolus.core.finding import Finding, Progress, Severity
from bolus.core.recipe import Recipe
from bolus.core.units import Modality
from bolus.core.vessel import VesselCurve
from bolus.phantom import ct
from bolus.pipeline import Mapped, Mapper, Scan, run

NOTICED = Finding("SEEN", Severity.WARN, "The function that was handed in was asked.", 1.0)


def physics(scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress) -> Mapped:
    estimate = deconvolve.deconvolve(scan.contrast, aif, method="csvd", progress=progress)
    return Mapped(quantify.make_maps(estimate, scan.contrast, aif, ttp_origin=recipe.ttp_origin), (NOTICED,))


@pytest.fixture(scope="module")
def study():
    return ct(shape=(48, 48, 3), n_frames=30, noise_hu=2.0)


def test_maps_and_findings_come_from_the_function(study) -> None:
    recipe = Recipe(method="mine", motion="none")

    found = run(study.series, recipe, mappers={"mine": Mapper(physics)})
    usual = run(study.series, replace(recipe, method="csvd"))

    assert NOTICED in found.findings
    assert found.recipe.method == "mine"
    np.testing.assert_array_equal(found.maps["CBF"].values, usual.maps["CBF"].values)


def test_frames_are_kept_only_for_a_function_that_takes_them(study) -> None:
    seen = {}

    def look(scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress) -> Mapped:
        seen[recipe.method] = scan.frames
        return physics(scan, aif, recipe, progress)

    mappers = {"without": Mapper(look), "with": Mapper(look, takes_frames=True)}
    for name in mappers:
        run(study.series, Recipe(method=name, motion="none"), mappers=mappers)

    assert seen["without"] is None
    assert seen["with"].frames.shape == study.series.frames.shape


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(method="other"), "mappers=bolus.learn.MAPPERS"),
        (Recipe(method="mri"), "MR"),
        (Recipe(method="mine", bootstrap=5), "bootstrap"),
        (Recipe(method="mine", method_options={"limit": 1.0}), "limit"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(study, recipe: Recipe, said: str) -> None:
    mappers = {"mine": Mapper(physics), "mri": Mapper(physics, modalities=(Modality.MR,))}
    with pytest.raises(BadRecipe, match=said):
        run(study.series, recipe, mappers=mappers)
