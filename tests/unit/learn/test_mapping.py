"""A network's maps of a whole scan: in place, in units, with what a reader must know of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bolus.core.errors import BadInput, NoBolus
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.learn import maps
from bolus.learn.mapping import TEMP_PIX2PIX, UNET, Mapping2D
from bolus.phantom import ct, mr
from bolus.pipeline import Mapper, run

SMALL = {"shape": (72, 72, 3), "noise_hu": 1.5, "seed": 2}


class Brightest:
    """Answers with what it is shown: how much and when each pixel is brightest."""

    def __init__(self, plan, fitting):
        self.plan, self.seen = plan, []
        self.card = SimpleNamespace(
            recipe={"size": 128, "fitting": fitting}, scores={"shown": {"CBF slope": 0.2}}
        )

    def __call__(self, images):
        self.seen.append(images)
        rise = images.max(axis=1) - images[:, :2].mean(axis=1)
        part = np.clip(rise, 0.0, 1.0)
        answer = np.stack([part] * len(self.plan.maps), axis=1)
        return 2 * answer - 1 if self.plan.signed else answer


def mapped(study, kind, **changes):
    fitting = {"n_frames": 30, "dt": 2.0} if kind is UNET else {"dt": 1.2}
    network = Brightest(kind.plan, fitting)
    mapper = Mapper(Mapping2D("mine", kind, network), True, (kind.modality,), needs_artery=False)
    recipe = Recipe(method="mine", motion="none", **changes)
    return run(study.series, recipe, mappers={"mine": mapper}), network


@pytest.fixture(scope="module")
def study():
    return ct(**SMALL, n_frames=32, dt=2.0)


@pytest.fixture(scope="module")
def found(study):
    return mapped(study, UNET)


def test_maps_lie_where_the_slices_lie(found, study):
    result, network = found
    flow = result.maps["CBF"].values
    assert len(network.seen) == int(study.truth.masks["brain"].any(axis=(0, 1)).sum())
    assert network.seen[0].shape == (1, 30, 128, 128)
    inside = np.isfinite(flow)
    assert inside.sum() > 0.9 * study.truth.masks["tissue"].sum()
    rise = study.series.frames.max(axis=3) - study.series.frames[..., :2].mean(axis=3)
    assert np.corrcoef(flow[inside], np.clip(rise[inside] / 40.0, 0, 1))[0, 1] > 0.9


def test_maps_have_the_names_that_lesions_need(found):
    result, _ = found
    assert set(result.maps) == {"CBF", "CBV", "MTT", "Tmax"}
    flow, volume, transit = (result.maps[name].values for name in ("CBF", "CBV", "MTT"))
    some = np.isfinite(transit)
    np.testing.assert_allclose(transit[some], 60 * volume[some] / flow[some], rtol=1e-4)
    assert result.maps["Tmax"].values[some].max() <= 25.0


def test_the_reader_is_told_what_such_maps_are(found):
    result, _ = found
    told = {finding.code: finding for finding in result.findings}
    assert told["NETWORK_MAPS"].severity is Severity.WARN
    assert "no arterial curve" in told["NETWORK_MAPS"].text
    assert told["NETWORK_MAPS"].value == 0.2


def test_mr_counts_time_to_peak_as_the_recipe_says():
    study = mr(shape=(64, 64, 3), n_frames=50, seed=2)
    result, network = mapped(study, TEMP_PIX2PIX, ttp_origin="scan")
    other, _ = mapped(study, TEMP_PIX2PIX, ttp_origin="peak")
    assert set(result.maps) == {"CBF", "CBV", "MTT", "Tmax", "TTP"}
    assert network.seen[0].shape[1] == 80
    shift = result.maps["TTP"].values - other.maps["TTP"].values
    assert np.nanstd(shift) == pytest.approx(0, abs=1e-3)
    assert 5 < float(np.nanmean(shift)) < 30


def test_maps_are_made_where_no_artery_can_be_found():
    study = mr(shape=(64, 64, 3), n_frames=50, seed=2)  # arteries share their coarse voxels with tissue
    assert "early tissue" in run(study.series, Recipe(method="osvd", motion="none")).vessels.aif.origin
    result, _ = mapped(study, TEMP_PIX2PIX)
    told = {finding.code: finding for finding in result.findings}
    assert told["NO_ARTERY"].severity is Severity.WARN
    assert "no artery" in result.vessels.aif.origin
    assert np.isfinite(result.maps["Tmax"].values).any()
    asked, _ = mapped(study, TEMP_PIX2PIX, aif="tissue")
    assert "early tissue" in asked.vessels.aif.origin
    assert "NO_ARTERY" not in {finding.code for finding in asked.findings}  # its maps are on another scale


def test_any_size_of_pixels_gives_the_same_map(study):
    fine = ct(**(SMALL | {"shape": (144, 144, 3), "noise_hu": 0.5}), n_frames=32, dt=2.0)
    coarse = ct(**(SMALL | {"noise_hu": 0.5}), n_frames=32, dt=2.0)
    one, other = (mapped(s, UNET)[0].maps["CBF"].values for s in (fine, coarse))
    merged = np.mean([one[i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)
    both = np.isfinite(merged) & np.isfinite(other)
    assert np.corrcoef(merged[both], other[both])[0, 1] > 0.8


def test_frames_too_far_apart_are_refused(study):
    wrong = replace(study, series=replace(study.series, times=5.0 * np.arange(study.series.n_frames)))
    with pytest.raises(BadInput, match="too far apart"):
        mapped(wrong, UNET)


def test_scans_that_end_too_early_are_refused():
    with pytest.raises(BadInput, match="ends too early"):
        mapped(ct(**SMALL, n_frames=13, dt=2.0), UNET)


def test_a_scan_a_little_beyond_the_training_is_warned_of():
    study = ct(**SMALL, n_frames=22, dt=3.0)
    result, _ = mapped(study, UNET)
    assert any(f.code == "NETWORK_RANGE" and f.severity is Severity.WARN for f in result.findings)


def test_a_short_scan_is_told_how_long_the_network_was_shown_it():
    result, _ = mapped(ct(**SMALL, n_frames=20, dt=1.5), UNET)
    (short,) = (f for f in result.findings if f.code == "NETWORK_RANGE")
    assert short.value == pytest.approx(28.5, abs=4.0)
    assert "s from 10 s before contrast on" in short.text


def test_contrast_that_comes_at_once_is_warned_of(found):
    result, _ = mapped(ct(**SMALL, n_frames=40, dt=1.0, onset_s=2.0), UNET)
    (early,) = (f for f in result.findings if f.code == "NETWORK_RANGE")
    assert early.value < 4.0
    assert "after the first frame" in early.text
    assert not any(f.code == "NETWORK_RANGE" for f in found[0].findings)


def test_no_map_is_made_without_a_bolus(study):
    still = replace(study.series, frames=np.repeat(study.series.frames[..., :4], 8, axis=3))
    with pytest.raises(NoBolus):
        mapped(replace(study, series=still), UNET)


def test_what_is_no_head_has_no_volumes(study):
    affine = study.series.grid.affine.copy()
    affine[:3, :2] *= 1.6  # as wide as a trunk
    wide = replace(study.series, grid=replace(study.series.grid, affine=affine))
    result, _ = mapped(replace(study, series=wide), UNET)
    assert any(f.code == "NETWORK_RANGE" and f.severity is Severity.FAIL for f in result.findings)
    assert result.lesions is None


def test_what_is_shown_begins_before_contrast_comes():
    late = ct(**SMALL, n_frames=45, dt=2.0, onset_s=30.0)
    _, network = mapped(late, UNET)
    shown = network.seen[1][0].max(axis=(1, 2))
    assert np.isfinite(shown).all()
    brain = network.seen[1][0][:, 40:90, 40:90].mean(axis=(1, 2))
    assert 3 <= int(np.argmax(brain)) <= 14  # 2 s apart: 10 s before arrival and some more


def test_brightness_of_mr_is_taken_from_the_brain():
    study = mr(shape=(48, 48, 3), n_frames=40, seed=2)
    scale = maps.signal_scale(study.series, study.truth.masks["brain"])
    before = study.series.mean(3, 6)[study.truth.masks["brain"]]
    assert np.percentile(before, 97) < scale < before.max()
