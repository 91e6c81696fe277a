"""Commands, options, findings and versions stand in the documentation."""

import re
import tomllib
from dataclasses import fields
from itertools import chain
from pathlib import Path

import bolus
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


def test_every_choice_of_the_recipe_is_documented() -> None:
    text = documentation()
    assert not [f.name for f in fields(Recipe) if f"`{f.name}`" not in text]


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
