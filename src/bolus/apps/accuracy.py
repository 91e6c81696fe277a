"""`bolus validate`: how accurate deconvolution is, against known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bolus.apps.terminal import Terminal

if TYPE_CHECKING:
    from bolus.validate import FlowResponse

RESPONSE: Final = "flow-response.json"

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
Response = Annotated[
    Path | None,
    typer.Option(
        "--flow-response",
        help="A CT or MR study: scale its tissue's enhancement, and see whether each --method's maps follow "
        "(posterior and net unless given). Nothing else is measured.",
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
    flow_response: Response = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the accuracy of every deconvolution method on curves with known truth."""
    from bolus import validate as validation

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with terminal.reporting():
        if flow_response is not None:
            _respond(flow_response, out, method or ["posterior", "net"], terminal)
            return
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


def _respond(study: Path, out: Path, methods: list[str], terminal: Terminal) -> None:
    """Measure how the maps of each method answer to scaled tissue, print it and write it down."""
    from bolus import learn, read
    from bolus import validate as validation
    from bolus.core.recipe import Recipe
    from bolus.learn import files

    series = read.load(study)
    found = []
    with terminal.progress() as progress:
        for name in methods:
            recipe = Recipe(method=name)
            found.append(validation.flow_response(series, recipe, mappers=learn.MAPPERS, progress=progress))
    document = {"kind": "bolus flow response", "study": study.name, "methods": [_about(one) for one in found]}
    files.write_json(out / RESPONSE, document)
    if terminal.as_json:
        terminal.document(document)
    names = ("CBF", "CBV", "MTT")
    rows = [
        (one.method, *(f"{one.slopes[name]:.2f}" for name in names), "yes" if one.faithful else "no")
        for one in found
    ]
    terminal.table("flow response: slope of ln(map) against ln(k)", rows, ("method", *names, "follows flow"))
    terminal.say(f"flow response: {out / RESPONSE}")


def _about(found: FlowResponse) -> dict[str, Any]:
    return {
        "method": found.method,
        "factors": list(found.factors),
        "slopes": dict(found.slopes),
        "shifts_s": dict(found.shifts),
        "faithful": found.faithful,
    }
