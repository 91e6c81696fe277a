"""`bolus learn`: cases, training, scores and answers of the learned systems."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bolus.apps.scans import import_maps
from bolus.apps.terminal import Terminal
from bolus.core.errors import BadInput, BadRecipe

if TYPE_CHECKING:
    from bolus.learn.cases import Manifest
    from bolus.learn.infer import Network
    from bolus.learn.recipe import TrainRecipe
    from bolus.learn.splits import Split
    from bolus.learn.tasks import Task

app = typer.Typer(help="Train, judge and use learned systems.", no_args_is_help=True, rich_markup_mode=None)
data = typer.Typer(help="Make folders of cases.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")
data.command(name="import-maps")(import_maps)

_HEADER = ("cases", "score", "mean", "95 %", "SD", "least", "n")
TaskName = Annotated[str, typer.Argument(metavar="TASK", help="What is learned; see `bolus learn tasks`.")]
Cases = Annotated[Path, typer.Option("--data", help="Folder of cases that `bolus learn data` made.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")]
RunFolder = Annotated[Path | None, typer.Option("--run", help="Folder of a training.", show_default=False)]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", help="Exported network (.onnx, its card beside it).", show_default=False),
]
Preset = Annotated[str, typer.Option("--preset", help="Recipe to start from; else the first.")]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", help='Other choice of the recipe, as lr=1e-4 or augment=["flip"].'),
]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="At most so many.")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="Of processor time, at most.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Of the processor; 0: all.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")]


@app.command()
def tasks(as_json: Json = False) -> None:
    """List what can be learned, and the presets of each."""
    from bolus.learn import TASKS

    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document(
            {
                t.name: {"summary": t.summary, "takes": t.takes, "gives": t.gives}
                | {"presets": {name: recipe.as_dict() for name, recipe in t.presets.items()}}
                for t in TASKS.values()
            }
        )
    else:
        rows = [(t.name, t.summary, ", ".join(t.presets)) for t in TASKS.values()]
        terminal.table("", rows, ("task", "what it does", "presets"))


@data.command()
def simulate(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: TaskName,
    out: Out,
    patients: Annotated[int, typer.Option("--patients", min=1, help="How many.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same patients.")] = 0,
    setting: Annotated[str, typer.Option("--setting", help="Of the simulator: A, or B for a shift.")] = "A",
    size: Annotated[int, typer.Option("--size", min=64, help="Pixels along a side.")] = 384,
    reference: Annotated[
        str, typer.Option("--reference", help="Maps to learn: the truth, or those that bolus run makes.")
    ] = "truth",
    vessels: Annotated[
        str, typer.Option("--vessels", help="Arteries of X-ray runs that are injected in turn; else drawn.")
    ] = "",
    processes: Annotated[int, typer.Option("--processes", min=0, help="At the same time; 0: all.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate patients with known truth; a call that was stopped goes on where it was."""
    from bolus.learn import making
    from bolus.learn.infer import usable_processors

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        task = _task(name)
        if task.simulate is None:
            raise BadRecipe(f"there is no simulator of {name}", remedy="See `bolus learn data --help`.")
        if reference not in task.references:
            raise BadRecipe("unknown reference", wanted=", ".join(task.references), found=reference)
        if vessels and name != "ica":
            raise BadRecipe("only cases of ica differ in the artery injected", remedy="Leave --vessels out.")
        source = {"task": name, "generator": "simulated", "seed": seed, "setting": setting, "size": size}
        others = {"reference": "" if reference == "truth" else reference, "vessels": vessels}
        inject = tuple(vessels.split(","))
        made = making.simulate(
            out,
            making.orders(
                patients, seed=seed, setting=setting, size=size, reference=reference, vessels=inject
            ),
            task.simulate,
            source=source | {name: value for name, value in others.items() if value},
            processes=processes or usable_processors(),
            progress=progress,
        )
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")


