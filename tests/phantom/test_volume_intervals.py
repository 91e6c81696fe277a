"""Intervals of volumes hold the truth of simulated patients that the error model was not chosen on.

Of 90 % intervals, 85-95 % are to hold it; `benchmarks/intervals.py` counts that on many patients. Four cannot
tell 85 from 95 %, but they can tell 90 % from intervals far too narrow, or so wide that they say nothing.
"""

import numpy as np
import pytest

import bolus
from bolus import phantom

pytestmark = pytest.mark.slow

PATIENTS = (
    ("ct", {"seed": 301, "lesion": "mca-left", "noise_hu": 4.0, "shape": (128, 128, 12), "n_frames": 40}),
    ("ct", {"seed": 302, "lesion": "mca-right", "noise_hu": 6.0, "shape": (128, 128, 12), "n_frames": 40}),
    ("ct", {"seed": 303, "lesion": "mca-left", "noise_hu": 8.0, "shape": (128, 128, 12), "n_frames": 40}),
    ("mr", {"seed": 304, "lesion": "mca-right", "snr": 50.0, "shape": (96, 96, 12), "n_frames": 45}),
)


@pytest.fixture(scope="module")
def cases():
    made = []
    for modality, options in PATIENTS:
        study = getattr(phantom, modality)(**options)
        made.append((study.truth, bolus.run(study.series, bolus.Recipe(motion="none")).lesions))
    return made


@pytest.mark.parametrize("region", ["core", "hypoperfused"])
def test_intervals_hold_the_true_volume(cases, region) -> None:
    inside = []
    for truth, lesions in cases:
        low, high = lesions.intervals.volumes_ml[region]
        inside.append(low <= truth.volumes_ml[region] <= high)

    assert sum(inside) >= len(cases) - 1


@pytest.mark.parametrize("region", ["core", "hypoperfused"])
def test_intervals_say_something(cases, region) -> None:
    for truth, lesions in cases:
        low, high = lesions.intervals.volumes_ml[region]
        assert high - low < 0.8 * truth.volumes_ml[region]


def test_chances_are_high_in_the_lesion_and_low_outside(cases) -> None:
    for truth, lesions in cases:
        for region in ("core", "hypoperfused"):
            chance = lesions.intervals.chance[region]
            known = np.isfinite(chance)
            assert chance[known & truth.masks[region]].mean() > 0.7
            assert chance[known & ~truth.masks[region] & truth.masks["tissue"]].mean() < 0.1
