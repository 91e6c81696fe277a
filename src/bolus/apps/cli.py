"""The command line: `bolus run`, `bolus info`, `bolus phantom`, `bolus validate`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from bolus import __version__
from bolus.apps import accuracy, cohort, phantoms, recipes, research
from bolus.apps.learn import app as learn_app
from bolus.apps.terminal import Exit, Terminal
from bolus.core.errors import UnreadableFile
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.core.units import Modality

if TYPE_CHECKING:
    from bolus.core.finding import Progress
    from bolus.core.result import Result
    from bolus.deconvolve import Place
    from bolus.pipeline import Classifier

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a program to end; Windows has no SIGHUP."""

app = typer.Typer(
    name="bolus",
    help="Contrast bolus to perfusion: CTP, DSC-MRI and DSA to maps, lesions and a report. Research "
    "software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # units stand in square brackets
)

Study = Annotated[Path, typer.Argument(help="DICOM folder or file, zip, or NIfTI (with its JSON sidecar).")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")]


def _help(name: str) -> str:
    """Return the help text of a recipe's option."""
    return str(next(f.metadata["help"] for f in fields(Recipe) if f.name == name))


def _text_option(name: str, flag: str) -> Any:
    return typer.Option(flag, help=_help(name), show_default=False)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    study: Study,
    out: Out,
    series: Annotated[str | None, _text_option("series", "--series")] = None,
    modality: Annotated[str | None, _text_option("modality", "--modality")] = None,
    dt: Annotated[float | None, _text_option("dt", "--dt")] = None,
    te: Annotated[float | None, _text_option("te_ms", "--te")] = None,
    aif: Annotated[str | None, _text_option("aif", "--aif")] = None,
    vof: Annotated[str | None, _text_option("vof", "--vof")] = None,
    mask: Annotated[str | None, _text_option("mask", "--mask")] = None,
    method: Annotated[str | None, _text_option("method", "--method")] = None,
    rule: Annotated[str | None, _text_option("rule", "--rule")] = None,
    filter_: Annotated[str | None, _text_option("filter", "--filter")] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="TOML file of choices; options given here win.")
    ] = None,
    no_motion: Annotated[bool, typer.Option("--no-motion", help="Leave head motion as it is.")] = False,
    leakage: Annotated[bool, typer.Option("--leakage", help=_help("leakage"))] = False,
    core_size: Annotated[
        bool,
        typer.Option(
            "--core-size",
            help="Say whether the core is 32 mL or larger (CT): a research result with its scores.",
        ),
    ] = False,
    levels: Annotated[
        str,
        typer.Option(
            "--levels", help="Slices for --core-size, as 9,14: basal ganglia, then above; the lowest is 0."
        ),
    ] = "",
    thrombus: Annotated[
        bool,
        typer.Option(
            "--thrombus",
            help="Say whether X-ray runs show a clot, and where: a research result with its scores.",
        ),
    ] = False,
    device: Annotated[
        str, typer.Option("--device", help="Where to deconvolve: cpu, or a device of PyTorch such as cuda.")
    ] = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a perfusion study into maps, lesions and a report; an X-ray run into maps and a report."""
    chosen = {
        "series": series, "modality": modality, "dt": dt, "te_ms": te, "aif": aif, "vof": vof, "mask": mask,
        "method": method, "rule": rule, "filter": filter_, "motion": "none" if no_motion else None,
        "leakage": leakage or None,
    }  # fmt: skip
    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        asked = research.asked(core_size=core_size, levels=levels, thrombus=thrombus)
        _run(study, out, (recipes.chosen(recipe, chosen), device, asked), terminal)


def _run(
    study: Path, out: Path, choices: tuple[Recipe, str, Sequence[Classifier]], terminal: Terminal
) -> None:
    from bolus import export, learn

    recipe, device, asked = choices
    place = None if device == "cpu" else learn.on_device(device)
    export.require_writable(out)
    _require_files(recipe)
    with terminal.progress() as progress:
        results = _results(study, recipe, (place, asked), progress)
        if len(results) == 1:
            written = export.write(results[0], out, progress=progress)
        else:
            written = export.write_views(results, out, progress=progress)
    _tell(results, study, terminal)
    terminal.say(f"report: {written / 'report.html'}")
    if any(result.verdict is Severity.FAIL for result in results):
        raise SystemExit(Exit.WITHHELD)


def _results(
    study: Path, recipe: Recipe, tools: tuple[Place | None, Sequence[Classifier]], progress: Progress
) -> list[Result]:
    """Read and run a study: one series, or the two views of an X-ray injection."""
    from bolus import learn, pipeline, read

    progress("read", 0, 1)
    searched = recipe.aif in {"auto", "kmeans", "tissue", "physics"}
    one_view = not searched  # a mask or a place belongs to one of them
    options = read.ReadOptions.of(recipe)
    found = (read.load(study, options=options),) if one_view else read.load_views(study, options=options)
    progress("read", 1, 1)
    is_xray = found[0].modality is Modality.XA
    carotid = learn.carotid() if is_xray and recipe.aif == "auto" else None
    place, asked = tools
    given: Any = {"place": place, "carotid": carotid, "mappers": learn.MAPPERS, "classifiers": asked}
    results = [pipeline.run(series, recipe, progress=progress, **given) for series in found]
    return research.joined(results, asked)


def _tell(results: list[Result], study: Path, terminal: Terminal) -> None:
    """Print findings, and the table or the document."""
    from bolus import export
    from bolus.apps import listing

    for result in results:
        terminal.findings(result.findings)
    if terminal.as_json:
        several = len(results) > 1
        terminal.document(export.summarise_views(results) if several else export.summarise(results[0]))
        return
    for result in results:
        lines = [("series", listing.about(result)), *export.summary_lines(result)]
        terminal.table(result.acquisition.description or study.name, lines, ("", ""))


def _require_files(recipe: Recipe) -> None:
    """Make sure, before minutes of work, that the files which a recipe names are there."""
    for name in ("aif", "vof", "mask"):
        text = str(getattr(recipe, name))
        if text.lower().endswith((".csv", ".nii", ".nii.gz")) and not Path(text).is_file():
            raise UnreadableFile(
                f"there is no such file for --{name}", where=text, remedy="Check the path that was given."
            )


@app.command()
def info(
    study: Study,
    series: Annotated[str | None, _text_option("series", "--series")] = None,
    modality: Annotated[str | None, _text_option("modality", "--modality")] = None,
    dt: Annotated[float | None, _text_option("dt", "--dt")] = None,
    as_json: Json = False,
) -> None:
    """Say what a study holds: series, timing, gaps, what would be used, and what is wrong."""
    from bolus import read
    from bolus.apps import listing

    terminal = Terminal(as_json=as_json)
    with terminal.reporting():
        options = read.ReadOptions.of(
            recipes.chosen(None, {"series": series, "modality": modality, "dt": dt})
        )
        survey = read.survey(study, options=options)
        if as_json:
            terminal.document(survey.as_dict())
        else:
            terminal.table(str(study), listing.rows(survey), listing.HEADER)
            for line in listing.notes(survey):
                terminal.say(line)
        if survey.chosen is None:
            raise SystemExit(Exit.UNUSABLE)


app.add_typer(phantoms.app, name="phantom")
app.add_typer(learn_app, name="learn")
app.command()(accuracy.validate)
app.command()(cohort.cohort)


def main() -> None:
    """Start the command line."""
    for number in _ENDING:
        signal.signal(number, _leave)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be in any encoding
    app(prog_name="bolus")


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End as by Ctrl-C when told to, so that nothing half-written stays; being told again changes nothing."""
    for each in (*_ENDING, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
