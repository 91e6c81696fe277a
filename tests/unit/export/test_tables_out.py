import tomllib
from dataclasses import replace

import numpy as np

from bolus.core.recipe import DEFAULT, Recipe
from bolus.export.tables import write_curve, write_recipe


def test_a_curve_reads_back(tmp_path, small_result) -> None:
    aif = small_result.vessels.aif

    write_curve(tmp_path / "aif.csv", aif)

    lines = (tmp_path / "aif.csv").read_text().splitlines()
    table = np.array([line.split(",") for line in lines[1:]], dtype=float)
    assert lines[0] == "time_s,value"
    np.testing.assert_allclose(table[:, 0], aif.times, rtol=1e-6)
    np.testing.assert_allclose(table[:, 1], aif.values, rtol=1e-6)


def test_a_recipe_reads_back(tmp_path) -> None:
    recipe = replace(DEFAULT, method="csvd", method_options={"cutoff": 0.12}, aif='a "b"\\ü.csv', dt=1.5)

    write_recipe(tmp_path / "recipe.toml", recipe)

    sections = tomllib.loads((tmp_path / "recipe.toml").read_text(encoding="utf-8"))
    assert Recipe.from_sections(sections) == recipe
