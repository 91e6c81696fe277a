"""Pages that are written from the code itself: commands, choices and errors."""

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from bolus.core import errors
from bolus.core.recipe import DEFAULT, Recipe

COMMANDS = [[], ["run"], ["info"], ["phantom"], ["phantom", "kudo"], ["phantom", "ct"], ["phantom", "mr"]]


def write_all(folder: Path) -> None:
    """Write every generated page into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "cli.md").write_text(commands(), encoding="utf-8")
    (folder / "recipe.md").write_text(choices(), encoding="utf-8")
    (folder / "errors.txt").write_text(inspect.getdoc(errors) or "", encoding="utf-8")


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
