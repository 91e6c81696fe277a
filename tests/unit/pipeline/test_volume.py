"""What head motion leaves in the curves is taken out where motion was corrected, and only there."""

import numpy as np
import pytest

from bolus import pipeline
from bolus.core.errors import BadRecipe
from bolus.core.recipe import Recipe
from bolus.deconvolve.residual_motion import STEP
from bolus.phantom import ct


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A head that shifts by two pixels while contrast is there, and the arterial curve from a file."""
    head = ct(shape=(48, 48, 4), n_frames=24, dt=2.0, noise_hu=1.0, seed=1)
    frames = np.array(head.series.frames)
    frames[..., 14:] = np.roll(frames[..., 14:], 2, axis=0)
    path, aif = tmp_path_factory.mktemp("study") / "aif.csv", head.truth.aif
    np.savetxt(path, np.column_stack([aif.times, aif.values]), "%g", ",", header="time_s,value", comments="")
    return head.series.with_frames(frames, "moved by hand"), str(path)


def _run(study, **changes):
    series, artery = study
    return pipeline.run(series, Recipe(method="csvd", aif=artery, **changes))


def test_motion_that_is_left_is_taken_out_and_said(study):
    result = _run(study)
    assert result.motion.max_shift_mm > 1.0
    assert STEP in result.steps
    assert "residual motion" in result.timings_s


@pytest.mark.parametrize(
    "changes",
    [{"method_options": {"cutof": 0.2}}, {"ttp_origin": "bolus"}, {"bootstrap": 1}, {"rule": "rapide"}],
)
def test_a_choice_that_nobody_knows_is_refused_before_the_work(study, changes):
    stages = []
    series, artery = study
    with pytest.raises(BadRecipe):
        pipeline.run(
            series, Recipe(method="csvd", aif=artery, **changes), progress=lambda *now: stages.append(now)
        )
    assert not stages


@pytest.mark.parametrize("changes", [{"motion": "none"}, {"residual_motion": False}])
def test_it_is_left_where_nobody_corrects_motion_or_the_recipe_says_so(study, changes):
    result = _run(study, **changes)
    assert (result.motion is None) == ("motion" in changes)
    assert STEP not in result.steps
    assert "residual motion" not in result.timings_s
