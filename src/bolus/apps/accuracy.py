"""`bolus validate`: how accurate deconvolution is, against known truth."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bolus.apps.terminal import Terminal

if TYPE_CHECKING:
    from bolus.core.recipe import Recipe
    from bolus.core.units import Modality
    from bolus.validate import FlowResponse

RESPONSE: Final = "flow-response.json"
KIND: Final = "bolus flow response"

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
            _require_alone(fast=fast, osipi=osipi, bezier=bezier, seed=seed)
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


def _require_alone(**others: Any) -> None:
    """Refuse options that say nothing to a flow response."""
    from bolus.core.errors import BadRecipe

    given = ", ".join(f"--{name}" for name, value in others.items() if value)
    if given:
        raise BadRecipe("--flow-response measures nothing else", found=given, remedy="Leave it out.")


def _respond(study: Path, out: Path, methods: list[str], terminal: Terminal) -> None:
    """Measure how the maps of each method answer to scaled tissue, print it and write it down."""
    from bolus import learn, read
    from bolus import validate as validation
    from bolus.export import folder
    from bolus.learn import files

    manifest = folder.Manifest(RESPONSE, (KIND,))
    folder.require_writable(out, manifest)
    series = read.load(study)
    recipes = _recipes(methods, series.modality)
    with terminal.progress() as progress:
        found = {
            name: validation.flow_response(series, recipe, mappers=learn.MAPPERS, progress=progress)
            for name, recipe in recipes.items()
        }
    told = [_about(name, one) for name, one in found.items()]
    document = {"kind": KIND, "study": study.name, "methods": told, "files": [RESPONSE]}
    with folder.replaced(out, manifest) as made:
        files.write_json(made / RESPONSE, document)
    if terminal.as_json:
        terminal.document(document)
    names = ("CBF", "CBV", "MTT")
    rows = [
        (name, *(f"{one.slopes[n]:.2f}" for n in names), "yes" if one.faithful else "no")
        for name, one in found.items()
    ]
    terminal.table("flow response: slope of ln(map) against ln(k)", rows, ("method", *names, "follows flow"))
    terminal.say(f"flow response: {out / RESPONSE}")


def _recipes(methods: list[str], modality: Modality) -> dict[str, Recipe]:
    """Return the recipe of each method, with its options, before any is run."""
    from bolus import learn
    from bolus import validate as validation
    from bolus.core.recipe import Recipe
    from bolus.deconvolve import METHODS
    from bolus.pipeline.mapper import require_mapper

    recipes = {}
    for text in methods:
        if text.partition(":")[0] in METHODS:
            (one,) = validation.candidates([text])
            recipes[text] = Recipe(method=one.name, method_options=dict(one.options))
        else:
            recipes[text] = Recipe(method=text)
        require_mapper(recipes[text], modality, learn.MAPPERS)
    return recipes


def _about(name: str, found: FlowResponse) -> dict[str, Any]:
    return {
        "method": name,
        "factors": list(found.factors),
        "slopes": _finite(found.slopes),
        "shifts_s": _finite(found.shifts),
        "faithful": found.faithful,
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON can hold them: a map that is shown nowhere has none."""
    return {name: value if isfinite(value) else None for name, value in values.items()}
