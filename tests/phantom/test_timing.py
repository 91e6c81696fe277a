"""Shuttle and uneven sampling, from DICOM and NIfTI: maps agree with truth as well as with even sampling."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bolus
from bolus import phantom
from bolus.core.result import Result

pytestmark = pytest.mark.slow
SHAPE = (128, 128, 16)
RECIPE = replace(bolus.DEFAULT, motion="none")


def run(timing: str, folder: Path) -> tuple[phantom.Truth, Result, Result]:
    """One study read from DICOM and from NIfTI."""
    study = phantom.ct(seed=1, timing=timing, shape=SHAPE, noise_hu=3.0)
    files = phantom.write_study(study, folder / timing)
    first, second = (bolus.load(files / form) for form in ("dicom", "nifti"))
    for series in (first, second):
        assert np.abs(series.times - study.series.times).max() <= 0.01
    return study.truth, bolus.run(first, RECIPE), bolus.run(second, RECIPE)


@pytest.fixture(scope="module")
def studies(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[phantom.Truth, Result, Result]]:
    folder = tmp_path_factory.mktemp("timing")
    return {timing: run(timing, folder) for timing in ("even", "shuttle", "uneven")}


def dice(truth: phantom.Truth, result: Result, region: str) -> float:
    assert result.lesions is not None
    found, true = getattr(result.lesions, region), truth.masks[region]
    return 2.0 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))


def tmax_errors(truth: phantom.Truth, result: Result) -> np.ndarray:
    """Median error of Tmax of each slice [s]."""
    found, true = result.maps["Tmax"].values, truth.maps["Tmax"].values
    known = truth.masks["tissue"] & result.brain.tissue & np.isfinite(found) & np.isfinite(true)
    return np.array([np.median((found - true)[..., z][known[..., z]]) for z in range(found.shape[2])])


@pytest.mark.parametrize("timing", ["shuttle", "uneven"])
@pytest.mark.parametrize("region", ["core", "hypoperfused"])
def test_lesions_agree_as_well_as_with_even_sampling(studies, timing, region) -> None:
    truth, result, _ = studies[timing]
    even = dice(studies["even"][0], studies["even"][1], region)
    assert even >= 0.85
    assert dice(truth, result, region) >= even - 0.05


@pytest.mark.parametrize("timing", ["shuttle", "uneven"])
def test_tmax_is_not_biased_by_the_slice(studies, timing) -> None:
    truth, result, _ = studies[timing]
    extra = tmax_errors(truth, result) - tmax_errors(*studies["even"][:2])
    slices = np.arange(extra.size)
    assert abs(np.polyfit(slices, extra, 1)[0]) * extra.size <= 0.2  # the sweep takes 0.9 s
    assert abs(np.median(extra)) <= 0.3


@pytest.mark.parametrize("timing", ["even", "shuttle", "uneven"])
def test_dicom_and_nifti_give_the_same_lesions(studies, timing) -> None:
    _, first, second = studies[timing]
    assert first.lesions is not None
    assert second.lesions is not None
    for region in ("core", "hypoperfused"):
        assert first.lesions.volumes_ml[region] == pytest.approx(second.lesions.volumes_ml[region], abs=0.5)
