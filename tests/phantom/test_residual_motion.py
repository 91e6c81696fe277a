"""Jumps of up to 4 mm and 4 degrees leave at most 0.5 mm of motion in any frame of simulated patients."""

import pytest

from bolus import phantom
from bolus.prepare import correct_motion


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("ct", 6), ("mr", 6)])
def test_the_head_stands_still_after_correction(kind, seed, residual):
    study = getattr(phantom, kind)(seed=seed, motion=True)

    _, trace = correct_motion(study.series)

    assert residual(study.truth, study.series.grid, trace, 5).max() <= 0.5
    assert trace.rejected == ()
