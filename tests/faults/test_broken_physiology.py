"""Series that read well and hold nothing to measure are refused, or their volumes withheld."""

from dataclasses import replace

import numpy as np
import pytest

from bolus import phantom, pipeline
from bolus.core.errors import NoBolus, NoBrain, NoVessel
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.core.series import Series

pytestmark = pytest.mark.timeout(300)

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def good() -> Series:
    return phantom.ct(shape=(64, 64, 8), n_frames=40, noise_hu=2.0).series


def spoilt(series: Series, values: np.ndarray) -> Series:
    frames = np.ascontiguousarray(values, dtype=np.float32)
    times = series.times[: frames.shape[3]]
    return replace(series, frames=frames, slope=1.0, intercept=0.0, times=times)


def run(series: Series) -> Result:
    return pipeline.run(series, Recipe(motion="none"))


def test_the_good_study_gives_volumes(good):
    result = run(good)
    assert result.lesions is not None
    assert result.verdict is not Severity.FAIL


@pytest.mark.parametrize("value", [-1000.0, 0.0, 40.0])
def test_a_constant_series_has_no_brain(good, value):
    with pytest.raises(NoBrain, match="--mask"):
        run(spoilt(good, np.full(good.frames.shape, value)))


def test_air_alone_has_no_brain(good):
    with pytest.raises(NoBrain, match="--mask"):
        run(spoilt(good, RNG.normal(-1000, 5, good.frames.shape)))


def test_numbers_that_are_not_hounsfield_units_have_no_brain(good):
    with pytest.raises(NoBrain, match="unit"):
        run(spoilt(good, np.abs(good.frames.astype(np.float32)) + 300))


def test_noise_has_no_bolus(good):
    with pytest.raises((NoBolus, NoBrain)):
        run(spoilt(good, RNG.normal(0, 300, good.frames.shape)))


def test_a_scan_without_contrast_has_no_bolus(good):
    still = good.frames[..., :1] + RNG.normal(0, 6, good.frames.shape)
    with pytest.raises(NoBolus, match="contrast was given"):
        run(spoilt(good, still))


def test_a_frame_without_numbers_leaves_no_bolus(good):
    values = good.frames.astype(np.float32)
    values[..., 7] = np.nan
    with pytest.raises(NoBolus):
        run(spoilt(good, values))


def require_no_volumes(series: Series, code: str) -> None:
    """Either there is no artery to be had, or maps are made and a `fail` finding withholds volumes."""
    try:
        result = run(series)
    except NoVessel as error:
        assert "--aif" in error.remedy  # noqa: PT017 - either outcome is right
        return
    assert result.lesions is None
    assert code in {finding.code for finding in result.findings}
    assert np.isfinite(result.maps["CBF"].values).any()


@pytest.mark.parametrize("n_frames", [11, 14])
def test_a_bolus_that_the_scan_cuts_off_gives_no_volumes(good, n_frames):
    require_no_volumes(spoilt(good, good.frames[..., :n_frames]), "TRUNCATED")


def test_a_scan_that_starts_in_the_bolus_gives_no_volumes(good):
    require_no_volumes(spoilt(good, good.frames[..., 8:]), "NO_BASELINE")


def test_voxels_without_numbers_stay_without_numbers(good):
    values = good.frames.astype(np.float32)
    holes = RNG.random(good.grid.shape) < 0.01
    values[holes] = np.nan
    result = run(spoilt(good, values))
    inside = holes & result.brain.inside
    assert not np.isfinite(result.maps["CBF"].values[inside]).any()
    assert all(np.isfinite(v) for v in result.lesions.volumes_ml.values())


def test_a_skull_stripped_head_gives_volumes_and_says_so(good):
    mean = good.frames.mean(axis=-1)
    values = np.where(((mean > 0) & (mean < 100))[..., None], good.frames, 0)
    result = run(spoilt(good, values))
    assert "NO_SKULL" in {finding.code for finding in result.findings}
    assert result.lesions is not None
