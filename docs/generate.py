"""Pages that are written from the code itself: commands, choices, errors and accuracy."""

import hashlib
import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import bolus
from bolus import validate
from bolus.core import errors
from bolus.core.recipe import DEFAULT, Recipe
from bolus.validate.tables import TABLES

COMMANDS = [
    [], ["run"], ["info"], ["phantom"], ["phantom", "kudo"], ["phantom", "ct"], ["phantom", "mr"],
    ["validate"],
]  # fmt: skip
MEASURED = ("physics", "deconvolve", "quantify", "validate")
"""Packages whose source decides how accurate methods are."""


def write_all(folder: Path) -> None:
    """Write every generated page into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "cli.md").write_text(commands(), encoding="utf-8")
    (folder / "recipe.md").write_text(choices(), encoding="utf-8")
    (folder / "errors.txt").write_text(inspect.getdoc(errors) or "", encoding="utf-8")
    write_accuracy(folder)


def commands() -> str:
    """Return the help of every command, as a terminal shows it."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    parts = []
    for command in COMMANDS:
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
