"""`bolus learn guard`: what tells when a network is shown an injection that it does not know."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bolus.apps.terminal import Terminal
from bolus.core.errors import BadRecipe


def guard(
    name: Annotated[str, typer.Argument(metavar="TASK", help="What it outlines: ica.")],
    cases: Annotated[
        Path, typer.Option("--data", help="Folder of cases, some with other arteries injected.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, ending in .onnx.")],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="Exported network; else the one that is shipped.", show_default=False),
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", help="NAME=FOLDER: other cases to score it on.")
    ] = None,
) -> None:
    """Teach a network to tell when another artery was injected, from cases of both kinds."""
    terminal = Terminal()
    with terminal.reporting():
        from bolus.learn import ica, infer, teaching

        if find_spec("onnx") is None:
            raise BadRecipe("a guard needs onnx", remedy="Install it with: pip install 'bolus[learn]'")
        if name != "ica":
            raise BadRecipe("only networks that outline the carotid have a guard", wanted="ica", found=name)
        folders = {label: Path(folder) for label, _, folder in (text.partition("=") for text in check or [])}
        made = teaching.teach(infer.load(weights or ica.SHIPPED, task=name), cases, out, folders)
    rows = [
        (label, kind, *(f"{value:g}" for value in told.values()))
        for label, found in made.scores.items()
        for kind, told in found.items()
    ]
    header = ("cases", "injected", "views", *(f"chance above {limit:g}" for limit in teaching.LIMITS))
    terminal.table("", rows, header)
    terminal.say(f"network: {out}")
