"""What a package says it exports is there, documented, and methods say where they come from."""

import importlib
import inspect
import pkgutil

import pytest

import bolus

PACKAGES = ["bolus"] + [f"bolus.{m.name}" for m in pkgutil.iter_modules(bolus.__path__)]
METHOD_TABLES = [("bolus.deconvolve", "METHODS"), ("bolus.prepare", "METHODS"), ("bolus.vessels", "METHODS")]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_export_is_real(name: str) -> None:
    module = importlib.import_module(name)
    assert not [x for x in getattr(module, "__all__", []) if not hasattr(module, x)]


def test_completion_finds_what_is_imported_late() -> None:
    assert {"load", "run", "write", "BolusError"} <= {*bolus.__all__} <= {*dir(bolus)}


@pytest.mark.parametrize("name", PACKAGES)
def test_every_exported_function_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    exported = [getattr(module, x) for x in getattr(module, "__all__", [])]
    bare = [f.__name__ for f in exported if inspect.isfunction(f) and not inspect.getdoc(f)]
    assert not bare


@pytest.mark.parametrize(("package", "table"), METHOD_TABLES)
def test_every_method_names_its_source(package: str, table: str) -> None:
    methods = getattr(importlib.import_module(package), table)
    unsourced = [
        k for k, f in methods.items() if k != "none" and "doi" not in (inspect.getdoc(f) or "").lower()
    ]
    assert not unsourced
