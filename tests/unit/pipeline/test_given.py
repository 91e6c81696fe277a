"""Which words stand for a curve: those of the artery and those of the vein are not the same."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.units import Unit
from bolus.pipeline.given import given

GRID = Grid((4, 4, 2), np.eye(4))


@pytest.mark.parametrize(
    ("name", "text"),
    [("AIF", "auto"), ("AIF", "kmeans"), ("AIF", "tissue"), ("VOF", "auto"), ("VOF", "none")],
)
def test_words_are_handed_on(name, text):
    assert given(text, name, GRID, Unit.HU) == text


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("AIF", "none", "auto, kmeans, tissue, FILE.csv"),
        ("AIF", "tisue", "auto, kmeans, tissue, FILE.csv"),
        ("VOF", "kmeans", "auto, none, FILE.csv"),
        ("VOF", "tissue", "auto, none, FILE.csv"),
    ],
)
def test_words_of_the_other_or_of_none_are_refused_with_those_that_are_known(name, text, wanted):
    with pytest.raises(BadRecipe, match=f"cannot tell what to take as {name}; wanted {wanted}"):
        given(text, name, GRID, Unit.HU)
