"""`bolus learn data import-maps`: perfusion scans with maps become cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bolus.apps.terminal import Terminal
from bolus.core.errors import BadInput, BadRecipe


def import_maps(  # noqa: PLR0913, PLR0917 - one argument an option of the command
    name: Annotated[str, typer.Argument(metavar="TASK", help="ctp-unet or dsc-gan.")],
    place: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Of the data set; a CSV file for manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    layout: Annotated[
        str, typer.Option("--from", help="unitobrain, isles2018, isles2024, or manifest: a list of your own.")
    ] = "manifest",
    reference: Annotated[
        str, typer.Option("--reference", help="Maps to learn: given, or those that bolus run makes.")
    ] = "given",
    method: Annotated[
        str, typer.Option("--method", help="Of bolus' own maps; unset: box (CT), osvd (MR).")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> None:
    """Make cases of perfusion scans with maps: public data sets, or your own with a list."""
    from bolus.learn import making, maps, published, scans

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        plans = {"ctp-unet": maps.CTP, "dsc-gan": maps.DSC}
        if name not in plans:
            raise BadRecipe("no task with maps", wanted=", ".join(plans), found=name)
        if layout not in published.LAYOUTS:
            raise BadRecipe("unknown layout", wanted=", ".join(published.LAYOUTS), found=layout)
        if not place.exists():
            raise BadInput("there is no such folder or file", where=place)
        source = {"task": name, "generator": layout, "reference": reference, "method": method}
        cases = scans.read_cases(published.LAYOUTS[layout](place), plans[name], reference, method)
        made = making.bring_in(out, cases, source=source, progress=progress)
    terminal.say(f"cases: {len(made.entries)} of {len(made.patients)} patients, {out}")
