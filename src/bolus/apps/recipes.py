"""The choices of a command: a recipe file, and the options that win over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bolus.core.errors import BadRecipe, UnreadableFile
from bolus.core.recipe import DEFAULT, Recipe


def chosen(file: Path | None, options: Mapping[str, Any]) -> Recipe:
    """Join the defaults, the recipe file and the options given, later ones winning."""
    start = DEFAULT if file is None else _read_recipe(file)
    given = {name: value for name, value in options.items() if value is not None}
    return replace(start, **given)


def _read_recipe(file: Path) -> Recipe:
    try:
        return Recipe.from_sections(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile("the recipe cannot be read", where=file, found=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe("the recipe is not TOML", where=file, found=str(error)) from error
