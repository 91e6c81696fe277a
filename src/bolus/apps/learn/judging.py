"""`bolus learn evaluate` and `predict`: how good a network is, and what it says of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bolus.apps.learn.choices import network_of, part_of, recipe_of, require_torch, split_of, task_of
from bolus.apps.learn.options import (
    Cases,
    Change,
    Epochs,
    Json,
    Minutes,
    Out,
    Preset,
    Quiet,
    RunFolder,
    TaskName,
    Threads,
    Weights,
    Workers,
)
from bolus.apps.terminal import Terminal
from bolus.core.errors import BadRecipe

if TYPE_CHECKING:
    from bolus.learn.recipe import TrainRecipe
    from bolus.learn.tasks import Task

_HEADER = ("cases", "score", "mean", "95 %", "SD", "least", "n")


def evaluate(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    cases: Cases,
    out: Out,
    run: RunFolder = None,
    weights: Weights = None,
    part: Annotated[
        str, typer.Option("--part", help="train, validation, test or all; test of the run's split, else all.")
    ] = "",
    experiment: Annotated[
        str,
        typer.Option(
            "--experiment",
            help="Of ica: augmentation, data-split (train), postprocess, quantitative; of classifiers "
            "cross-validation, ensemble, of core-size also ablation, of thrombus also combinations, "
            "readouts (train); of ctp-unet cross-validation (trains), lesions, dose; of dsc-gan comparison, "
            "fine-tuning (train).",
        ),
    ] = "",
    studies: Annotated[
        Path | None,
        typer.Option("--studies", help="For quantitative: DICOM runs with masks, as for `data manifest`."),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", min=3, help="Of a cross-validation.")] = 10,
    external: Annotated[
        Path | None,
        typer.Option("--external", help="Cases of another site, for experiments with classifiers."),
    ] = None,
    preset: Preset = "",
    change: Change = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    threads: Threads = 0,
    device: Annotated[
        str, typer.Option("--device", help="Of PyTorch, for experiments that train; auto: a GPU, if any.")
    ] = "auto",
    workers: Workers = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a network on cases with known truth; without --run or --weights, the one that is shipped."""
    from bolus.learn import evaluate as judging
    from bolus.learn.cases import read_manifest

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        task = task_of(name)
        if experiment:
            recipe = recipe_of(task, preset, {"epochs": epochs, "minutes": minutes}, change or [])
            _experiment(
                (experiment, folds),
                (task, recipe, device),
                (cases, studies, external, out),
                (run, weights, threads, workers),
                terminal,
            )
            return
        network = network_of(task, run, weights, threads)
        chosen = part_of(read_manifest(cases), run, part)
        with terminal.progress() as progress:
            rows = judging.evaluate(task, network, chosen, progress=progress)
            document = judging.write(task, network, chosen, rows, out)
        if as_json:
            terminal.document(document)
        else:
            terminal.table("", _lines(document["scores"]), _HEADER)
        terminal.say(f"scores: {out / judging.SCORES}")


def _experiment(
    which: tuple[str, int],
    what: tuple[Task, TrainRecipe, str],
    folders: tuple[Path, Path | None, Path | None, Path],
    network: tuple[Path | None, Path | None, int, int],
    terminal: Terminal,
) -> None:
    """Make one of the paper's experiments and print its table."""
    from bolus.learn import experiments
    from bolus.learn.cases import read_manifest
    from bolus.learn.ica import Segmenter

    (name, folds), (task, recipe, device), (cases, studies, external, out) = which, what, folders
    outside = None if external is None else read_manifest(external)
    chosen = read_manifest(cases)
    tests_network = name in experiments.NEEDS_NETWORK
    if not tests_network:
        require_torch()
    tested = network_of(task, *network[:3]) if tests_network else None
    segment = Segmenter(tested) if tested and task.head == "foreground" else None
    begin_with = network[0] / "best.safetensors" if network[0] and not tests_network else None
    part = part_of(chosen, network[0], "") if tests_network else chosen
    with terminal.progress() as progress:
        bench = experiments.Bench(
            task, part, split_of(None, chosen, recipe.seed), recipe, out, segment, studies, progress, tested,
            begin_with, folds, outside, network[2], device, workers=network[3],
        )  # fmt: skip
        found = experiments.conduct(name, bench)
    if terminal.as_json:
        terminal.document({"title": found.title, "published": found.published, **found.numbers})
    terminal.table(found.title, list(found.rows), found.header)
    terminal.say(f"published, not reproduced: {found.published}")
    terminal.say(f"written: {out}")


def predict(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    study: Annotated[Path, typer.Argument(help="DICOM folder or file: an X-ray run, or CT.")],
    out: Out,
    run: RunFolder = None,
    weights: Weights = None,
    threads: Threads = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a network about a study: mask, probability and a picture of each view, or a chance."""
    from bolus.learn import angiograms
    from bolus.learn.ica import Segmenter

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        task = task_of(name)
        if task.predict is not None:
            document = task.predict(network_of(task, run, weights, threads), study, out)
            if as_json:
                terminal.document(document)
            for line in document["said"]:
                terminal.say(line)
            return
        if task.head != "foreground":
            raise BadRecipe(f"{name} outlines nothing on X-ray runs", remedy="Use `bolus learn evaluate`.")
        document = angiograms.predict(Segmenter(network_of(task, run, weights, threads)), study, out)
        if as_json:
            terminal.document(document)
        for view in document["views"]:
            terminal.say(f"{view['view']}: {view['pixels']} pixels in {view['parts']} parts, {out}")
            for doubt in view["doubts"]:
                terminal.say(f"{view['view']}: {doubt}")


def _lines(scores: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row under `_HEADER` for the leading score of each group, and for every score of all cases."""
    leading = next(iter(scores["all"]))
    return [
        (group, name, *_told(score))
        for group, found in scores.items()
        for name, score in found.items()
        if score is not None and (group == "all" or name == leading)
    ]


def _told(score: Mapping[str, float]) -> tuple[str, ...]:
    mean, low, high, sd, least = (f"{score[name]:.3f}" for name in ("mean", "low", "high", "sd", "least"))
    return mean, f"{low}-{high}", sd, least, f"{score['n_patients']} ({score['n_cases']})"
