"""`bolus validate`: how accurate deconvolution is, against known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bolus.apps.terminal import Terminal

Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help="Folder for tables and figures; it must be new, empty or an earlier one."
    ),
]
Method = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="Method to test, options after a colon (osvd:limit=7.8); may be repeated. All unless given.",
        show_default=False,
    ),
]
Fast = Annotated[
    bool, typer.Option("--fast", help="Fewer curves: the pattern in seconds instead of minutes.")
]
Osipi = Annotated[
    Path | None,
    typer.Option(
        "--osipi", help="Folder with dsc_data.csv, the DSC reference curves of OSIPI.", show_default=False
    ),
]
Bezier = Annotated[
    Path | None,
    typer.Option(
        "--bezier",
        help="Folder with the simulated DSC images of the Bezier study (Chakwizira et al. 2022).",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same curves.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")]


def validate(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    out: Out,
    method: Method = None,
    fast: Fast = False,
    osipi: Osipi = None,
    bezier: Bezier = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the accuracy of every deconvolution method on curves with known truth."""
    from bolus import validate as validation

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        validation.require_writable(out)
        tested = validation.candidates(method or ())
        with terminal.progress() as progress:
            found = validation.assess(
                tested,
                effort=validation.FAST if fast else validation.FULL,
                seed=seed,
                osipi_folder=osipi,
                bezier_folder=bezier,
                progress=progress,
            )
            written = validation.write(found, out, progress=progress)
        if as_json:
            terminal.document(validation.document(found))
        else:
            table = validation.tables(found)["headline"]
            terminal.table(table.title, table.rows, table.header)
        terminal.say(f"tables and figures: {written / 'validation.md'}")
