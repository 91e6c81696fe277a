"""What an experiment is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from bolus.core.finding import Progress, silent
from bolus.learn.cases import Manifest, Memory
from bolus.learn.ica import Segmenter
from bolus.learn.infer import Network
from bolus.learn.recipe import TrainRecipe
from bolus.learn.splits import Split
from bolus.learn.tasks import Task


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What an experiment works with.

    Parameters
    ----------
    task, cases, split
        What is learned, the cases with their truth, and which patients are for what.
    recipe
        Of every training, but for what the experiment varies.
    out
        Folder for trainings; one that was stopped goes on from there.
    segment
        The network under test, for experiments that train none.
    studies
        Folder of DICOM runs with masks; None: simulated cases are simulated again, frame by frame.
    progress
        Called as `progress(stage, done, total)`.
    network
        The network under test where it is one of maps.
    begin_with
        Weights (.safetensors) that fine-tuning begins with.
    folds
        Of a cross-validation, by patient.
    external
        Cases of another site, with truth; None: there are none.
    threads
        Of the processor, for trainings; 0: all.
    device
        Of PyTorch, for trainings and their answers; `auto`: a GPU where there is one.
    memory
        Where trainings keep the cases that they share.
    workers
        Processes that read cases for trainings; 0: this one.
    """

    task: Task
    cases: Manifest
    split: Split
    recipe: TrainRecipe
    out: Path
    segment: Segmenter | None = None
    studies: Path | None = None
    progress: Progress = silent
    network: Network | None = None
    begin_with: Path | None = None
    folds: int = 10
    external: Manifest | None = None
    threads: int = 0
    device: str = "auto"
    memory: Memory = field(default_factory=partial(Memory, 2000.0))
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """What came out of an experiment.

    Parameters
    ----------
    title, header, rows
        A table for people.
    published
        What the paper prints for it, in words.
    numbers
        The same and more, as JSON can hold it.
    figures
        By file name without suffix.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    published: str
    numbers: Mapping[str, Any]
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return the table and what the paper prints, in Markdown."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"# {self.title}\n\n{table}\n\nPublished, not reproduced: {self.published}\n"


def take_up(
    bench: Bench, name: str, recipe: TrainRecipe, split: Split, *, begin_with: Path | None = None
) -> Path:
    """Train a network under a name, or go on with a training that was stopped; return its folder.

    Raises
    ------
    BadRecipe
        If the folder holds a training of another recipe or split.
    """
    from bolus.learn.train import Run, train

    folder = bench.out / "trainings" / name
    run = Run(
        folder,
        resume=True,
        begin_with=begin_with,
        device=bench.device,
        threads=bench.threads,
        workers=bench.workers,
        memory=bench.memory,
    )
    train(bench.task, recipe, bench.cases, split, run=run)
    return folder


def is_newer(made: Path, folder: Path) -> bool:
    """Tell whether a file was made of the weights that a training has now."""
    from bolus.learn.train import BEST

    return made.is_file() and made.stat().st_mtime >= (folder / BEST).stat().st_mtime


def trained(
    bench: Bench, name: str, recipe: TrainRecipe, split: Split, *, begin_with: Path | None = None
) -> Network:
    """Train a network under a name, or take up a training that was stopped, and load what it became."""
    from bolus.learn.export import export
    from bolus.learn.infer import load

    folder = take_up(bench, name, recipe, split, begin_with=begin_with)
    path = folder / "network.onnx"
    if not is_newer(path, folder):
        export(bench.task, folder, path)
    return load(path, task=bench.task.name, threads=bench.threads)


Experiment: TypeAlias = Callable[[Bench], Finished]


def shown(value: float, digits: int = 3) -> str:
    """Write a number of a table; `n/a` where there is none."""
    return f"{value:.{digits}f}" if value == value else "n/a"  # noqa: PLR0124 - NaN
