"""The flow response tells maps that measure from maps that print."""

from dataclasses import replace

import numpy as np
import pytest

from bolus import deconvolve, quantify
from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.core.units import Modality
from bolus.phantom import ct, mr
from bolus.pipeline import Mapped, Mapper
from bolus.validate import flow_response

QUICK = {"shape": (48, 48, 3), "n_frames": 30}
QUICK_MR = {"shape": (64, 64, 6), "n_frames": 45}


def printing(scan, aif, recipe, progress) -> Mapped:
    """Show the flow that goes with the unenhanced image, as a network may."""
    estimate = deconvolve.deconvolve(scan.contrast, aif, method="csvd")
    maps = dict(quantify.make_maps(estimate, scan.contrast, aif))
    usual = scan.underlay - np.nanmin(scan.underlay) + 1.0
    for name in ("CBF", "CBV"):
        maps[name] = replace(maps[name], values=np.where(np.isfinite(maps[name].values), usual, np.nan))
    return Mapped(maps)


@pytest.mark.parametrize("study", [ct(**QUICK, noise_hu=1.0), mr(**QUICK_MR)], ids=["CT", "MR"])
def test_physics_follows_flow(study) -> None:
    found = flow_response(study.series, Recipe(method="csvd"), factors=(0.7, 1.4))

    assert found.faithful
    assert found.slopes["MTT"] == pytest.approx(0.0, abs=0.1)
    assert found.shifts["Tmax"] < 0.5


def test_maps_that_print_anatomy_are_told_apart() -> None:
    study = ct(**QUICK, noise_hu=1.0)
    mappers = {"printing": Mapper(printing)}
    found = flow_response(study.series, Recipe(method="printing"), factors=(0.7, 1.4), mappers=mappers)

    assert not found.faithful
    assert found.slopes["CBF"] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("factors", [(), (1.0,), (-1.0,)])
def test_factors_that_say_nothing_are_refused(factors) -> None:
    study = ct(**QUICK, noise_hu=1.0)
    with pytest.raises(BadRecipe, match="factors"):
        flow_response(study.series, Recipe(), factors=factors)


def test_xray_runs_are_refused() -> None:
    study = ct(**QUICK)
    with pytest.raises(BadRecipe, match="X-ray"):
        flow_response(replace(study.series, modality=Modality.XA), Recipe())
