"""Weights between those of two trainings, one of which began with the other's: steadier on other sites.

A straight line between such weights stays in one basin, so that its points are networks as well; batch
normalisation alone must be measured anew on it, as no training has seen them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from bolus.core.errors import BadRecipe
from bolus.learn import checkpoint, files, splits
from bolus.learn import recipe as recipes
from bolus.learn.cases import CaseSet, Manifest
from bolus.learn.learner import autocast_of, channels_of
from bolus.learn.networks import build
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks import Task
from bolus.learn.train import BEST, DATA, LOG, RECIPE, SPLIT, STATE

N_BATCHES: Final = 50
"""Batches of training cases that running statistics are measured on."""
_OF: Final = "module."


def blend(task: Task, runs: tuple[Path, Path], part: float, manifest: Manifest, out: Path) -> None:
    """Write a training's folder that holds weights between those of two others.

    Parameters
    ----------
    task
        What both learned.
    runs
        Folders of the trainings; the second lends its recipe, split and log.
    part
        Of the second's weights, 0-1. Those after its last epoch are taken, as the best by a score that noisy
        running statistics gave need not be any better.
    manifest
        Cases that both were trained with.
    out
        Folder to write.

    Raises
    ------
    BadRecipe
        If the networks differ, `part` is out of range, or the folder holds a training.
    UnreadableFile
        If a folder holds no training.
    BadInput
        If the cases are for another task.

    References
    ----------
    Wortsman et al., CVPR 2022, doi:10.48550/arXiv.2109.01903 (between weights); Izmailov et al., UAI 2018,
    doi:10.48550/arXiv.1803.05407 (measuring statistics anew).
    """
    manifest.require_task(task.name)
    recipe = _recipe_of(runs)
    if not 0 <= part <= 1:
        raise BadRecipe("the part of the second training is out of range", wanted="0-1", found=str(part))
    if (out / RECIPE).is_file():
        raise BadRecipe("the folder holds a training", where=out, remedy="Choose another folder.")
    network = build(recipe.network, channels_of(task, recipe), recipe.options)
    first, second = (_last(run) for run in runs)
    network.load_state_dict({name: _between(first[name], second[name], part) for name in second})
    fit = partial(_fit, task, recipe)
    split = splits.read_split(runs[1] / SPLIT)
    settle(network, _batches(task, recipe, CaseSet(manifest.of(split.train), fit)), recipe)
    _write(network, runs, part, out)


def settle(network: Any, batches: Iterator[tuple[Any, ...]], recipe: TrainRecipe) -> None:
    """Measure the running statistics of batch normalisation anew, as means over batches; weights stay."""
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    if not norms:
        return
    network.eval()
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    with torch.inference_mode(), autocast_of(recipe, "cpu")():
        for inputs in batches:
            network(*inputs)


def _recipe_of(runs: tuple[Path, Path]) -> TrainRecipe:
    one, other = (recipes.read(run / RECIPE) for run in runs)
    if (one.network, dict(one.options)) != (other.network, dict(other.options)):
        found = f"{one.network} {dict(one.options)}, {other.network} {dict(other.options)}"
        raise BadRecipe("the trainings are of different networks", found=found)
    return other


def _last(run: Path) -> Mapping[str, Any]:
    """Return the weights after the last epoch, averaged where they are; of a blend, its own."""
    if not (run / STATE).is_file():
        return dict(load_file(run / BEST))
    state = checkpoint.load_state(run / STATE, "cpu")
    average = state.get("average")
    if average is None:
        return dict(state["network"])
    return {name.removeprefix(_OF): values for name, values in average.items() if name.startswith(_OF)}


def _between(one: Any, other: Any, part: float) -> Any:
    return one.float().lerp(other.float(), part) if other.is_floating_point() else other


def _fit(task: Task, recipe: TrainRecipe, case: Any) -> Any:
    return task.fit(case, recipe.size, **recipe.fitting)


def _batches(task: Task, recipe: TrainRecipe, cases: CaseSet) -> Iterator[tuple[Any, ...]]:
    """Yield the inputs of whole batches in an order that the recipe's seed gives."""
    order = np.random.default_rng(recipe.seed).permutation(len(cases)).tolist()
    for first in range(0, min(len(order), N_BATCHES * recipe.batch), recipe.batch):
        chosen = [cases[i] for i in order[first : first + recipe.batch]]
        yield tuple(torch.from_numpy(np.stack([case[name] for case in chosen])) for name in task.inputs)


def _write(network: nn.Module, runs: tuple[Path, Path], part: float, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.save_weights(network, out / BEST)
    for name in (SPLIT, LOG):
        shutil.copyfile(runs[1] / name, out / name)
    logs = [files.sha256(run / (STATE if (run / STATE).is_file() else BEST)) for run in runs]
    blended = {"part": part, "sha256": logs, "batches": N_BATCHES}
    about = files.read_json(runs[1] / DATA, "where the cases of the training come from")
    files.write_json(out / DATA, {**about, "blended": blended})
    shutil.copyfile(runs[1] / RECIPE, out / RECIPE)
