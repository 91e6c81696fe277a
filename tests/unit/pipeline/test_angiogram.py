"""What an X-ray run would leave out without a word is refused before the work begins."""

import pytest

from bolus.core.errors import BadRecipe
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.units import Modality
from bolus.pipeline.angiogram import _require_fitting


@pytest.mark.parametrize(
    "choice",
    [
        {"mask": "brain.nii.gz"}, {"vof": "1,2,0"}, {"te_ms": 30.0}, {"leakage": True}, {"bootstrap": 20},
        {"motion_reference": "3"}, {"rule": "syngo"}, {"min_lesion_ml": 3.0}, {"aif": "kmeans"},
    ],
)  # fmt: skip
def test_choices_for_ct_and_mr_are_refused(choice: dict[str, object]) -> None:
    with pytest.raises(BadRecipe, match="X-ray run"):
        _require_fitting(Recipe(**choice).settled(Modality.XA))


@pytest.mark.parametrize(
    "recipe", [DEFAULT, Recipe(vof="none"), Recipe(method="paper"), Recipe(aif="physics")]
)
def test_choices_for_x_ray_runs_pass_and_survive_their_file(recipe: Recipe) -> None:
    settled = recipe.settled(Modality.XA)
    again = Recipe.from_sections(settled.sections())
    _require_fitting(settled)
    _require_fitting(again)
    assert again == settled
