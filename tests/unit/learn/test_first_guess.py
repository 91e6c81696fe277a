"""What physics makes of a scan is shown on the network's scale, and is where its answers begin."""

from dataclasses import replace

import numpy as np
import pytest

from bolus import deconvolve
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.learn import first_guess, patches, sight
from bolus.learn.coarser import coarser


@pytest.fixture(scope="module")
def patch():
    rng = np.random.default_rng(3)
    usual = {"spacing_mm": 1.7, "dt_s": 1.5, "after_s": 50.0, "noise_hu": 2.0, "filter": "profile"}
    return patches.make(replace(patches.draw("A", 48, rng), **usual), rng)


@pytest.fixture(scope="module")
def guess(patch):
    return first_guess.first_guess(*patch.as_scan())


def test_it_is_near_what_the_method_makes_with_all_voxels(patch, guess) -> None:
    contrast, aif = patch.as_scan()
    whole = deconvolve.deconvolve(contrast, aif, method="posterior", neighbours=True)

    found = guess.estimate
    assert np.median(np.abs(found.flow / whole.flow - 1.0)) < 0.1
    assert np.corrcoef(found.mtt, whole.mtt)[0, 1] > 0.97
    assert np.median(np.abs(found.tmax - whole.tmax)) < 0.1
    assert np.median(np.abs(found.sd["tmax"] / whole.sd["tmax"] - 1.0)) < 0.1


def test_it_is_what_the_method_makes_where_it_learns_alike(patch, monkeypatch) -> None:
    contrast, aif = patch.as_scan()
    monkeypatch.setattr(first_guess, "N_LEARNED", len(contrast.curves))
    whole = deconvolve.deconvolve(contrast, aif, method="posterior", neighbours=True)

    found = first_guess.first_guess(contrast, aif).estimate

    for name in ("flow", "mtt", "tmax", "delay"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for name in ("flow", "volume", "mtt", "tmax", "delay"):
        np.testing.assert_array_equal(found.sd[name], whole.sd[name])


def test_it_is_shown_as_answers_are(guess) -> None:
    seen = first_guess.shown(guess, 0.03)

    guess = guess.estimate
    assert seen.shape == (len(guess.flow), sight.N_GUESS)
    back = sight.maps_of(np.concatenate([seen.T[:5], seen.T[:1]]), 0.03)
    inside = np.abs(seen[:, :5]).max(axis=1) < sight.LARGEST
    np.testing.assert_allclose(back["CBF"][inside], guess.flow[inside], rtol=1e-5)
    np.testing.assert_allclose(back["CBV"][inside], (guess.flow * guess.mtt)[inside], rtol=1e-5)
    np.testing.assert_allclose(back["Tmax"][inside], guess.tmax[inside], atol=1e-4)
    np.testing.assert_allclose(
        10.0 * 10.0 ** seen[inside, 7], guess.sd["mtt"][inside].clip(0.1, 30), rtol=1e-4
    )


def test_tissue_scaled_by_k_is_shown_alike(patch, guess) -> None:
    scaled = first_guess.first_guess(*patch.scaled(patch.mask, 1.3).as_scan())

    one, other = first_guess.shown(guess, 0.03), first_guess.shown(scaled, 1.3 * 0.03)

    np.testing.assert_allclose(other, one, atol=2e-3)


def test_what_is_not_known_is_marked(patch) -> None:
    curves = patch.curves.copy()
    curves[5] = np.nan
    seen = first_guess.shown(first_guess.first_guess(*replace(patch, curves=curves).as_scan()), 0.03)

    assert np.isfinite(seen).all()
    assert seen[5, 11] == 0.0
    assert seen[:, 11].mean() > 0.9


def test_an_untrained_network_answers_what_it_is_shown(patch, guess) -> None:
    torch = pytest.importorskip("torch")
    from bolus.learn.networks import build

    torch.manual_seed(0)
    clock = sight.clock_of(patch.aif, patch.times)
    scale, noise = sight.measure(patch.curves, clock)
    image = sight.channels(*patches.seen(patch, clock, (scale, noise)), patch.mask)
    network = build("amortised", sight.CHANNELS, {"outputs": len(sight.OUTPUTS)}).eval()
    with torch.inference_mode():
        answer = network(torch.from_numpy(image[None]))[0].numpy()[:, patch.mask]

    shown = first_guess.shown(guess, scale)
    usual = (shown[:, :3] > 0.3).all(axis=1)
    np.testing.assert_allclose(answer[:5, usual], shown.T[:5, usual], atol=0.15)
    np.testing.assert_allclose(
        answer[6:11, usual], (10.0 ** shown.T[5:10, usual]).clip(0.02, 1.0), rtol=0.4, atol=0.05
    )


def test_what_was_learned_of_shapes_is_shown(guess) -> None:
    learned = first_guess.learned(guess)

    assert learned.shape == (6,)
    assert learned[:5].sum() == pytest.approx(1.0, abs=1e-5)
    assert learned[5] == np.float32(guess.settled["independence"])


def test_blocks_of_pixels_are_averaged_over_finite_curves() -> None:
    mask = np.ones((3, 4, 2), bool)
    mask[0, 0, 0] = mask[2, 2:, 1] = False
    curves = np.arange(mask.sum() * 3, dtype=np.float32).reshape(-1, 3)
    volume = np.full((*mask.shape, 3), np.nan, np.float32)
    volume[mask] = curves
    curves[4] = np.nan  # 0, 2, 1 in the volume
    grid = Grid(mask.shape, np.diag([0.4, 0.4, 5.0, 1.0]))
    scan = Concentration(curves, np.arange(3.0), mask, grid, Modality.CT, Unit.HU, (0, 1), 2.0)

    coarse = coarser(scan, 2)

    assert coarse.contrast.mask.shape == (2, 2, 2)
    assert not coarse.contrast.mask[1, 1, 1]
    assert coarse.contrast.grid.spacing_mm == pytest.approx((0.8, 0.8, 5.0))
    assert coarse.contrast.grid.affine[:2, 3] == pytest.approx([0.2, 0.2])
    volume[mask] = curves
    block = coarse.contrast.image(coarse.contrast.curves[:, 0])
    assert block[0, 0, 0] == pytest.approx(np.nanmean(volume[:2, :2, 0, 0]))
    assert block[0, 1, 1] == pytest.approx(np.nanmean(volume[:2, 2:, 1, 0]))
    assert coarse.contrast.curves[coarse.row].shape == curves.shape
    assert coarser(scan, 1).contrast is scan
