"""Size and documentation budgets of the code itself: what keeps functions short enough to read."""

import ast
import statistics
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "bolus"
MODULES = sorted(SOURCE.rglob("*.py"))
FUNCTION_CAP, FUNCTION_P90, FUNCTION_MEDIAN, FILE_CAP = 50, 30, 8, 500
BANNED = {"utils", "common", "helpers", "misc", "base", "manager", "handlers"}


def functions(module: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    statements = body[1:] if has_docstring else body
    return 0 if not statements else (statements[-1].end_lineno or 0) - statements[0].lineno + 1


ALL_FUNCTIONS = [(m, f) for m in MODULES for f in functions(m)]


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_file_is_under_its_cap(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= FILE_CAP


def test_functions_are_short() -> None:
    lengths = [body_lines(f) for _, f in ALL_FUNCTIONS]

    over = [f"{m.name}:{f.name} {body_lines(f)}" for m, f in ALL_FUNCTIONS if body_lines(f) > FUNCTION_CAP]
    assert not over
    assert statistics.median(lengths) <= FUNCTION_MEDIAN
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_P90


def test_no_room_is_a_lumber_room() -> None:
    assert not [m for m in SOURCE.rglob("*") if m.stem in BANNED]


def test_numerical_code_never_prints() -> None:
    printing = [
        f"{m}:{n.lineno}"
        for m in MODULES
        for n in ast.walk(ast.parse(m.read_text(encoding="utf-8")))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
    ]
    assert not printing


def test_no_machine_path_in_the_product() -> None:
    root = SOURCE.parents[1]
    texts = [*MODULES, *root.glob("*.md"), *(root / "docs").rglob("*.md")]
    assert not [p for p in texts if "/work/" in p.read_text(encoding="utf-8")]
