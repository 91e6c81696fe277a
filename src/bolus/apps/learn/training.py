"""`bolus learn train`, `blend`, `gather`, `calibrate`, `guard`, `export`: from cases to a usable network."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from bolus.apps.learn.choices import network_of, recipe_of, require_torch, split_of, task_of
from bolus.apps.learn.options import (
    Cases,
    Change,
    Epochs,
    Minutes,
    Out,
    Preset,
    Quiet,
    TaskName,
    Threads,
    Weights,
    Workers,
)
from bolus.apps.terminal import Terminal
from bolus.core.errors import BadRecipe


def train(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    cases: Cases,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the training.")],
    preset: Preset = "",
    change: Change = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="JSON file of a split; the folder's own, or dealt out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    begin_with: Annotated[
        Path | None, typer.Option("--begin-with", help="Weights (.safetensors) to begin with.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Of PyTorch; auto: a GPU, if any.")] = "auto",
    threads: Threads = 0,
    workers: Workers = 0,
    cache_mb: Annotated[float, typer.Option("--cache-mb", min=0, help="Room for cases in memory.")] = 2000.0,
    quiet: Quiet = False,
) -> None:
    """Train a network. Under `torchrun -m bolus learn train ...`, all its processes train the same one."""
    terminal = Terminal(quiet=quiet or os.environ.get("RANK", "0") != "0")
    with terminal.reporting(), terminal.progress() as progress:
        task = task_of(name)
        require_torch()
        from bolus.learn.cases import read_manifest
        from bolus.learn.train import Run
        from bolus.learn.train import train as start

        recipe = recipe_of(task, preset, {"epochs": epochs, "minutes": minutes}, change or [])
        chosen = read_manifest(cases)
        run = Run(
            out,
            resume=resume,
            begin_with=begin_with,
            device=device,
            threads=threads,
            workers=workers,
            cache_mb=cache_mb,
        )
        parts = split_of(split, chosen, recipe.seed)
        best = start(task, recipe, chosen, parts, run=run, progress=progress)
    terminal.say(f"best validation {task.metric}: {best:.4f}, {out}")


def blend(
    name: TaskName,
    cases: Cases,
    run: Annotated[Path, typer.Option("--run", help="Folder of a training.")],
    later: Annotated[Path, typer.Option("--with", help="Folder of one that began with its weights.")],
    out: Out,
    part: Annotated[float, typer.Option("--part", help="Of the later weights, 0-1.")] = 0.5,
) -> None:
    """Write a training's folder with weights between those of two, which are steadier on other sites."""
    terminal = Terminal()
    with terminal.reporting():
        chosen = task_of(name)
        require_torch()
        from bolus.learn.blend import blend as write
        from bolus.learn.cases import read_manifest

        write(chosen, (run, later), part, read_manifest(cases), out)
    terminal.say(f"weights of {1 - part:g} and {part:g}: {out}")


def gather(
    weights: Annotated[list[Path], typer.Argument(metavar="WEIGHTS...", help="Of trainings (.safetensors).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, ending in .safetensors.")],
    members: Annotated[int, typer.Option("--members", min=2, help="How many are taken, in order.")] = 3,
) -> None:
    """Put networks side by side, as members of one that a training can begin with."""
    terminal = Terminal()
    with terminal.reporting():
        require_torch()
        from bolus.learn.checkpoint import gather as write

        write(weights, members, out)
    terminal.say(f"{members} members: {out}")


def calibrate(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    cases: Annotated[
        Path, typer.Option("--data", help="Folder of the cases that it was trained with, or see --split.")
    ],
    run: Annotated[Path, typer.Option("--run", help="Folder of the training.")],
    split: Annotated[
        Path | None,
        typer.Option("--split", help="JSON file of a split of other cases; else that of the training."),
    ] = None,
    more: Annotated[
        Path | None, typer.Option("--more", help="Folder of cases of others, to measure on as well.")
    ] = None,
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Measure scaling, unsure band and input ranges of a classifier; `export` puts them into its card."""
    from bolus.learn import calibrating
    from bolus.learn.cases import read_manifest
    from bolus.learn.splits import read_split

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        chosen = task_of(name)
        require_torch()
        from bolus.learn.export import export

        network = network_of(chosen, run, None, threads)
        network.card = replace(network.card, calibration={})  # what it says of itself is measured anew
        parts = read_split(split or run / "split.json")
        others = read_manifest(more) if more else None
        found = calibrating.calibrate(
            chosen, network, read_manifest(cases), parts, more=others, progress=progress
        )
        calibrating.write(found, run)
        export(chosen, run, run / f"{name}.onnx")
    low, high = found["unsure"]
    terminal.say(f"temperature {found['temperature']:.2f}, unsure from {low:.2f} to {high:.2f}: {run}")


def guard(
    name: Annotated[str, typer.Argument(metavar="TASK", help="What it outlines: ica.")],
    cases: Annotated[
        Path, typer.Option("--data", help="Folder of cases, some with other arteries injected.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, ending in .onnx.")],
    weights: Weights = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", help="NAME=FOLDER: other cases to score it on.")
    ] = None,
) -> None:
    """Teach a network to tell when another artery was injected, from cases of both kinds."""
    terminal = Terminal()
    with terminal.reporting():
        from bolus.learn import ica, infer, teaching

        if find_spec("onnx") is None:
            raise BadRecipe("a guard needs onnx", remedy="Install it with: pip install 'bolus[learn]'")
        if name != "ica":
            raise BadRecipe("only networks that outline the carotid have a guard", wanted="ica", found=name)
        folders = {label: Path(folder) for label, _, folder in (text.partition("=") for text in check or [])}
        made = teaching.teach(infer.load(weights or ica.SHIPPED, task=name), cases, out, folders)
    rows = [
        (label, kind, *(f"{value:g}" for value in told.values()))
        for label, found in made.scores.items()
        for kind, told in found.items()
    ]
    header = ("cases", "injected", "views", *(f"chance above {limit:g}" for limit in teaching.LIMITS))
    terminal.table("", rows, header)
    terminal.say(f"network: {out}")


def export(
    name: TaskName,
    run: Annotated[Path, typer.Option("--run", help="Folder of a training.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, ending in .onnx.")],
    scores: Annotated[
        list[str] | None,
        typer.Option("--scores", help="NAME=FILE: scores.json of an evaluation, for the card."),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits.")] = False,
) -> None:
    """Write a training's best network as ONNX that runs without PyTorch, with its card beside it."""
    terminal = Terminal()
    with terminal.reporting():
        task = task_of(name)
        require_torch()
        from bolus.learn.export import export as write

        card = write(task, run, out, dict(_scores(text) for text in scores or []), half=half)
    terminal.say(f"network: {out}, SHA-256 {card.files[out.name]}")


_FOR_THE_CARD = ("data", "scores", "verdicts", "rivals", "scans", "left out", "maps")


def _scores(text: str) -> tuple[str, Any]:
    from bolus.learn.files import read_json

    name, _, file = text.partition("=")
    if not file:
        raise BadRecipe("no scores", wanted="NAME=FILE", found=text)
    document = read_json(Path(file), "the scores")
    return name, {key: document[key] for key in _FOR_THE_CARD if key in document}
