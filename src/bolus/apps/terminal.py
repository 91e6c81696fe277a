"""How the command line talks: tables, progress, errors and exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
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
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def document(self, document: Any) -> None:
        """Print one JSON document to standard output."""
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def say(self, text: str) -> None:
        """Print one line of the answer; with `--json`, to standard error."""
        if not self.quiet:
            (self.err if self.as_json else self.out).print(escape(text))

    def table(self, title: str, rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> None:
        """Print a table of the answer; with `--json`, to standard error."""
        if self.quiet:
            return
        table = Table(
            title=escape(title), title_justify="left", title_style="bold", box=SIMPLE, show_header=any(header)
        )
        for name in header:
            table.add_column(escape(name))
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        (self.err if self.as_json else self.out).print(table)

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
        """Turn an error of ours into one clear message and its exit code."""
        try:
            yield
        except BolusError as error:
            if self.as_json:
                self.document(error.as_dict())
            self.err.print(f"[bold red]error[/] {escape(str(error))}")
            raise SystemExit(Exit.USAGE if isinstance(error, BadRecipe) else Exit.UNUSABLE) from error
        except MemoryError as error:
            self.err.print("[bold red]error[/] not enough memory for this study; close programs or crop it")
            raise SystemExit(Exit.UNUSABLE) from error
