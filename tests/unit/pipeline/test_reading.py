"""Choices about reading come too late for a series that was read without them, and say so."""

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.core.grid import Grid
from bolus.core.recipe import Recipe
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.pipeline import run


def _short(dt=2.0):
    frames = np.zeros((4, 4, 1, 3), dtype=np.float32)
    return Series(frames, np.arange(3) * dt, Grid((4, 4, 1), np.eye(4)), Modality.XA, Unit.SIGNAL)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"dt": 1.5}, "dt is a choice of reading.*wanted 1.5 s; found frames 2 s apart.*ReadOptions.of"),
        ({"modality": "ct"}, "modality is a choice of reading.*wanted ct; found a series of XA"),
    ],
)
def test_a_choice_that_the_series_was_not_read_with_is_refused(choice, told):
    with pytest.raises(BadRecipe, match=told):
        run(_short(), Recipe(**choice))


@pytest.mark.parametrize("choice", [{"dt": 2.0}, {"modality": "xa"}, {}])
def test_one_that_it_was_read_with_is_not(choice):
    with pytest.raises(BadInput, match="too few frames"):
        run(_short(), Recipe(**choice))
