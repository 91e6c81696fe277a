"""Commands, options, findings and versions stand in the documentation."""

import re
import tomllib
from dataclasses import fields
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain
from pathlib import Path
from types import ModuleType

import typer

import bolus
from bolus.apps.cli import app
from bolus.core.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


def documentation() -> str:
    pages = [p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts]
    return "\n".join(p.read_text(encoding="utf-8") for p in pages)


def test_every_finding_code_is_documented() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py"))
    codes = set(re.findall(r"""Finding\(\s*(?:code=)?"([A-Z][A-Z_]+)\"""", source))
    text = documentation()
    assert codes
    assert not [c for c in sorted(codes) if c not in text]


def generated() -> ModuleType:
    """The module beside `docs/conf.py` that writes pages from the code."""
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_the_help_of_every_command() -> None:
    found = generated().paths(typer.main.get_command(app))

    assert {(), ("run",), ("phantom", "xa"), ("learn", "guard"), ("learn", "data", "import-maps")} <= {*found}
    assert len(found) == len(set(found)) > 20
    assert "{include} ../generated/cli.md" in (ROOT / "docs/reference/cli.md").read_text("utf-8")


def test_every_choice_of_the_recipe_is_documented() -> None:
    rows = {row.split(" | ")[1]: row for row in generated().choices().splitlines()[2:]}

    assert [f"`{f.name}`" for f in fields(Recipe)] == list(rows)
    assert not [name for name, row in rows.items() if len(re.split(r"(?<!\\)\|", row)) != 7]
    assert all(len(f.metadata["help"]) > 10 for f in fields(Recipe))
    assert "{include} ../generated/recipe.md" in (ROOT / "docs/reference/recipe.md").read_text("utf-8")
    assert "generate.write_all" in (ROOT / "docs/conf.py").read_text("utf-8")


def test_every_option_of_a_run_is_a_choice_or_about_the_terminal() -> None:
    run = typer.main.get_command(app).commands["run"]
    apart = {
        "study",
        "out",
        "recipe",
        "no_motion",
        "device",
        "as_json",
        "quiet",
        "core_size",
        "levels",
        "thrombus",
    }
    spelt = {"te": "te_ms", "filter_": "filter"}

    names = {spelt.get(p.name, p.name) for p in run.params if p.name not in apart}

    assert not names - {f.name for f in fields(Recipe)}
    assert not [p.name for p in run.params if not p.help]


def test_every_stage_and_module_of_formulas_has_its_place_in_the_reference() -> None:
    page = (ROOT / "docs/reference/api.md").read_text("utf-8")
    source = ROOT / "src/bolus"
    stages = {p.parent.name for p in source.glob("*/__init__.py")} - {"core", "physics", "apps"}
    formulas = {f"physics.{p.stem}" for p in (source / "physics").glob("[a-z]*.py")}
    assert not [n for n in sorted(stages | formulas) if f"automodule:: bolus.{n}\n" not in page]


def test_version_is_the_same_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert bolus.__version__ == declared
    assert f"## [{declared}]" in changelog
    assert f"version: {declared}" in citation


def test_constraints_satisfy_the_declared_floors() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    )
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    requirements = [Requirement(w) for w in wanted]

    missing = [r.name for r in requirements if r.name.lower() not in pins]
    wrong = [
        str(r) for r in requirements if r.name.lower() in pins and pins[r.name.lower()] not in r.specifier
    ]
    assert not missing
    assert not wrong
