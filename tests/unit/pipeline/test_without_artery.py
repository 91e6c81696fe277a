"""A run goes on where no artery can be found, with a curve made of tissue, and says so."""

from dataclasses import replace

import numpy as np
import pytest

from bolus import phantom
from bolus.core.errors import BadRecipe, NoBolus, NoVessel
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.learn import MAPPERS
from bolus.lesions import RULES
from bolus.pipeline import require_artery, run


@pytest.fixture(scope="module")
def hidden():
    """Arteries share their coarse voxels with tissue, so that none is found."""
    return phantom.mr(shape=(64, 64, 3), n_frames=50, seed=2)


@pytest.fixture(scope="module")
def slow():
    return phantom.ct(shape=(64, 64, 4), n_frames=40, noise_hu=2.0, seed=3)


def run_of(study, **changes):
    return run(study.series, Recipe(motion="none", **changes), mappers=MAPPERS)


def told(result):
    return {finding.code: finding for finding in result.findings}


def nothing(*_: object) -> None:
    raise NoVessel("no artery could be found", found="none in the slab")


@pytest.mark.parametrize("method", ["csvd", "posterior"])
def test_without_an_artery_the_run_goes_on_with_that_of_tissue(hidden, method):
    result = run_of(hidden, method=method)
    finding = told(result)["NO_ARTERY"]
    assert finding.severity is Severity.WARN
    assert finding.text.startswith("No artery was found (no curve is early, tall and narrow enough)")
    assert not result.vessels.aif.measured
    assert np.corrcoef(result.vessels.aif.values, hidden.truth.aif.values)[0, 1] > 0.95
    late, true = result.lesions.hypoperfused, hidden.truth.masks["hypoperfused"]
    assert 2 * (late & true).sum() / (late.sum() + true.sum()) > 0.75
    assert result.lesions.side == hidden.truth.side


def test_the_network_works_without_an_artery(monkeypatch):
    study = phantom.ct(shape=(96, 96, 3), n_frames=40, noise_hu=3.0, seed=5, lesion="mca-left")
    monkeypatch.setattr("bolus.vessels.selection.METHODS", {"auto": nothing})
    result = run_of(study, method="net")
    codes = told(result)
    assert codes["NO_ARTERY"].text.startswith("No artery was found (none in the slab). ")
    assert not {"NET_FALLBACK", "NET_MISFIT"} & set(codes)
    truth = study.truth
    late, true = result.lesions.hypoperfused, truth.masks["hypoperfused"]
    assert 2 * (late & true).sum() / (late.sum() + true.sum()) > 0.8
    healthy = truth.masks["tissue"] & ~true & np.isfinite(result.maps["CBV"].values)
    ratio = result.maps["CBV"].values[healthy] / truth.maps["CBV"].values[healthy]
    assert float(np.median(ratio)) == pytest.approx(1.0, abs=0.35)


def test_the_curve_is_not_judged_as_if_it_were_blood(hidden):
    codes = set(told(run_of(hidden, method="csvd")))
    assert not {"POOR_BOLUS", "SATURATED", "AIF_SHAPE", "PV_RATIO"} & codes


def test_it_can_be_asked_for(slow):
    result = run_of(slow, method="csvd", aif="tissue")
    assert told(result)["NO_ARTERY"].text.startswith("The arterial curve was made of")
    assert result.recipe.aif == "tissue"
    assert result.lesions is not None
    truth = slow.truth.maps["CBV"].values
    healthy = slow.truth.masks["tissue"] & ~slow.truth.masks["hypoperfused"]
    scale = np.nanmedian(result.maps["CBV"].values[healthy] / truth[healthy])
    assert scale == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("rule", ["syngo", "philips"])
def test_rules_of_numbers_have_no_volumes_without_a_scale(slow, rule):
    result = run_of(slow, method="csvd", aif="tissue", rule=rule)
    finding = told(result)["NO_ARTERY"]
    assert finding.severity is Severity.FAIL
    assert rule in finding.text
    assert result.lesions is None
    assert np.isfinite(result.maps["CBF"].values).any()


@pytest.mark.parametrize(("rule", "severity"), [("syngo", Severity.FAIL), ("ge", Severity.INFO)])
def test_rules_of_numbers_have_no_volumes_in_dsc_mri(hidden, rule, severity):
    result = run_of(hidden, method="csvd", rule=rule)
    assert told(result)["RELATIVE_ONLY"].severity is severity
    assert (result.lesions is None) is (severity is Severity.FAIL)


def test_rules_that_need_a_scale_are_those_of_absolute_flow_or_volume():
    assert {key for key, rule in RULES.items() if rule.needs_scale} == {"syngo", "philips"}


def test_without_contrast_it_stays_an_error(slow):
    rng = np.random.default_rng(0)
    still = slow.series.frames[..., :1] + rng.normal(0, 6, slow.series.frames.shape)
    series = replace(slow.series, frames=still.astype(np.float32), slope=1.0, intercept=0.0)
    for aif in ("auto", "tissue"):
        with pytest.raises((NoBolus, NoVessel)):
            run(series, Recipe(motion="none", method="csvd", aif=aif))


def test_tissue_that_gives_no_curve_leaves_the_error_of_the_search(hidden):
    cut = hidden.series.frames[..., :16]
    series = replace(hidden.series, frames=cut, times=hidden.series.times[:16])
    with pytest.raises((NoBolus, NoVessel)) as caught:
        run(series, Recipe(motion="none", method="csvd"))
    assert caught.value.what != "no arterial curve could be made of tissue"


def test_maps_that_teach_need_an_artery(slow):
    with pytest.raises(NoVessel, match="have no scale"):
        require_artery(run_of(slow, method="csvd", aif="tissue"))
    found = run_of(slow, method="csvd", aif="auto")
    assert require_artery(found) is found


def test_another_search_that_was_asked_for_is_not_replaced(hidden, monkeypatch):
    monkeypatch.setattr("bolus.vessels.selection.METHODS", {"kmeans": nothing})
    with pytest.raises(NoVessel, match="none in the slab"):
        run_of(hidden, method="csvd", aif="kmeans")


def test_a_vein_is_not_made_of_tissue(slow):
    with pytest.raises(BadRecipe, match="VOF"):
        run_of(slow, method="csvd", vof="tissue")
