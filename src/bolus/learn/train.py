"""Training: one loop for every task, read from top to bottom.

A run's folder holds `recipe.json`, `split.json`, `data.json` (where cases come from), `log.csv` (one line an
epoch), `best.safetensors` (the epoch with the best validation score), `last.safetensors` (the latest, for
another training to begin with) and `state.pt`. The state is written whole after each epoch, and what is drawn
in an epoch depends on the seed and the epoch alone: a run that was killed and resumed on the processor ends
with the very weights of an unbroken one.
"""

from __future__ import annotations

import csv
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from bolus.core.errors import BadInput, BadRecipe, BolusError, UnreadableFile
from bolus.core.finding import Progress, silent
from bolus.learn import checkpoint, files, splits
from bolus.learn import recipe as recipes
from bolus.learn.augment import augmentation
from bolus.learn.cases import CaseSet, Manifest, Memory
from bolus.learn.crew import Crew, joined
from bolus.learn.feed import Feed
from bolus.learn.infer import usable_processors
from bolus.learn.learner import Learner, fresh_learner
from bolus.learn.losses import loss
from bolus.learn.networks import HEADS
from bolus.learn.recipe import TrainRecipe
from bolus.learn.score import METRICS
from bolus.learn.splits import Split
from bolus.learn.tasks import Task

RECIPE: Final = "recipe.json"
DATA: Final = "data.json"
SPLIT: Final = "split.json"
LOG: Final = "log.csv"
BEST: Final = "best.safetensors"
LAST: Final = "last.safetensors"
STATE: Final = "state.pt"
_BUDGET: Final = ("epochs", "minutes", "stop_after")
"""Choices that may change when a run is resumed."""


@dataclass(frozen=True, slots=True)
class Run:
    """Where a training begins and writes, and what it runs on.

    Parameters
    ----------
    folder
        For all that it writes.
    resume
        Go on where the folder's state ends; start where there is none.
    begin_with
        Weights to begin with, of an earlier training of the same network; None: fresh ones.
    device
        A device of PyTorch; `auto`: a GPU where there is one.
    threads
        Of the processor; 0: all that this process may use, shared out among those that train together.
    workers
        Processes that read cases ahead, and keep none; 0: this one reads and keeps them.
    cache_mb
        Room for cases in memory [MB]. On a GPU, where all fit, they are read once and kept there.
    memory
        Where trainings of the same cases keep them between them; None: each for itself.
    """

    folder: Path
    resume: bool = False
    begin_with: Path | None = None
    device: str = "auto"
    threads: int = 0
    workers: int = 0
    cache_mb: float = 2000.0
    memory: Memory | None = None


def train(
    task: Task,
    recipe: TrainRecipe,
    manifest: Manifest,
    split: Split,
    *,
    run: Run,
    progress: Progress = silent,
) -> float:
    """Train a network and keep the weights of the epoch that validates best.

    Started by `torchrun`, all its processes train the same network; each takes its share of every epoch.

    Parameters
    ----------
    task, recipe
        What is learned, and how.
    manifest, split
        The cases, and which patients are for what.
    run
        Where it writes and what it runs on.
    progress
        Called as `progress("train", done, epochs)` after each epoch.

    Returns
    -------
    The best validation score.

    Raises
    ------
    BadInput
        If the split leaks, names patients without cases, or leaves nobody to train or validate with.
    BadRecipe
        If a choice is unknown, the folder holds another run, or training diverged.
    """
    manifest.require_task(task.name)
    splits.check_leakage(split, manifest)
    job = _Job(task, recipe, manifest, split, run)
    cases = job.cases(split.train), job.cases(split.validation)
    for name, some in zip(("training", "validation"), cases, strict=True):
        _require_cases(name, some)
    with joined(run.device) as crew, _board(run.folder, crew) as board:
        return _taught(job, cases, crew, board, progress)


