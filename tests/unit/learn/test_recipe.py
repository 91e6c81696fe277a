"""A recipe is one value that survives being written, and refuses what cannot be."""

import json

import pytest

from bolus.core.errors import BadRecipe, UnreadableFile
from bolus.learn import recipe as recipes
from bolus.learn.recipe import TrainRecipe, from_dict
from bolus.learn.tasks import TASKS, task

PRESETS = [recipe for t in TASKS.values() for recipe in t.presets.values()]


@pytest.mark.parametrize("recipe", PRESETS)
def test_presets_are_read_as_they_were_written(recipe, tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.as_dict()))
    assert recipes.read(tmp_path / "recipe.json") == recipe


def test_choices_that_a_recipe_was_written_without_have_their_defaults():
    assert from_dict({"lr": 1e-3, "betas": [0.5, 0.9]}) == TrainRecipe(lr=1e-3, betas=(0.5, 0.9))
    nested = TrainRecipe(fitting={"maps": ["CBF"], "n_frames": 80}, critic="patchgan")
    assert from_dict(json.loads(json.dumps(nested.as_dict()))) == nested


def test_the_paper_s_recipe_is_as_printed():
    paper = TASKS["ica"].preset("paper")
    assert (paper.optimizer, paper.lr, paper.momentum, paper.weight_decay) == ("rmsprop", 1e-4, 0.9, 1e-8)
    assert (paper.schedule, paper.patience, paper.factor, paper.min_lr) == ("plateau", 10, 0.5, 1e-8)
    assert (paper.stop_after, paper.size, paper.batch) == (50, 1024, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": 0.0},
        {"epochs": 0},
        {"minutes": -1.0},
        {"batch": 0},
        {"precision": "fp8"},
        {"optimizer": "sgd"},
        {"schedule": "step"},
        {"factor": 1.0},
        {"weight_decay": -0.1},
        {"momentum": -0.1},
        {"alpha": 1.0},
        {"betas": (0.9, 1.0)},
    ],
)
def test_what_is_out_of_range_is_refused(changes):
    with pytest.raises(BadRecipe, match=next(iter(changes))):
        TrainRecipe(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": "fast"},
        {"batch": 2.5},
        {"epochs": True},
        {"minutes": "ten"},
        {"network": 3},
        {"options": "width"},
        {"augment": "flip"},
        {"betas": 0.9},
        {"channels_last": "yes"},
    ],
)
def test_what_is_of_another_kind_is_refused(changes):
    with pytest.raises(BadRecipe, match=next(iter(changes))):
        from_dict(changes)
    assert from_dict({"lr": 1, "minutes": None, "augment": ["flip"]}).augment == ("flip",)


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(BadRecipe, match="depth"):
        from_dict({"depth": 3})
    with pytest.raises(BadRecipe, match="unknown task"):
        task("stenosis")
    with pytest.raises(BadRecipe, match="unknown preset"):
        TASKS["ica"].preset("large")
    with pytest.raises(UnreadableFile):
        recipes.read(tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(UnreadableFile, match="not the recipe"):
        recipes.read(tmp_path / "list.json")
    (tmp_path / "bad.json").write_text('{"lr": -1}')
    with pytest.raises(BadRecipe, match="lr"):
        recipes.read(tmp_path / "bad.json")
