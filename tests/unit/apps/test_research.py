"""Options of `bolus run` become classifiers, or are refused before the work begins."""

import pytest
from typer.testing import CliRunner

from bolus.apps.cli import app
from bolus.apps.research import asked, two_slices
from bolus.core.errors import BadRecipe
from bolus.core.units import Modality

RUNNER = CliRunner(env={"BOLUS_DEBUG": "1"})


def test_slices_are_two_numbers():
    assert two_slices("") is None
    assert two_slices("9, 14") == (9, 14)
    for text in ("9", "9,14,20", "a,b", "-1,4"):
        with pytest.raises(BadRecipe, match="no two slices"):
            two_slices(text)


def test_nobody_is_asked_unless_wanted():
    assert asked(core_size=False, levels="") == ()
    with pytest.raises(BadRecipe, match="goes with --core-size"):
        asked(core_size=False, levels="9,14")


def test_the_core_is_asked_about_with_the_levels_that_were_given():
    (one,) = asked(core_size=True, levels="9,14")
    assert one.levels == (9, 14)
    assert one.about.modality is Modality.CT
    assert one.about.name == "core-size"


def test_wrong_levels_are_an_error_of_usage(tmp_path):
    done = RUNNER.invoke(app, ["run", str(tmp_path), "-o", str(tmp_path / "out"), "--levels", "9"])
    assert done.exit_code == 2
    assert "--levels goes with --core-size" in done.stderr
