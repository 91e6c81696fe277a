"""The simulated head: what is true of it, by CT and by MR."""

import numpy as np
import pytest
from scipy import ndimage

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.core.units import Modality, Unit
from bolus.phantom.anatomy import build_atlas
from bolus.phantom.circulation import Bolus
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, tissue_curves

SMALL = {"shape": (64, 64, 8), "n_frames": 24, "dt": 2.0}
UPRIGHT = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def study():
    return phantom.ct(**SMALL, noise_hu=0.0)


@pytest.fixture(scope="module")
def mr_study():
    return phantom.mr(**SMALL)


def test_the_same_seed_gives_the_same_study():
    first, again, other = (phantom.ct(**SMALL, motion=True, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.series.frames, again.series.frames)
    assert np.array_equal(first.truth.motion, again.truth.motion)
    assert not np.array_equal(first.series.frames, other.series.frames)


def test_volume_is_flow_times_transit_time(study):
    maps, tissue = study.truth.maps, study.truth.masks["tissue"]
    product = maps["CBF"].values[tissue] * maps["MTT"].values[tissue] / 60
    np.testing.assert_allclose(maps["CBV"].values[tissue], product, rtol=1e-6)


@pytest.mark.parametrize("name", ["CBF", "CBV", "MTT", "delay", "Tmax"])
def test_maps_hold_numbers_in_tissue_and_nowhere_else(study, name):
    values = study.truth.maps[name].values
    assert np.array_equal(np.isfinite(values), study.truth.masks["tissue"])


@pytest.mark.parametrize("residue", ["exponential", "gamma"])
def test_curves_without_noise_obey_the_transport_equation(residue):
    study = phantom.ct(**SMALL, noise_hu=0.0, residue=residue)
    truth, series = study.truth, study.series
    free = truth.masks["tissue"] & ~ndimage.binary_dilation(
        truth.masks["artery"] | truth.masks["vein"], iterations=2
    )
    where = np.argwhere(free)[::97]
    at = tuple(where.T)
    parameters = tuple(truth.maps[n].values[at].astype(np.float64) for n in ("CBF", "MTT", "delay"))
    bolus = Bolus(GammaVariate(300.0, 8.0, 3.0, 1.5))
    expected = tissue_curves(bolus, series.times, parameters, residue=RESIDUES[residue])
    enhancement = series.frames[at].astype(np.float64) - series.frames[at][:, :1]
    error = enhancement - (expected - expected[:, :1])
    assert len(where) > 30
    assert np.abs(error).max() <= 1.01  # two roundings to whole HU


def test_arteries_carry_the_true_arterial_curve(study):
    truth, series = study.truth, study.series
    brightest = series.frames.max(axis=-1) - series.frames[..., 0].astype(int)
    brightest = np.where(truth.masks["artery"], brightest, 0)
    seed = np.unravel_index(np.argmax(brightest), brightest.shape)
    curve = series.frames[seed].astype(float) - series.frames[seed][0]
    assert np.corrcoef(curve, truth.aif.values)[0, 1] > 0.999
    assert curve.max() <= truth.aif.values.max() + 1


def test_the_vein_has_the_area_of_the_artery():
    study = phantom.ct(shape=(32, 32, 4), n_frames=200, dt=1.0)
    aif, vof = study.truth.aif_fine, study.truth.vof_fine
    assert np.trapezoid(vof.values, vof.times) == pytest.approx(np.trapezoid(aif.values, aif.times), rel=2e-3)
    assert vof.times[np.argmax(vof.values)] > aif.times[np.argmax(aif.values)] + 4


def test_core_lies_in_hypoperfused_tissue_and_penumbra_is_the_rest(study):
    masks = study.truth.masks
    assert masks["core"].any()
    assert not (masks["core"] & ~masks["hypoperfused"]).any()
    assert np.array_equal(masks["penumbra"], masks["hypoperfused"] & ~masks["core"])
    assert not (masks["hypoperfused"] & ~masks["tissue"]).any()
    voxel = study.series.grid.voxel_ml
    assert study.truth.volumes_ml["core"] == pytest.approx(masks["core"].sum() * voxel)


def test_where_no_vessel_reaches_contrast_is_that_of_tissue(study):
    masks, volume = study.truth.masks, study.truth.maps["CBV"].values
    whole = masks["tissue"] & ~masks["csf"]
    curves = study.series.curves(whole)
    area = (curves - curves[:, :2].mean(axis=1, keepdims=True)).sum(axis=1) / volume[whole]
    reached = masks["vascular"][whole]
    more = area / np.median(area[~reached])
    assert 0.01 < reached.mean() < 0.1
    assert np.percentile(more[~reached], 99) < 2.0
    assert np.median(more[reached]) > 1.7
    for vessel in ("artery", "vein"):
        assert not (masks[vessel] & masks["brain"] & ~masks["vascular"]).any()


def test_flow_alone_tells_core_from_penumbra(study):
    truth = study.truth
    positions = study.series.grid.position_mm(np.argwhere(truth.masks["tissue"]))
    flow = truth.maps["CBF"].values[truth.masks["tissue"]]
    healthy_side = truth.midline.distance_mm(positions) < 0
    limit = 0.3 * np.median(flow[healthy_side])
    assert truth.maps["CBF"].values[truth.masks["core"]].max() < limit
    for tissue in ("gm", "wm"):
        whole = truth.masks["penumbra"] & truth.masks[tissue] & ~truth.masks["csf"]
        assert np.percentile(truth.maps["CBF"].values[whole], 10) > limit


def test_hypoperfused_tissue_is_what_fills_late(study):
    tmax, masks = study.truth.maps["Tmax"].values, study.truth.masks
    assert tmax[masks["hypoperfused"]].min() > 6
    assert np.nanmax(tmax[masks["tissue"] & ~masks["hypoperfused"]]) <= 6


@pytest.mark.parametrize(("lesion", "side"), [("mca-right", 1), ("mca-left", -1)])
def test_the_lesion_lies_on_the_side_asked_for(lesion, side):
    study = phantom.ct(shape=(64, 64, 8), n_frames=2, lesion=lesion)
    where = study.series.grid.position_mm(np.argwhere(study.truth.masks["hypoperfused"]))
    assert (side * study.truth.midline.distance_mm(where) > 0).all()
    assert study.truth.side == ("right" if side > 0 else "left")


def test_a_head_without_lesion_has_no_late_tissue():
    truth = phantom.ct(shape=(64, 64, 8), n_frames=2, lesion="none").truth
    assert not truth.masks["hypoperfused"].any()
    assert truth.side == "none"
    assert set(truth.volumes_ml.values()) == {0.0}


def test_an_upright_head_is_its_own_mirror_image():
    study = phantom.ct(shape=(64, 64, 8), n_frames=2, lesion="none", noise_hu=0.0, pose=UPRIGHT, onset_s=60.0)
    image = study.series.frames[..., 0].astype(float)
    tissue = study.truth.masks["tissue"] & study.truth.masks["tissue"][::-1]
    difference = (image - image[::-1])[tissue]
    assert np.abs(image[tissue]).mean() > 25
    assert (
        np.abs(difference).mean() / np.abs(image[tissue]).mean() < 0.04
    )  # the texture of 2 % is not mirrored
    assert study.truth.midline.offset_mm == pytest.approx(0.0, abs=1e-9)


def test_the_midline_follows_the_pose_of_the_head():
    study = phantom.ct(shape=(96, 96, 8), n_frames=2, lesion="none", noise_hu=0.0, onset_s=60.0)
    grid, midline = study.series.grid, study.truth.midline
    brain = study.truth.masks["brain"]
    mirrored = grid.index_of(midline.mirror(grid.position_mm(np.argwhere(brain))))
    back = ndimage.map_coordinates(brain.astype(np.float32), mirrored.T, order=1, mode="nearest")
    assert back.mean() > 0.97


def test_the_atlas_holds_each_point_once():
    atlas = build_atlas(0)
    kinds = [atlas.gm, atlas.wm, atlas.csf, atlas.bone, atlas.falx, atlas.fat, atlas.soft, atlas.calcium]
    assert np.sum(kinds, axis=0).max() == 1
    voxel_ml = 2e-3
    assert 900 < 2 * voxel_ml * (atlas.gm | atlas.wm).sum() < 1700


def test_noise_has_the_level_asked_for():
    quiet, noisy = (phantom.ct(**SMALL, noise_hu=sd, noise_fwhm_px=1.5) for sd in (0.0, 6.0))
    bone_free = quiet.truth.masks["brain"]
    noise = noisy.series.frames[bone_free].astype(float) - quiet.series.frames[bone_free]
    assert noise.std() == pytest.approx(6.0, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=0.05)


def test_mr_signal_falls_by_the_rate_of_the_artery(mr_study):
    series, truth = mr_study.series, mr_study.truth
    assert series.modality is Modality.MR
    assert series.unit is Unit.SIGNAL
    assert truth.aif.unit is Unit.PER_SECOND
    assert truth.aif_fine.values.max() == pytest.approx(80.0, rel=0.01)
    frames = series.frames.astype(float)
    grey = frames[truth.masks["gm"] & ~truth.masks["hypoperfused"]].mean(axis=0)
    assert 0.6 < grey.min() / grey[4] < 0.9
    assert grey[0] > 1.3 * grey[3]  # before the steady state


def test_mr_noise_never_makes_signal_negative(mr_study):
    assert mr_study.series.frames.min() >= 0
    air = mr_study.series.frames[:3, :3].astype(float)
    assert air.mean() == pytest.approx(mr_study.truth.noise * np.sqrt(np.pi / 2), rel=0.1)  # Rayleigh


@pytest.mark.parametrize(
    "change",
    [
        {"lesion": "aca"},
        {"timing": "random"},
        {"residue": "square"},
        {"n_frames": 1},
        {"dt": 0.0},
        {"shape": (4, 64, 8)},
        {"noise_hu": -1.0},
        {"colour": "blue"},
    ],
)
def test_options_out_of_range_are_refused(change):
    with pytest.raises(BadRecipe) as refusal:
        phantom.ct(**change)
    assert refusal.value.wanted


def test_options_can_be_given_whole_or_singly():
    options = phantom.CtOptions(shape=(32, 32, 4), n_frames=3, seed=1)
    whole, single = phantom.ct(options), phantom.ct(shape=(32, 32, 4), n_frames=3, seed=1)
    assert np.array_equal(whole.series.frames, single.series.frames)
