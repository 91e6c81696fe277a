"""Pages that are written from the code itself: commands, choices, errors and accuracy."""

import hashlib
import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import typer

import bolus
from bolus import validate
from bolus.apps.cli import app
from bolus.core import errors
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.units import Modality
from bolus.deconvolve import METHODS
from bolus.physics.transport import RESIDUES, tissue_curves, unit_flow
from bolus.validate.tables import TABLES, Table

MEASURED = ("physics", "deconvolve", "quantify", "validate")
"""Packages whose source decides how accurate methods are."""


def write_all(folder: Path) -> None:
    """Write every generated page into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "cli.md").write_text(commands(), encoding="utf-8")
    (folder / "recipe.md").write_text(choices(), encoding="utf-8")
    (folder / "errors.txt").write_text(inspect.getdoc(errors) or "", encoding="utf-8")
    (folder / "dsa_delay.md").write_text(delays_of_dsa().markdown(), encoding="utf-8")
    write_accuracy(folder)


def paths(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of a command and of all below it."""
    below = getattr(command, "commands", {})
    return [path, *(found for name, one in below.items() for found in paths(one, (*path, name)))]


def commands() -> str:
    """Return the help of every command, as a terminal shows it."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    parts = []
    for command in paths(typer.main.get_command(app)):
        program = [sys.executable, "-m", "bolus", *command, "--help"]
        text = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own program
        parts.append(f"## `{' '.join(['bolus', *command])}`\n\n```text\n{text.strip()}\n```\n")
    return "\n".join(parts)


def choices() -> str:
    """Return the table of every choice of a recipe."""
    rows = ["| section | choice | default | meaning | source |", "|---|---|---|---|---|"]
    for choice in fields(Recipe):
        told, default = choice.metadata, getattr(DEFAULT, choice.name)
        shown = "unset" if default is None else f"`{default!r}`"
        meaning = told["help"].replace("|", "\\|")
        rows.append(f"| {told['section']} | `{choice.name}` | {shown} | {meaning} | {told['source']} |")
    return "\n".join(rows) + "\n"


def delays_of_dsa() -> Table:
    """Return the flow that two methods find in a DSA run for tissue of several delays, over the truth."""
    delays, transit = np.arange(-2.0, 5.0), np.full(7, 3.5)
    usual, paper = (Recipe(method=name).settled(Modality.XA) for name in ("auto", "paper"))
    rows = []
    for seconds in (13.0, 20.0):
        for residue in ("gamma", "exponential", "box"):
            for recipe in (usual, paper):
                times = np.arange(0.0, seconds, recipe.time_step or 0.25)
                tissue = tissue_curves(
                    injection, times, (np.ones(7), transit, delays), residue=RESIDUES[residue], fine_dt=0.02
                )
                method = METHODS[recipe.method]
                found = method(tissue.astype(np.float32), injection(times), times[1], **recipe.method_options)
                cells = [f"{flow * unit_flow():.2f}" for flow in found.flow]
                name = "default" if recipe is usual else "paper"
                rows.append((f"{seconds:g}", residue, name, *cells))
    return Table("", ("run [s]", "residue", "method", *(f"{d:+g} s" for d in delays)), tuple(rows))


def injection(times: np.ndarray) -> np.ndarray:
    """Return the arterial curve of a DSA run: 2.5 s of contrast that arrives at 2.7 s, a little mixed."""
    fine = np.arange(-60.0, 90.0, 0.01)
    given = np.interp(fine, [2.7, 3.0, 5.5, 5.8], [0.0, 0.65, 0.65, 0.0])
    mixing = np.where((fine >= 0) & (fine < 5), np.exp(-fine / 0.35), 0.0)[fine >= 0]
    mixed = np.convolve(given, mixing / mixing.sum())[: fine.size]
    return np.interp(times, fine, mixed, left=0.0, right=0.0)


def write_accuracy(folder: Path) -> None:
    """Measure all methods and write tables and figures, unless they are there for this very source."""
    stamp, source = folder / "accuracy.stamp", digest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == source:
        return
    found = validate.assess(validate.candidates(), effort=validate.FAST)
    validate.write(found, folder / "accuracy")
    made = validate.tables(found)
    for name in TABLES:
        text = made[name].markdown() if name in made else "Nothing was measured.\n"
        (folder / f"accuracy_{name}.md").write_text(text, encoding="utf-8")
    stamp.write_text(source, encoding="utf-8")


def digest() -> str:
    """Return what changes whenever the source of what is measured does."""
    home = Path(bolus.__file__).parent
    files = sorted(path for name in MEASURED for path in (home / name).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
