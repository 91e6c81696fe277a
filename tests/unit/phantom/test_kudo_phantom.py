"""The grid of tiles."""

import numpy as np
import pytest

from bolus import phantom
from bolus.core.errors import BadRecipe
from bolus.physics.features import area, first_moment
from bolus.physics.transport import RESIDUES, ideal_tmax


@pytest.fixture(scope="module")
def study():
    return phantom.kudo(tile_px=4, noise_hu=0.0)


def test_every_combination_of_the_layout_is_there_once(study):
    maps, tissue = study.truth.maps, study.truth.masks["tissue"]
    triples = np.stack([maps[name].values[tissue] for name in ("CBV", "MTT", "delay")]).round(3)
    kinds, counts = np.unique(triples, axis=1, return_counts=True)
    assert kinds.shape[1] == 5 * 7 * 7
    assert set(counts) == {16}
    assert maps["CBF"].values[tissue].min() == pytest.approx(2.5)
    assert maps["CBF"].values[tissue].max() == pytest.approx(87.5)


def test_volume_is_flow_times_transit_time(study):
    maps, tissue = study.truth.maps, study.truth.masks["tissue"]
    product = maps["CBF"].values[tissue] * maps["MTT"].values[tissue] / 60
    np.testing.assert_allclose(maps["CBV"].values[tissue], product, rtol=1e-6)


@pytest.mark.parametrize(
    ("residue", "centre"), [("exponential", 1.0), ("linear", 2 / 3), ("box", 1 / 2), ("gamma", 2 / 3)]
)
def test_first_moment_and_area_of_the_curves_are_those_of_the_truth(residue, centre):
    study = phantom.kudo(tile_px=2, noise_hu=0.0, n_frames=240, dt=0.5, residue=residue)
    truth, times = study.truth, study.series.times
    tissue = truth.masks["tissue"] & (truth.maps["MTT"].values < 13)
    curves = study.series.curves(tissue) - 35.0
    aif = truth.aif.values[None, :].astype(np.float32)
    moment = first_moment(curves, times) - first_moment(aif, times)
    expected = centre * truth.maps["MTT"].values[tissue] + truth.maps["delay"].values[tissue]
    volume = 100 * 0.705128 * area(curves, times) / area(aif, times)
    strong = truth.maps["CBV"].values[tissue] >= 3  # rounding to 0.05 HU moves small curves' moments
    assert moment[strong] == pytest.approx(expected[strong], abs=0.35)
    assert volume == pytest.approx(truth.maps["CBV"].values[tissue], rel=0.03)


def test_all_three_shapes_make_sixteen_slices():
    study = phantom.kudo(tile_px=2, residue="all", n_frames=10)
    assert study.series.grid.shape == (16, 16, 16)
    assert study.truth.masks["tissue"][:, :, 1:].any(axis=(0, 1)).all()


def test_vessel_blocks_carry_the_true_curves(study):
    for mask, curve in (("artery", study.truth.aif), ("vein", study.truth.vof)):
        block = study.series.curves(study.truth.masks[mask]) - 35.0
        assert block.mean(axis=0) == pytest.approx(curve.values, abs=0.03)


def test_partial_volume_scales_the_arterial_block_only():
    whole, part = (phantom.kudo(tile_px=4, noise_hu=0.0, aif_fraction=f) for f in (1.0, 0.5))
    artery = whole.truth.masks["artery"]
    half = part.series.curves(artery) - 35.0
    assert half == pytest.approx(0.5 * (whole.series.curves(artery) - 35.0), abs=0.06)
    assert np.array_equal(whole.series.frames[~artery], part.series.frames[~artery])


def test_seeds_decide_the_noise():
    first, again, other = (phantom.kudo(tile_px=2, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.series.frames, again.series.frames)
    assert not np.array_equal(first.series.frames, other.series.frames)
    tissue = first.truth.masks["tissue"]
    noise = first.series.curves(tissue) - phantom.kudo(tile_px=2, noise_hu=0.0).series.curves(tissue)
    assert noise.std() == pytest.approx(0.5, rel=0.05)


def test_an_unknown_residue_is_refused():
    with pytest.raises(BadRecipe, match="residue"):
        phantom.kudo(residue="square")


def test_ideal_tmax_lies_after_the_delay_by_what_a_deconvolution_adds():
    mtt, delay = np.float32([4.0, 10.0, 4.0]), np.float32([0.0, 5.0, 3.0])
    tmax = ideal_tmax(mtt, delay)
    assert tmax == pytest.approx([2.0, 7.9, 5.0], abs=0.15)
    box = ideal_tmax(np.float32([6.0]), np.float32([1.0]), RESIDUES["box"])
    assert box == pytest.approx([4.0], abs=0.1)
    assert np.isnan(ideal_tmax(np.float32([np.nan]), np.float32([1.0]))).all()
