"""A late artery of the affected side."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.brain import Midline
from bolus.core.lesion import Lesions
from bolus.vessels import find_vessels, is_ipsilateral_and_late


def lesions(known, side: str, midline: bool = True) -> Lesions:
    none = np.zeros_like(known.artery)
    middle = float(known.raw.grid.position_mm([31.5, 0, 0])[0])
    return Lesions(
        rule="rapid",
        core=none,
        hypoperfused=none,
        tissue=known.brain.tissue,
        side=side,
        midline=Midline(np.array([1.0, 0.0, 0.0]), middle) if midline else None,
        reference={},
        volumes_ml={},
        mismatch_ml=0.0,
        mismatch_ratio=1.0,
        hypoperfusion_intensity_ratio=None,
        cbv_index=None,
    )


@pytest.mark.parametrize(("delay_s", "late"), [(0.0, False), (0.5, False), (2.0, True), (3.5, True)])
def test_only_a_late_artery_of_the_affected_side_is_refused(head, delay_s, late):
    known = head(right_delay_s=delay_s)
    on_the_right = find_vessels(known.raw, known.brain, avoid=~known.right)

    assert is_ipsilateral_and_late(on_the_right, known.raw, lesions(known, "right")) is late
    assert is_ipsilateral_and_late(on_the_right, known.raw, lesions(known, "left")) is False


def test_a_second_search_finds_the_healthy_side(head):
    known = head(right_delay_s=4.0)
    first = find_vessels(known.raw, known.brain, avoid=~known.right)
    assert is_ipsilateral_and_late(first, known.raw, lesions(known, "right"))

    second = find_vessels(known.raw, known.brain, avoid=known.right)

    assert not is_ipsilateral_and_late(second, known.raw, lesions(known, "right"))
    assert second.aif.quality["arrival_s"] < first.aif.quality["arrival_s"] - 3.0


def test_without_a_side_or_a_midline_or_a_found_artery_nothing_is_late(head):
    known = head(right_delay_s=4.0)
    found = find_vessels(known.raw, known.brain, avoid=~known.right)
    given = replace(found, aif=replace(found.aif, origin="given mask"))

    assert not is_ipsilateral_and_late(found, known.raw, lesions(known, "none"))
    assert not is_ipsilateral_and_late(found, known.raw, lesions(known, "right", midline=False))
    assert not is_ipsilateral_and_late(given, known.raw, lesions(known, "right"))
