"""The answer goes to standard output, all else to standard error, and errors have their exit codes."""

import json
import subprocess
import sys

import pytest

from bolus.apps.terminal import Exit, Terminal
from bolus.core.errors import BadRecipe, BadTimes, OutputFailed
from bolus.core.finding import Finding, Severity


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadTimes("no times", remedy="Give --dt."), Exit.UNUSABLE),
        (BadRecipe("unknown method"), Exit.USAGE),
        (OutputFailed("the disk is full"), Exit.UNUSABLE),
        (MemoryError(), Exit.UNUSABLE),
    ],
)
def test_errors_end_with_their_exit_code(
    error: Exception, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, Terminal().reporting():
        raise error
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error" in captured.err


def test_errors_are_one_json_document_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), Terminal(as_json=True).reporting():
        raise BadTimes(
            "all times are equal", wanted="times that differ", found="120 equal", remedy="Give --dt."
        )
    document = json.loads(capsys.readouterr().out)
    assert document["error"] == "BadTimes"
    assert document["remedy"] == "Give --dt."


def test_an_unexpected_error_is_one_message_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOLUS_DEBUG", raising=False)
    with pytest.raises(SystemExit) as caught, Terminal(as_json=True).reporting():
        raise ZeroDivisionError("division by zero")
    captured = capsys.readouterr()
    assert caught.value.code == Exit.UNEXPECTED
    assert "ZeroDivisionError: division by zero" in captured.err
    assert "BOLUS_DEBUG" in captured.err
    assert "Traceback" not in captured.err
    assert json.loads(captured.out).keys() == BadTimes("x").as_dict().keys()


def test_an_unexpected_error_shows_where_it_arose_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOLUS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError), Terminal().reporting():
        raise ZeroDivisionError


def test_ctrl_c_ends_with_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, Terminal().reporting():
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert capsys.readouterr().err == "error stopped\n"


HEADER = ("", "name", "series")
ROWS = [("use", "1a2b3c4d", "5 CTP head with a description of the length that scanners give " + 60 * "x")]


def test_a_table_wider_than_the_terminal_is_told_row_after_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    Terminal().table("study", ROWS, HEADER)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["study", "  use", "  name    1a2b3c4d"]
    assert lines[3] == f"  series  {ROWS[0][2]}"


@pytest.mark.parametrize("columns", ["40", "80", "250"])
def test_no_text_of_a_table_is_cut_at_any_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    Terminal().table("study", ROWS, HEADER)
    Terminal().table("result", [("hypoperfused (Tmax > 6 s)", 30 * "12 mL ")], ("", ""))
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert shown.count("x") == ROWS[0][2].count("x") + 1  # and the one of Tmax
    assert shown.count("12") == 30


def test_a_table_in_a_pipe_is_on_one_line_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Terminal().table("study", ROWS, HEADER)
    assert [
        line for line in capsys.readouterr().out.splitlines() if "1a2b3c4d" in line and ROWS[0][2] in line
    ]


def test_markup_in_texts_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().findings((Finding("TRUNCATED", Severity.WARN, "curve [bold]ends[/bold] early", 0.5),))
    Terminal().table("CTP [red]5.0", [("core", "[blink]12 mL")], ("", ""))
    captured = capsys.readouterr()
    assert "[bold]ends[/bold]" in captured.err
    assert "[blink]12 mL" in captured.out
    assert "CTP [red]5.0" in captured.out


def test_quiet_prints_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.table("CTP", [("core", "12 mL")], ("", ""))
    terminal.say("report: out/report.html")
    assert capsys.readouterr().out == ""


def test_there_is_no_progress_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal().progress() as report:
        report("motion", 1, 2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_json_refuses_numbers_that_are_none() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Terminal(as_json=True).document({"core": float("nan")})


def test_help_waits_for_no_numerics() -> None:
    heavy = {"numpy", "scipy", "numba", "pydicom", "onnxruntime"}
    code = f"import sys, bolus.apps.cli; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
