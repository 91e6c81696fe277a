"""Slips in a recipe are refused before the images are touched."""

from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

import pytest

from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.core.units import Modality
from bolus.deconvolve import METHODS
from bolus.pipeline.choices import require_solvable


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"method": "csvd", "method_options": {"cutoff": "a"}}, "cutoff is out of range"),
        ({"method": "csvd", "method_options": {"cutoff": 1.5}}, "cutoff is out of range"),
        ({"method": "csvd", "method_options": {"cutof": 0.1}}, "no option cutof"),
        ({"method": "box", "method_options": {"solver": "moon"}}, "solver"),
        ({"method": "posterior", "method_options": {"independence": 3.0}}, "independence"),
        ({"ttp_origin": "moon"}, "origin of TTP"),
    ],
)
def test_a_slip_is_refused(choice: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRecipe, match=says):
        require_solvable(Recipe(**choice))


@pytest.mark.parametrize("name", METHODS)
def test_every_option_of_a_method_may_be_given_as_it_is(name: str) -> None:
    options = {
        p.name: p.default
        for p in signature(METHODS[name]).parameters.values()
        if p.kind is Parameter.KEYWORD_ONLY and p.name != "leaning"  # which the pipeline gives
    }
    require_solvable(Recipe(method=name, method_options=options))
    with pytest.raises(BadRecipe, match="no option moon"):
        require_solvable(Recipe(method=name, method_options={**options, "moon": 1}))


@pytest.mark.parametrize("method", ["auto", "paper", "osvd"])
def test_slips_beside_a_method_for_x_ray_runs_are_told(method: str) -> None:
    right = Recipe(method=method).settled(Modality.XA)
    require_solvable(right)
    with pytest.raises(BadRecipe, match="origin of TTP"):
        require_solvable(replace(right, ttp_origin="moon"))
