import pytest

from bolus.core.errors import BadRecipe
from bolus.deconvolve import METHODS
from bolus.validate import candidates


def test_all_methods_are_tested_unless_some_are_named():
    assert [c.label for c in candidates()] == list(METHODS)
    assert [c.method for c in candidates(["osvd", "osvd", "csvd"])] == ["osvd", "csvd"]


def test_options_stand_after_a_colon():
    (found,) = candidates(["osvd:limit=7.8,index=wu2003"])

    assert found.options == {"limit": 7.8, "index": "wu2003"}
    assert found.label == "osvd:limit=7.8,index=wu2003"
    assert found.name == "osvd"


@pytest.mark.parametrize("text", ["magic", "osvd:cutoff=0.1", "osvd:limit", ""])
def test_unknown_methods_and_options_are_refused(text):
    with pytest.raises(BadRecipe):
        candidates([text])
