"""`bolus cohort`: a folder of patients, each run as `bolus run` would, and one table of all."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Annotated, Any, Final

import typer

from bolus.apps import recipes
from bolus.apps.terminal import Exit, Terminal
from bolus.core.errors import BadInput, OutputFailed

TABLE: Final = "cohort.csv"
STATE: Final = ".cohort"
_ARCHIVES: Final = (".zip", ".nii", ".nii.gz", ".dcm")
_WRITTEN: Final = frozenset({Exit.DONE, Exit.WITHHELD})
"""Exit codes after which there is a result."""
_PASSING: Final = frozenset({"OutputFailed", "MemoryError"})
"""Errors that another try may not meet again; all else that is wrong with a study stays wrong."""
_COLUMNS: Final = ("patient", "view", "modality", "verdict", "exit", "what")
_VOLUMES: Final = ("core", "hypoperfused")
_MAPS: Final = ("CBF", "CBV", "MTT", "Tmax")


@dataclass(frozen=True, slots=True)
class Job:
    """One patient: a name for the folder of the result, and the study."""

    name: str
    study: Path


def cohort(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    folder: Annotated[Path, typer.Argument(help="A folder a patient: each entry of it is a study.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results, one a patient.")],
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="TOML file of choices for all of them.")
    ] = None,
    modality: Annotated[str, typer.Option("--modality", help="ct, mr or xa; empty: as the files say.")] = "",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Patients at the same time.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Run also those that are done.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")] = False,
) -> None:
    """Run every study of a folder; one that was stopped goes on, and one bad patient stops nobody."""
    from bolus.read import ReadOptions

    terminal = Terminal(quiet=quiet)
    with terminal.reporting():
        ReadOptions.of(recipes.chosen(recipe, {"modality": modality}))  # a slip is told once, not by each
        found = _jobs(folder, out)
        options = [
            *(["--recipe", str(recipe)] if recipe else []),
            *(["--modality", modality] if modality else []),
        ]
        _open(out)
        with terminal.progress() as progress:
            progress("patients", 0, len(found))
            for done, _ in enumerate(_run_all(found, out, options, jobs=jobs, again=again), 1):
                progress("patients", done, len(found))
        rows = [row for job in found for row in _rows(job, _state(out, job))]
        _write_table(out / TABLE, rows)
        shown = [(r["patient"], r["view"], r["verdict"], str(r["exit"]), str(r["what"])) for r in rows]
        terminal.table("", shown, ("patient", "view", "verdict", "exit", ""))
        terminal.say(f"table: {out / TABLE}")
        left = [state for job in found if not _is_done(out, job, state := _state(out, job))]
        if left:
            passing = all(_error(state) in _PASSING for state in left)
            raise SystemExit(Exit.UNUSABLE if passing else Exit.UNEXPECTED)


def _jobs(folder: Path, out: Path) -> list[Job]:
    """Find the studies; the results may lie beside them."""
    if not folder.is_dir():
        raise BadInput("there is no such folder", wanted="a folder of studies", where=folder)
    found = [
        Job(path.name, path)
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and (path.is_dir() or path.name.lower().endswith(_ARCHIVES))
        and path.resolve() != out.resolve()
    ]
    if not found:
        raise BadInput("the folder holds no study", wanted="a folder or an archive a patient", where=folder)
    return found


def _open(out: Path) -> None:
    """Make the folder, or take up one that this command made."""
    try:
        foreign = out.exists() and not (out / STATE).is_dir() and any(out.iterdir())
        if not foreign:
            (out / STATE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(
            "the output folder cannot be made or used",
            found=error.strerror or str(error),
            where=out,
            remedy="Choose another folder with -o.",
        ) from error
    if foreign:
        raise OutputFailed(
            "the output folder holds other files",
            wanted="a new or empty folder, or that of an earlier cohort",
            where=out,
            remedy="Choose another folder with -o.",
        )


def _run_all(
    jobs_: Sequence[Job], out: Path, options: list[str], *, jobs: int, again: bool
) -> Iterator[None]:
    """Run the patients, each in a process of its own, and write down how each ended."""
    running: set[subprocess.Popen[str]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(lambda job: _run(job, out, options, running, again=again), jobs_)
        except SystemExit:  # told to stop, which they were not; Ctrl-C reaches them as well
            for process in tuple(running):
                process.terminate()
            raise


def _run(
    job: Job, out: Path, options: list[str], running: set[subprocess.Popen[str]], *, again: bool
) -> None:
    key = _key(job, options)
    before = _state(out, job)
    if not again and before.get("key") == key and _is_done(out, job, before):
        return
    command = [
        sys.executable,
        "-m",
        "bolus",
        "run",
        str(job.study),
        "-o",
        str(out / job.name),
        "--json",
        *options,
    ]
    from bolus.learn import files

    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as process:  # noqa: S603 - our own program
        running.add(process)
        told, noise = process.communicate()
        running.discard(process)
    document = _document(process.returncode, told, noise)
    files.write_json(_place(out, job), {"key": key, "exit": process.returncode, "document": document})


def _is_done(out: Path, job: Job, state: Mapping[str, Any]) -> bool:
    """Tell whether another try would give the same, and what it gave is still there."""
    from bolus.export import layout

    if state.get("exit") in _WRITTEN:
        return (out / job.name / layout.SUMMARY).is_file()
    return state.get("exit") == Exit.UNUSABLE and _error(state) not in _PASSING


def _error(state: Mapping[str, Any]) -> str:
    return str((state.get("document") or {}).get("error", ""))


def _key(job: Job, options: list[str]) -> str:
    """Tell apart what was asked for: the study, the options, and what stands in the files that they name."""
    read = [Path(text).read_text(encoding="utf-8") for text in options if Path(text).is_file()]
    return hashlib.sha256(json.dumps([str(job.study.resolve()), options, read]).encode()).hexdigest()


def _document(code: int, told: str, noise: str) -> Any:
    """Return what a run told, or how it ended where it had no time to tell."""
    try:
        return json.loads(told)
    except ValueError:
        last = noise.strip().rpartition("\n")[2]
        ended = f"ended by signal {-code}" if code < 0 else f"exit {code}"
        return {"what": f"{ended}: {last}" if last else ended}


def _place(out: Path, job: Job) -> Path:
    return out / STATE / f"{job.name}.json"


def _state(out: Path, job: Job) -> dict[str, Any]:
    """Return how a patient ended; empty where it has not been run."""
    try:
        state: dict[str, Any] = json.loads(_place(out, job).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def _rows(job: Job, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row a view of a patient."""
    document = state.get("document") or {}
    start = {"patient": job.name, "exit": state.get("exit", Exit.UNEXPECTED)}
    if "views" in document:
        return [{**start, **_told(view, one)} for view, one in document["views"].items()]
    return [{**start, **_told("", document)}]


def _told(view: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table tells of one result, or why there is none."""
    verdict = document.get("verdict", {})
    reasons = "; ".join(verdict.get("reasons", ())) or document.get("what", "")
    row: dict[str, Any] = {
        "view": view,
        "modality": document.get("input", {}).get("modality", ""),
        "verdict": verdict.get("word", "none"),
        "what": reasons,
    }
    lesions = document.get("lesions") or {}
    for name in _VOLUMES:
        row[f"{name} [mL]"] = lesions.get("volumes_ml", {}).get(name)
    for name in _MAPS:
        made = document.get("maps", {}).get(name, {})
        row[f"{name} median"] = made.get("regions", {}).get("tissue", {}).get("median")
        row[f"{name} unit"] = made.get("unit", "")
    return row


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from bolus.learn import files

    names = [*_COLUMNS, *(name for name in rows[0] if name not in _COLUMNS)]
    with files.whole(path) as made, made.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.DictWriter(stream, names, lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)