@data.command()
def manifest(
    name: TaskName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder a patient: runs and masks.")],
    out: Out,
    site: Annotated[str, typer.Option("--site", help="Where they come from, in a word.")] = "",
    quiet: Quiet = False,
) -> None:
    """Make cases of your own DICOM runs with masks beside them."""
    from bolus.learn import angiograms, making

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        _require_folder(folder)
        source = {"task": _task(name).name, "generator": "DICOM runs with masks", "site": site}
        cases = angiograms.from_folder(folder, site=site)
        made = making.bring_in(out, cases, source=source, progress=progress)
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")


@data.command(name="import-dias")
def import_dias(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With training, validation and test.")],
    out: Out,
    quiet: Quiet = False,
) -> None:
    """Make cases of the task `arteries` of the public data set DIAS, with its authors' split."""
    from bolus.learn import dias, making, splits

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        _require_folder(folder)
        source = {"task": "arteries", "generator": "DIAS", "doi": "10.1016/j.media.2024.103247"}
        made = making.bring_in(out, dias.read_dias(folder), source=source, progress=progress)
        splits.write_split(dias.authors_split(folder), out / "split.json")
    terminal.say(f"cases: {len(made.entries)}, {out}")


@data.command()
def split(
    cases: Cases,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the JSON files.")],
    folds: Annotated[int, typer.Option("--folds", min=0, help="Fold by fold; 0: one split in parts.")] = 0,
    parts: Annotated[str, typer.Option("--parts", help="Of training, validation and test.")] = "0.5,0.3,0.2",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same split.")] = 0,
) -> None:
    """Deal patients out to training, validation and test; give the files to `bolus learn train --split`."""
    from bolus.learn import splits
    from bolus.learn.cases import read_manifest

    terminal = Terminal()
    with terminal.reporting():
        chosen = read_manifest(cases)
        if folds:
            made = splits.folds(chosen.patients, folds, seed=seed)
        else:
            made = (splits.split_patients(chosen.patients, _fractions(parts), seed=seed),)
        for i, one in enumerate(made):
            splits.check_leakage(one, chosen)
            path = out / (f"fold-{i}.json" if folds else "split.json")
            splits.write_split(one, path)
            terminal.say(f"{path}: {', '.join(f'{len(who)} {part}' for part, who in one.parts.items())}")


@app.command()
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
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read ahead.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Train a network. Under `torchrun -m bolus learn train ...`, all its processes train the same one."""
    terminal = Terminal(quiet=quiet or os.environ.get("RANK", "0") != "0")
    with terminal.reporting(), terminal.progress() as progress:
        task = _task(name)
        _require_torch()
        from bolus.learn.cases import read_manifest
        from bolus.learn.train import Run
        from bolus.learn.train import train as start

        recipe = _recipe(task, preset, {"epochs": epochs, "minutes": minutes}, change or [])
        chosen = read_manifest(cases)
        run = Run(out, resume=resume, begin_with=begin_with, device=device, threads=threads, workers=workers)
        parts = _split(split, chosen, recipe.seed)
        best = start(task, recipe, chosen, parts, run=run, progress=progress)
    terminal.say(f"best validation {task.metric}: {best:.4f}, {out}")


@app.command()
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
            "cross-validation, ablation, ensemble (train), combinations; of ctp-unet cross-validation "
            "(trains), lesions, dose; of dsc-gan comparison, fine-tuning (train).",
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
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a network on cases with known truth; without --run or --weights, the one that is shipped."""
    from bolus.learn import evaluate as judging
    from bolus.learn.cases import read_manifest

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        task = _task(name)
        if experiment:
            recipe = _recipe(task, preset, {"epochs": epochs, "minutes": minutes}, change or [])
            _experiment(
                (experiment, folds),
                (task, recipe),
                (cases, studies, external, out),
                (run, weights, threads),
                terminal,
            )
            return
        network = _network(task, run, weights, threads)
        chosen = _part(read_manifest(cases), run, part)
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
    what: tuple[Task, TrainRecipe],
    folders: tuple[Path, Path | None, Path | None, Path],
    network: tuple[Path | None, Path | None, int],
    terminal: Terminal,
) -> None:
    """Make one of the paper's experiments and print its table."""
    from bolus.learn import experiments
    from bolus.learn.cases import read_manifest
    from bolus.learn.ica import Segmenter

    (name, folds), (task, recipe), (cases, studies, external, out) = which, what, folders
    outside = None if external is None else read_manifest(external)
    chosen = read_manifest(cases)
    tests_network = name in experiments.NEEDS_NETWORK
    if not tests_network:
        _require_torch()
    tested = _network(task, *network) if tests_network else None
    segment = Segmenter(tested) if tested and task.head == "foreground" else None
    begin_with = network[0] / "best.safetensors" if network[0] and not tests_network else None
    part = _part(chosen, network[0], "") if tests_network else chosen
    with terminal.progress() as progress:
        bench = experiments.Bench(
            task, part, _split(None, chosen, recipe.seed), recipe, out, segment, studies, progress, tested,
            begin_with, folds, outside, network[2],
        )  # fmt: skip
        found = experiments.conduct(name, bench)
    if terminal.as_json:
        terminal.document({"title": found.title, "published": found.published, **found.numbers})
    terminal.table(found.title, list(found.rows), found.header)
    terminal.say(f"published, not reproduced: {found.published}")
    terminal.say(f"written: {out}")


