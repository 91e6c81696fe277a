"""The answer goes to standard output, all else to standard error, and errors have their exit codes."""

import json

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


def test_an_unexpected_error_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), Terminal().reporting():
        raise ZeroDivisionError


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
