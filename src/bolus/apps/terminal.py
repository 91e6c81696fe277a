"""How the command line talks: tables, progress, errors and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from bolus.core.errors import BadRecipe, BolusError
from bolus.core.finding import Finding, Severity
from bolus.core.finding import Progress as Report


class Exit(IntEnum):
    """Exit codes that other programs rely on."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    UNUSABLE = 3
    WITHHELD = 4
    STOPPED = 130


DEBUG = "BOLUS_DEBUG"
"""Environment variable that, set to anything, shows where an unexpected error came from."""
_PIPE_WIDTH = 200
"""Columns where no terminal sets them: tables in a pipe are not cut."""
_STYLES = {Severity.INFO: "cyan", Severity.WARN: "yellow", Severity.FAIL: "bold red"}


class Terminal:
    """Standard output for the answer, standard error for all else.

    Parameters
    ----------
    as_json
        The answer is one JSON document, errors included.
    quiet
        No progress and no table; findings and errors still show.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.out = _console()
        self.err = _console(stderr=True)

    def document(self, document: Any) -> None:
        """Print one JSON document to standard output."""
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def say(self, text: str) -> None:
        """Print one line of the answer; with `--json`, to standard error."""
        if not self.quiet:
            (self.err if self.as_json else self.out).print(escape(text))

    def table(self, title: str, rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> None:
        """Print a table of the answer (with `--json`, to standard error), row after row if too wide."""
        if self.quiet:
            return
        console = self.err if self.as_json else self.out
        table = _table(title, rows, header)
        room = console.options.update(max_width=10_000)
        if any(header) and Measurement.get(console, room, table).maximum > console.width:
            console.print(escape(title), style="bold")
            for row in rows:
                console.print(escape(_record(row, header)) + "\n")
        else:
            console.print(table)

    def findings(self, findings: tuple[Finding, ...]) -> None:
        """Print what a reader must know, worst first, to standard error."""
        for finding in findings:
            style = _STYLES[finding.severity]
            label = f"{finding.severity.value.upper():4} {finding.code}"
            self.err.print(f"[{style}]{escape(label)}[/]  {escape(finding.text)}")

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """Yield a progress reporter: bars on a terminal, silence in a pipe."""
        if self.quiet or not self.err.is_terminal:
            yield lambda _stage, _done, _total: None
            return
        columns = (TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.err, transient=True) as bars:
            tasks: dict[str, TaskID] = {}

            def report(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(escape(stage), total=total)
                bars.update(tasks[stage], completed=done, total=total)

            yield report

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turn whatever stops a command into one clear message and its exit code."""
        try:
            yield
        except BolusError as error:
            code = Exit.USAGE if isinstance(error, BadRecipe) else Exit.UNUSABLE
            self._end(code, error.as_dict(), str(error), error)
        except MemoryError as error:
            what = "not enough memory for this study"
            self._end(Exit.UNUSABLE, _as_document(error, what), f"{what}; close programs or crop it", error)
        except KeyboardInterrupt as error:
            self._end(Exit.STOPPED, _as_document(error, "stopped"), "stopped", error)
        except BrokenPipeError:
            raise  # whoever read the answer has gone; the framework ends quietly
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            what = f"{type(error).__name__}: {error}"
            text = f"unexpected: {what}. This is a fault of bolus; {DEBUG}=1 shows where it lies."
            self._end(Exit.UNEXPECTED, _as_document(error, what), text, error)

    def _end(self, code: Exit, document: dict[str, str], text: str, cause: BaseException) -> NoReturn:
        if self.as_json:
            self.document(document)
        self.err.print(f"[bold red]error[/] {escape(text)}")
        raise SystemExit(code) from cause


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def _table(title: str, rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> Table:
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=SIMPLE, show_header=any(header)
    )
    for name in header:
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _record(row: tuple[str, ...], header: tuple[str, ...]) -> str:
    """Return a row as lines of a name and a cell; a cell without a name leads, an empty one is left out."""
    width = max(len(name) for name in header)
    cells = [(name, cell) for name, cell in zip(header, row, strict=True) if cell]
    return "\n".join(f"  {name:{width}}  {cell}" if name else f"  {cell}" for name, cell in cells)


def _as_document(error: BaseException, what: str) -> dict[str, str]:
    """Return an error that is not ours under the keys of `BolusError.as_dict`."""
    empty = dict.fromkeys(("wanted", "found", "where", "remedy"), "")
    return {"error": type(error).__name__, "what": what, **empty}
