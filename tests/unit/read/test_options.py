"""What a recipe says about reading is what reading is told."""

import pytest

from bolus.core.errors import BadRecipe
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.units import Modality
from bolus.read import ReadOptions


def test_the_choices_of_a_recipe_about_reading_are_taken_over():
    recipe = Recipe(series="4", modality="mr", dt=1.5, te_ms=30.0)
    assert ReadOptions.of(recipe) == ReadOptions("4", Modality.MR, 1.5, 30.0)
    assert ReadOptions.of(DEFAULT) == ReadOptions()


@pytest.mark.parametrize("wrong", [{"modality": "pet"}, {"dt": 600.0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadRecipe):
        ReadOptions.of(Recipe(**wrong))
