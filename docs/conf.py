"""Build the documentation: `make docs`."""

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import bolus
from bolus.core import errors
from bolus.core.recipe import DEFAULT, Recipe

project = "bolus"
author = "The bolus developers"
release = version = bolus.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "generated/*.md"]
html_theme = "furo"
html_title = f"bolus {release}"
html_static_path = ["_static"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
suppress_warnings = ["myst.xref_missing"] if os.environ.get("BOLUS_DOCS_DRAFT") else []

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
COMMANDS = [[], ["run"], ["info"], ["phantom"], ["phantom", "kudo"], ["phantom", "ct"], ["phantom", "mr"]]


def write_commands() -> None:
    """Write the help of every command, as a terminal shows it."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    parts = []
    for command in COMMANDS:
        shown = ["bolus", *command, "--help"]
        program = [sys.executable, "-m", "bolus.apps.cli", *command, "--help"]
        text = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own program
        parts.append(f"## `{' '.join(shown[:-1])}`\n\n```text\n{text.rstrip()}\n```\n")
    (GENERATED / "cli.md").write_text("\n".join(parts), encoding="utf-8")


def write_choices() -> None:
    """Write the table of every choice of a recipe."""
    rows = ["| section | choice | default | meaning | source |", "|---|---|---|---|---|"]
    for choice in fields(Recipe):
        default = getattr(DEFAULT, choice.name)
        told = choice.metadata
        rows.append(
            f"| {told['section']} | `{choice.name}` | `{default!r}` | {told['help']} | {told['source']} |"
        )
    (GENERATED / "recipe.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_errors() -> None:
    """Write the tree of errors."""
    (GENERATED / "errors.txt").write_text(inspect.getdoc(errors) or "", encoding="utf-8")


GENERATED.mkdir(exist_ok=True)
write_commands()
write_choices()
write_errors()
