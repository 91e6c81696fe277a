"""A command that is stopped leaves nothing half-written, and says no more than it must."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bolus import phantom
from bolus.apps.cli import _ENDING, _leave

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
PROGRAM = [sys.executable, "-u", "-m", "bolus"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stop") / "study"
    return phantom.write_study(phantom.ct(shape=(64, 64, 8), n_frames=40, noise_hu=2.0), folder) / "dicom"


def started(study: Path, out: Path, until: str) -> subprocess.Popen[str]:
    """Start a run that waits at a stage, and return it when it is there."""
    code = (
        "import signal, sys, time\n"
        # these tests may run in the background of a shell, which switches interrupts off
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from bolus import pipeline, export\n"
        "from bolus.export import report\n"
        "def wait(*_args, **_options):\n"
        "    print('waiting', flush=True); time.sleep(60)\n"
        f"{until} = wait\n"
        "from bolus.apps.cli import main\n"
        "main()\n"
    )
    words = [sys.executable, "-c", code, "run", study, "-o", out, "--no-motion"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.1)
    return process


@pytest.mark.parametrize(
    ("number", "code", "stage"),
    [
        (signal.SIGINT, 130, "pipeline.run"),
        (signal.SIGINT, 130, "report.render"),
        (signal.SIGTERM, 143, "report.render"),
        (signal.SIGHUP, 129, "pipeline.run"),
    ],
)
def test_a_stopped_run_leaves_nothing(
    study: Path, tmp_path: Path, number: signal.Signals, code: int, stage: str
) -> None:
    process = started(study, tmp_path / "out", stage)
    if stage == "report.render":
        assert list(tmp_path.iterdir()), "the test should stop it in the middle of writing"

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_being_told_twice_is_as_being_told_once() -> None:
    kept = {number: signal.getsignal(number) for number in (*_ENDING, signal.SIGINT)}
    try:
        with pytest.raises(SystemExit) as caught:
            _leave(signal.SIGTERM, None)
        assert caught.value.code == 143
        assert {signal.getsignal(number) for number in kept} == {signal.SIG_IGN}
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_a_reader_that_leaves_is_no_error(study: Path) -> None:
    words = [*PROGRAM, "info", study, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert "Traceback" not in err
    assert "unexpected" not in err


def test_names_in_another_encoding_are_told(tmp_path: Path) -> None:
    study = Path(os.fsdecode(os.fsencode(tmp_path) + b"/name-\xe9"))
    done = subprocess.run(
        [*PROGRAM, "info", study, "--json"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 3
    assert "name-" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_module_is_the_program() -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)
