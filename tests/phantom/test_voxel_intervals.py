"""Intervals of maps hold the truth of the voxels of simulated heads.

Of 90 % intervals, 85-95 % are to hold it; on three other heads 86-96 % did. Bounds here are 85-97 %, as
errors are alike among neighbours and one head is a small sample. Voxels are those of true tissue in which the
run itself measures lesions: it leaves out vessels, whose contrast is no tissue's.
"""

from functools import cache

import numpy as np
import pytest

import bolus
from bolus import phantom
from bolus.core.result import Result

pytestmark = pytest.mark.slow
every_noise = pytest.mark.parametrize("noise_hu", [3.0, 6.0])
every_map = pytest.mark.parametrize("name", ["CBF", "CBV", "MTT", "Tmax", "delay"])


@cache
def case(noise_hu: float) -> tuple[phantom.Truth, Result]:
    study = phantom.ct(seed=24, lesion="mca-left", noise_hu=noise_hu, shape=(128, 128, 12), n_frames=40)
    return study.truth, bolus.run(study.series, bolus.Recipe(motion="none"))


def held(noise_hu: float, name: str, within: float) -> tuple[float, float]:
    """Return the part of truths within so many deviations, and the median deviation over the mean value."""
    truth, result = case(noise_hu)
    found, true = result.maps[name], truth.maps[name].values
    where = truth.masks["tissue"] & result.lesions.tissue & np.isfinite(found.values) & np.isfinite(true)
    inside = np.abs(found.values - true)[where] <= within * found.sd[where]
    return float(inside.mean()), float(np.median(found.sd[where]) / np.abs(true[where]).mean())


@every_noise
@every_map
def test_nine_tenths_lie_within_ninety_percent_intervals(noise_hu, name):
    part, _ = held(noise_hu, name, 1.645)

    assert 0.85 <= part <= 0.97


@every_noise
@every_map
def test_two_thirds_lie_within_one_deviation(noise_hu, name):
    part, _ = held(noise_hu, name, 0.994)

    assert 0.55 <= part <= 0.85


@every_noise
@pytest.mark.parametrize(("name", "most"), [("CBF", 0.3), ("CBV", 0.2), ("MTT", 0.3)])
def test_intervals_say_something(noise_hu, name, most):
    _, relative = held(noise_hu, name, 1.0)

    assert relative < most
