"""Curves as CSV and the recipe as TOML."""

from __future__ import annotations

from pathlib import Path

import tomli_w

from bolus.core.recipe import Recipe
from bolus.core.vessel import VesselCurve


def write_curve(path: Path, curve: VesselCurve) -> None:
    """Write a vessel's curve as `time_s,value` lines, to seven digits, as `--aif` reads it back."""
    rows = (f"{t:.7g},{v:.7g}" for t, v in zip(curve.times, curve.values, strict=True))
    path.write_text("\n".join(("time_s,value", *rows)) + "\n", encoding="utf-8")


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write every choice of a run as the TOML that `--recipe` reads back; unset ones are left out."""
    path.write_text(tomli_w.dumps(recipe.sections()), encoding="utf-8")
