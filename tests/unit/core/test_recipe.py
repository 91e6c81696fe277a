"""A recipe survives its file and refuses what it does not know."""

import inspect
from dataclasses import fields

import pytest

from bolus.core.errors import BadRecipe, MissingTag
from bolus.core.recipe import DEFAULT, Recipe


def test_sections_and_back_is_the_identity() -> None:
    recipe = Recipe(method="csvd", method_options={"cutoff": 0.15}, time_step=0.5, leakage=True)
    assert Recipe.from_sections(recipe.sections()) == recipe
    assert Recipe.from_sections(DEFAULT.sections()) == DEFAULT


@pytest.mark.parametrize(
    "sections", [{"deconvolve": {"metod": "csvd"}}, {"prepare": {"method": "csvd"}}, {"nonsense": {}, "x": 3}]
)
def test_unknown_options_are_named(sections: dict[str, object]) -> None:
    with pytest.raises(BadRecipe, match="unknown option"):
        Recipe.from_sections(sections)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dt": -1.0},
        {"dt": "soon"},
        {"filter_sigma_mm": 0.0},
        {"leakage": 1},
        {"method": 3},
        {"bootstrap": -1},
        {"bootstrap": 2.5},
        {"bootstrap": True},
    ],
)
def test_values_of_the_wrong_kind_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRecipe, match="out of range"):
        Recipe(**wrong)


def test_a_word_is_wanted_where_a_word_belongs() -> None:
    with pytest.raises(BadRecipe, match=r"wanted Deconvolution: auto \(posterior.*found 3"):
        Recipe(method=3)  # type: ignore[arg-type]


def test_help_tells_every_choice_and_its_default() -> None:
    text = inspect.getdoc(Recipe) or ""
    assert "Parameters\n----------\nseries\n    Series to use" in text
    assert not [f.name for f in fields(Recipe) if f"\n{f.name}\n    {f.metadata['help']}" not in text]
    assert "Default: `'rigid'`." in text


def test_a_count_may_be_0_and_survives_its_file() -> None:
    assert DEFAULT.bootstrap == 0
    assert Recipe.from_sections(Recipe(bootstrap=30).sections()).bootstrap == 30


def test_an_error_says_what_wanted_found_where_and_what_to_do() -> None:
    error = MissingTag(
        "EchoTime is missing", wanted="EchoTime", found="nothing", where="a.dcm", remedy="Give --te."
    )
    assert str(error) == "EchoTime is missing; wanted EchoTime; found nothing [a.dcm]. Give --te."
    assert error.as_dict()["error"] == "MissingTag"
    assert isinstance(error, ValueError)