@app.command()
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
        task = _task(name)
        if task.predict is not None:
            document = task.predict(_network(task, run, weights, threads), study, out)
            if as_json:
                terminal.document(document)
            for line in document["said"]:
                terminal.say(line)
            return
        if task.head != "foreground":
            raise BadRecipe(f"{name} outlines nothing on X-ray runs", remedy="Use `bolus learn evaluate`.")
        document = angiograms.predict(Segmenter(_network(task, run, weights, threads)), study, out)
        if as_json:
            terminal.document(document)
        for view in document["views"]:
            terminal.say(f"{view['view']}: {view['pixels']} pixels in {view['parts']} parts, {out}")


@app.command()
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
        task = _task(name)
        _require_torch()
        from bolus.learn.export import export as write

        card = write(task, run, out, dict(_scores(text) for text in scores or []), half=half)
    terminal.say(f"network: {out}, SHA-256 {card.files[out.name]}")


def _task(name: str) -> Task:
    from bolus.learn.tasks import task

    return task(name)


def _require_torch() -> None:
    from importlib.util import find_spec

    if any(find_spec(needed) is None for needed in ("torch", "monai", "safetensors", "onnx")):
        remedy = "Install it with: pip install 'bolus[learn]'"
        raise BadRecipe("training needs PyTorch and MONAI", found="not installed", remedy=remedy)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BadInput("there is no such folder", where=folder)


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadRecipe(
            "no parts of a split", wanted="three numbers such as 0.5,0.3,0.2", found=text
        ) from error
    return train, validation, test


def _recipe(task: Task, preset: str, given: Mapping[str, Any], changes: list[str]) -> TrainRecipe:
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


def _split(file: Path | None, chosen: Manifest, seed: int) -> Split:
    from bolus.learn import splits

    own = chosen.folder / "split.json"
    if file is None and own.is_file():
        file = own
    return splits.read_split(file) if file else splits.split_patients(chosen.patients, seed=seed)


def _network(task: Task, run: Path | None, weights: Path | None, threads: int) -> Network:
    """Return the network of a file, of a training (exported if need be), or the shipped one."""
    from bolus.learn import infer

    if run is not None and weights is not None:
        raise BadRecipe("give either --run or --weights", found="both")
    if run is not None:
        return infer.load(_exported(task, run), task=task.name, threads=threads)
    return infer.load(weights or infer.shipped(task.name), task=task.name, threads=threads)


def _exported(task: Task, run: Path) -> Path:
    path, best = run / f"{task.name}.onnx", run / "best.safetensors"
    if path.is_file() and best.is_file() and path.stat().st_mtime >= best.stat().st_mtime:
        return path
    _require_torch()
    from bolus.learn.export import export as write

    write(task, run, path)
    return path


def _part(chosen: Manifest, run: Path | None, part: str) -> Manifest:
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


def _scores(text: str) -> tuple[str, Any]:
    from bolus.learn.files import read_json

    name, _, file = text.partition("=")
    if not file:
        raise BadRecipe("no scores", wanted="NAME=FILE", found=text)
    document = read_json(Path(file), "the scores")
    return name, {key: document[key] for key in ("data", "scores", "verdicts", "rivals") if key in document}
