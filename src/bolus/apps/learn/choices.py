"""What the words of a command stand for: a task, a recipe, a split, a network, a part of the cases."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bolus.core.errors import BadInput, BadRecipe

if TYPE_CHECKING:
    from bolus.learn.cases import Manifest
    from bolus.learn.infer import Network
    from bolus.learn.recipe import TrainRecipe
    from bolus.learn.splits import Split
    from bolus.learn.tasks import Task


def task_of(name: str) -> Task:
    """Return the task of that name."""
    from bolus.learn.tasks import task

    return task(name)


def require_torch() -> None:
    """Make sure that what training needs is installed."""
    from importlib.util import find_spec

    if any(find_spec(needed) is None for needed in ("torch", "monai", "safetensors", "onnx")):
        remedy = "Install it with: pip install 'bolus[learn]'"
        raise BadRecipe("training needs PyTorch and MONAI", found="not installed", remedy=remedy)


def require_folder(folder: Path) -> None:
    """Make sure that a folder is there."""
    if not folder.is_dir():
        raise BadInput("there is no such folder", where=folder)


def fractions(text: str) -> tuple[float, float, float]:
    """Return the parts of training, validation and test."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadRecipe(
            "no parts of a split", wanted="three numbers such as 0.5,0.3,0.2", found=text
        ) from error
    return train, validation, test


def recipe_of(task: Task, preset: str, given: Mapping[str, Any], changes: list[str]) -> TrainRecipe:
    """Return the preset with the choices that were given."""
    from bolus.learn.recipe import from_dict

    chosen = {name: value for name, value in given.items() if value is not None}
    for text in changes:
        chosen |= _choice(text)
    return from_dict(task.preset(preset).as_dict() | chosen)


def _choice(text: str) -> dict[str, Any]:
    """Return `name=value` as a dictionary; values are as in TOML, and words need no quotes."""
    name, _, value = text.partition("=")
    try:
        return {name.strip(): tomllib.loads(f"value = {value}")["value"]}
    except tomllib.TOMLDecodeError:
        if not value.strip().replace("_", "").isalnum():
            raise BadRecipe("no choice of a recipe", wanted="name=value", found=text) from None
        return {name.strip(): value.strip()}


def split_of(file: Path | None, chosen: Manifest, seed: int) -> Split:
    """Return the split of a file, else of the cases' folder, else patients dealt out."""
    from bolus.learn import splits

    own = chosen.folder / "split.json"
    if file is None and own.is_file():
        file = own
    return splits.read_split(file) if file else splits.split_patients(chosen.patients, seed=seed)


def network_of(task: Task, run: Path | None, weights: Path | None, threads: int) -> Network:
    """Return the network of a file, of a training (exported if need be), or the shipped one."""
    from bolus.learn import infer

    if run is not None and weights is not None:
        raise BadRecipe("give either --run or --weights", found="both")
    if run is not None:
        return infer.load(_exported(task, run), task=task.name, threads=threads)
    return infer.load(weights or infer.shipped(task.name), task=task.name, threads=threads)


def _exported(task: Task, run: Path) -> Path:
    path, best = run / f"{task.name}.onnx", run / "best.safetensors"
    parts = [part for part in (best, run / "calibration.json") if part.is_file()]
    if path.is_file() and best in parts and all(is_as_new(path, part) for part in parts):
        return path
    require_torch()
    from bolus.learn.export import export as write

    write(task, run, path)
    return path


def is_as_new(made: Path, part: Path) -> bool:
    """Tell whether a file was written after what it was made of."""
    return made.stat().st_mtime >= part.stat().st_mtime


def part_of(chosen: Manifest, run: Path | None, part: str) -> Manifest:
    """Return the cases of one part of a training's split; of a folder that it does not know, all."""
    from bolus.learn.splits import read_split

    if run is None or part == "all":
        if part not in {"", "all"}:
            raise BadRecipe("parts are those of a training", wanted="--run", found=f"--part {part}")
        return chosen
    parts = read_split(run / "split.json").parts
    if part not in {"", *parts}:
        raise BadRecipe("unknown part", wanted=", ".join((*parts, "all")), found=part)
    known = set(chosen.patients) & {patient for who in parts.values() for patient in who}
    if not known and not part:
        return chosen
    mine = chosen.of(parts[part or "test"])
    if not mine.entries:
        raise BadInput("no case is of that part", found=part or "test", where=chosen.folder)
    return mine
