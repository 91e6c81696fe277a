"""The whole run on simulated DSC-MRI patients, from DICOM files, with nothing given by hand.

Bounds, with jumps of the head or without: AIF voxels inside arteries >= 95 %, AIF r >= 0.98, core and
Tmax > 6 s Dice >= 0.9, volume errors <= 10 % or 5 mL, midline within 1 mm, at most 0.5 mm of motion left.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import bolus
from bolus import phantom
from bolus.core.result import Result

pytestmark = pytest.mark.slow
Residual = Callable[..., np.ndarray]
CASES = (
    (1, "mca-right", False),
    (2, "mca-left", False),
    (3, "mca-right", False),
    (2, "mca-left", True),
    (3, "mca-right", True),
)


@dataclass(frozen=True)
class Case:
    truth: phantom.Truth
    result: Result


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module", params=CASES, ids=lambda p: f"{p[1]}-{p[0]}{'-motion' if p[2] else ''}")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    seed, lesion, motion = request.param
    study = phantom.mr(seed=seed, lesion=lesion, motion=motion)
    folder = phantom.write_study(study, tmp_path_factory.mktemp("whole") / "study")
    return Case(study.truth, bolus.run(bolus.load(folder / "dicom")))


def test_arterial_voxels_lie_in_arteries(case: Case) -> None:
    inside = case.truth.masks["artery"][tuple(case.result.vessels.aif.voxels.T)]
    assert inside.mean() >= 0.95


def test_arterial_curve_is_the_true_one(case: Case) -> None:
    aif = case.result.vessels.aif
    true = np.interp(aif.times, case.truth.aif.times, case.truth.aif.values)
    assert np.corrcoef(aif.values, true)[0, 1] >= 0.98


def test_head_stands_still_after_correction(case: Case, residual: Residual) -> None:
    result = case.result
    assert result.motion is not None
    assert residual(case.truth, result.grid, result.motion, result.baseline[1]).max() <= 0.5


def test_brain_is_outlined(case: Case) -> None:
    brain = case.result.brain
    assert dice(brain.inside, case.truth.masks["brain"]) >= 0.95
    assert dice(brain.tissue, case.truth.masks["tissue"]) >= 0.92


def test_little_fluid_counts_as_tissue(case: Case) -> None:
    tissue = case.result.brain.tissue
    assert np.count_nonzero(tissue & case.truth.masks["csf"]) <= 0.08 * np.count_nonzero(tissue)


@pytest.mark.parametrize("region", ["core", "hypoperfused"])
def test_lesions_are_where_they_are(case: Case, region: str) -> None:
    lesions = case.result.lesions
    assert lesions is not None
    assert dice(getattr(lesions, region), case.truth.masks[region]) >= 0.9


@pytest.mark.parametrize("region", ["core", "hypoperfused"])
def test_volumes_are_right(case: Case, region: str) -> None:
    lesions = case.result.lesions
    assert lesions is not None
    true = case.truth.volumes_ml[region]
    assert abs(lesions.volumes_ml[region] - true) <= max(5.0, 0.1 * true)


def test_midline_and_side_are_found(case: Case) -> None:
    lesions, true = case.result.lesions, case.truth.midline
    assert lesions is not None
    assert lesions.midline is not None
    assert true is not None
    assert lesions.side == case.truth.side
    centre = case.result.grid.position_mm(np.argwhere(case.truth.masks["brain"]).mean(axis=0))
    assert abs(float(lesions.midline.distance_mm(centre) - true.distance_mm(centre))) <= 1.0


def test_flow_and_volume_are_called_relative(case: Case) -> None:
    assert "RELATIVE_ONLY" in [finding.code for finding in case.result.findings]