class _Job(NamedTuple):
    """What `train` was asked for."""

    task: Task
    recipe: TrainRecipe
    manifest: Manifest
    split: Split
    run: Run

    def cases(self, patients: Sequence[str]) -> CaseSet:
        """Return the cases of some patients, as the network takes them."""
        fit = partial(_fit, self.task, self.recipe)
        chosen, run = self.manifest.of(patients), self.run
        kind = f"{self.recipe.size} {sorted(self.recipe.fitting.items())}"
        return CaseSet(chosen, fit, cache_mb=run.cache_mb, memory=run.memory, kind=kind)


def _taught(job: _Job, cases: tuple[CaseSet, CaseSet], crew: Crew, board: Any, progress: Progress) -> float:
    """Teach a network on the first cases until it is over; return its best score on the others.

    The network lives only here: it holds on to the group of processes, which has to end with `joined`.
    """
    task, recipe, run = job.task, job.recipe, job.run
    torch.set_num_threads(run.threads or max(usable_processors() // crew.size, 1))
    torch.backends.cudnn.benchmark = True  # all batches but the last are of one shape
    feeds = tuple(_feed(some, recipe, run, crew) for some in cases)
    learner = fresh_learner(task, recipe, crew)
    _require_folder(job, crew)
    _resume(learner, run, crew)
    _require_fitting(learner, task, recipe, cases[0])
    _write_plan(job, crew)
    while not _is_over(learner, recipe):
        began = time.process_time(), time.perf_counter()
        learner.set_rate(recipe)
        row = {"lr": learner.rate}
        batches = feeds[0].batches(_order(len(cases[0]), recipe, crew, learner.epoch))
        row |= _learn(learner, task, recipe, batches, crew)
        row[task.metric] = _validate(learner, task, recipe, feeds[1], crew)
        learner.judge(row[task.metric], task, recipe)
        _enter(learner, row, began, crew)
        if crew.leads:
            _write(learner, list(row), run.folder, board)
        progress("train", learner.epoch, recipe.epochs)
    return learner.best


def _require_cases(name: str, cases: CaseSet) -> None:
    if not len(cases):
        raise BadInput(f"no case is for {name}", where=cases.manifest.folder)


def _fit(task: Task, recipe: TrainRecipe, case: Any) -> Any:
    return task.fit(case, recipe.size, **recipe.fitting)


def _require_folder(job: _Job, crew: Crew) -> None:
    """Make sure that the folder is new, or holds this very run."""
    if (job.run.folder / RECIPE).is_file():
        _require_same_run(job)
    crew.gathered(None)  # all have looked before one writes


def _write_plan(job: _Job, crew: Crew) -> None:
    """Write down what is going to be done."""
    folder = job.run.folder
    if crew.leads:
        files.write_json(folder / RECIPE, job.recipe.as_dict())
        splits.write_split(job.split, folder / SPLIT)
        _write_data(job)
    crew.gathered(None)  # nobody goes on before it is written


def _write_data(job: _Job) -> None:
    """Write down for the card where cases come from, what they are like, and the weights to begin with."""
    task, _, manifest, split, run = job
    if run.resume and (run.folder / DATA).is_file():
        return
    counts = {
        part: {"patients": len(who), "cases": len(manifest.of(who).entries)}
        for part, who in split.parts.items()
    }
    began = {} if run.begin_with is None else {"began_with_sha256": files.sha256(run.begin_with)}
    like = {} if task.ranges is None else {"ranges": dict(task.ranges(manifest.of(split.train)))}
    files.write_json(
        run.folder / DATA,
        {**manifest.source, "digest": _digest(job), "split_seed": split.seed, **counts, **began, **like},
    )


def _require_same_run(job: _Job) -> None:
    _, recipe, _, split, run = job
    if not run.resume:
        remedy = "Go on with --resume, or choose another folder."
        raise BadRecipe("the folder holds a training", where=run.folder, remedy=remedy)
    before = recipes.read(run.folder / RECIPE).as_dict()
    now = recipe.as_dict()
    changed = sorted(name for name in now if now[name] != before[name] and name not in _BUDGET)
    if splits.read_split(run.folder / SPLIT) != split:
        changed.append("split")
    data = run.folder / DATA
    known = files.read_json(data, "where cases come from").get("digest") if data.is_file() else None
    if known not in {None, _digest(job)}:
        changed.append("cases")
    if changed:
        found = f"other {', '.join(changed)}"
        raise BadRecipe("a run is resumed as it began", where=run.folder, found=found)


def _digest(job: _Job) -> str:
    """Tell the cases that are trained and validated with; others may join them in their folder."""
    return job.manifest.of((*job.split.train, *job.split.validation)).digest


def _resume(learner: Learner, run: Run, crew: Crew) -> None:
    """Take up where an earlier training ended: this one, or another's weights."""
    state = run.folder / STATE
    if run.resume and state.is_file():
        try:
            learner.restore(checkpoint.load_state(state, crew.device))
        except BolusError:
            raise
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise UnreadableFile("the state is of another training", where=state) from error
    elif run.begin_with is not None:
        checkpoint.begin_with(learner.bare, run.begin_with)


def _require_fitting(learner: Learner, task: Task, recipe: TrainRecipe, cases: CaseSet) -> None:
    """Show the network a case: choices that do not go together are refused before anything is written."""
    device, twice = next(learner.bare.parameters()).device, min(recipe.batch, 2)
    try:
        arrays = {name: torch.from_numpy(np.stack([each] * twice)) for name, each in cases[0].items()}
        loaded = _laid_out({name: values.to(device) for name, values in arrays.items()}, recipe)
        shown = augmentation(recipe.augment)(loaded, torch.Generator())
        with torch.inference_mode(), learner.autocast():
            output = learner.bare.eval()(*(shown[name] for name in task.inputs))
        loss(recipe.loss)(output.float(), shown)
    except (BolusError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        raise BadRecipe(
            "the choices of the recipe do not go together",
            wanted="a network that takes what fitting shows, and a loss of what it answers",
            found=f"{type(error).__name__}: {files.reason(error)}",
        ) from error


def _is_over(learner: Learner, recipe: TrainRecipe) -> bool:
    out_of_time = recipe.minutes is not None and learner.spent_s >= 60.0 * recipe.minutes
    return learner.epoch >= recipe.epochs or learner.stale >= recipe.stop_after or out_of_time


def _feed(cases: CaseSet, recipe: TrainRecipe, run: Run, crew: Crew) -> Feed:
    short = torch.bfloat16 if recipe.precision == "bf16" else None
    return Feed(cases, recipe.batch, crew.device, workers=run.workers, room_mb=run.cache_mb, image=short)


def _order(n: int, recipe: TrainRecipe, crew: Crew, epoch: int) -> list[int]:
    """Return this process's cases of an epoch, in an order that the seed and the epoch give."""
    return crew.share(np.random.default_rng([recipe.seed, epoch]).permutation(n).tolist())


def _learn(learner: Learner, task: Task, recipe: TrainRecipe, batches: Any, crew: Crew) -> dict[str, float]:
    """Go once through the training cases; return the mean loss, and that of the critic where there is one."""
    objective, augment = loss(recipe.loss), augmentation(recipe.augment)
    generator = _generator(recipe.seed, learner.epoch, crew.rank)
    learner.network.train()
    total: defaultdict[str, Any] = defaultdict(lambda: torch.zeros((), device=crew.device))
    n = len(batches)
    for i, loaded in enumerate(batches):
        batch = augment(_laid_out(loaded, recipe), generator)
        more = (i + 1) % recipe.accumulate != 0 and i + 1 < n
        with crew.quiet(learner.network, until_later=more):
            with learner.autocast():
                output = learner.network(*(batch[name] for name in task.inputs))
            made = output.float()
            lost = recipe.loss_weight * objective(made, batch)
            if learner.critic is not None:
                parts = recipe.accumulate
                total["critic_loss"] += learner.critic.learn(batch, made, parts=parts, step=not more)
                lost = lost + learner.critic.doubt(batch, made)
            learner.scaler.scale(lost / recipe.accumulate).backward()
        if not more:
            learner.step(recipe)
        total["loss"] += lost.detach()
    means = {name: float(np.mean(crew.gathered(float(total[name]) / n))) for name in sorted(total)}
    if not all(math.isfinite(mean) for mean in means.values()):
        raise BadRecipe(
            "training diverged: the loss is no number", found=f"lr {recipe.lr:g}", remedy="Lower lr."
        )
    return means


def _generator(*numbers: int) -> Any:
    """Seed what is drawn in this epoch, dropout included, and return the generator of augmentation."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def _laid_out(batch: Mapping[str, Any], recipe: TrainRecipe) -> dict[str, Any]:
    """Return a batch with the channels of images last in memory, if the recipe says so."""
    if not recipe.channels_last or batch["image"].ndim != 4:
        return dict(batch)
    return {**batch, "image": batch["image"].contiguous(memory_format=torch.channels_last)}


def _validate(learner: Learner, task: Task, recipe: TrainRecipe, feed: Feed, crew: Crew) -> float:
    """Return the mean of the task's metric over the validation cases."""
    metric, head, network = METRICS[task.metric], HEADS[task.head](), learner.kept.eval()
    scores = []
    with torch.inference_mode():
        for loaded in feed.batches(range(crew.rank, len(feed.cases), crew.size)):
            with learner.autocast():
                batch = _laid_out(loaded, recipe)
                output = network(*(batch[name] for name in task.inputs))
            arrays = {name: values.cpu().numpy() for name, values in loaded.items() if name != "image"}
            for i, answer in enumerate(head(output.float()).cpu().numpy()):
                scores.append(metric(answer, {name: values[i] for name, values in arrays.items()}))
    mean = float(np.mean(sorted(score for part in crew.gathered(scores) for score in part)))
    if not math.isfinite(mean):
        raise BadInput(f"validation gave no {task.metric}", found=str(mean))
    return mean


def _enter(learner: Learner, epoch: Mapping[str, float], began: tuple[float, float], crew: Crew) -> None:
    """Write an epoch into the log, with the processor and wall time that it took."""
    cpu_s = learner.cpu_s + max(crew.gathered(time.process_time() - began[0]))
    row = {"epoch": learner.epoch + 1, **epoch, "best": learner.best}
    learner.log.append(row | {"cpu_s": cpu_s, "wall_s": time.perf_counter() - began[1]})


def _write(learner: Learner, drawn: list[str], folder: Path, board: Any) -> None:
    """Write weights if they are the best, then the log, then the state: a kill in between costs one epoch."""
    if learner.stale == 0:
        checkpoint.save_weights(learner.kept, folder / BEST)
    checkpoint.save_weights(learner.kept, folder / LAST)
    with files.whole(folder / LOG) as made, made.open("w", newline="", encoding="utf-8") as out:
        rows = csv.DictWriter(out, list(learner.log[0]), lineterminator="\n")
        rows.writeheader()
        rows.writerows(learner.log)
    checkpoint.save_state(learner.state(), folder / STATE)
    for name in drawn:
        board.add_scalar(name, learner.log[-1][name], learner.epoch)


class _NoBoard:
    """Stands in where TensorBoard is not installed."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Do nothing."""


@contextmanager
def _board(folder: Path, crew: Crew) -> Iterator[Any]:
    """Yield what draws curves in TensorBoard, where it is installed."""
    if not crew.leads or find_spec("tensorboard") is None:
        yield _NoBoard()
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "tensorboard") as board:
        yield board
