"""Inputs unlike the training are told by what is strange about them."""

import numpy as np
import pytest

from bolus.core.errors import BadInput
from bolus.learn.likeness import ranges, strangest


def test_what_training_has_seen_is_not_strange():
    known = ranges([{"peak [HU]": 10.0, "area [cm2]": 200.0}, {"peak [HU]": 20.0, "area [cm2]": 260.0}])
    assert known == {"peak [HU]": [10.0, 20.0], "area [cm2]": [200.0, 260.0]}
    assert strangest(known, {"peak [HU]": 10.0, "area [cm2]": 260.0}) is None
    assert strangest(known, {"peak [HU]": 24.9, "other": 1e9}) is None


def test_the_strangest_is_named_with_its_range():
    known = {"peak [HU]": [10.0, 20.0], "area [cm2]": [200.0, 260.0]}
    found = strangest(known, {"peak [HU]": 2.0, "area [cm2]": 20.0})
    assert found.name == "area [cm2]"
    assert str(found) == "area [cm2] is 20, in training 200 to 260"
    assert strangest(known, {"peak [HU]": np.nan, "area [cm2]": 20.0}).name == "peak [HU]"


def test_ranges_need_inputs():
    with pytest.raises(BadInput, match="no input"):
        ranges([])
