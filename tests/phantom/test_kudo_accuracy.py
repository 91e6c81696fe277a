"""Truth recovered on the grid of Kudo et al. 2013 (Radiology 267:201), at its CT timing.

Five volumes by seven transit times by seven delays, 30 frames 2 s apart, noise of 0.5 HU, the sampled
arterial curve a little noisy as well.
"""

from functools import cache

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import deconvolve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, tissue_curves
from bolus.quantify import make_maps

TIMES = np.arange(30) * 2.0
VOLUMES, TRANSITS, DELAYS = np.arange(1.0, 6.0), 24.0 / np.arange(1, 8), np.arange(0.0, 3.5, 0.5)
SHAPE = (5, 7, 7)
CBV, MTT, DELAY = np.meshgrid(VOLUMES, TRANSITS, DELAYS, indexing="ij")
CBF = 60 * CBV / MTT
VOXELS_A_TILE = 100


@cache
def tile_means(residue: str, method: str = "osvd", sd: float = 0.5) -> dict[str, np.ndarray]:
    """Return the mean of each map in each tile, shape (volumes, transit times, delays)."""
    rng = np.random.default_rng(2013)
    bolus = GammaVariate(300.0, 10.0, 3.0, 1.5)
    truth = (CBF.ravel(), MTT.ravel(), DELAY.ravel())
    clean = tissue_curves(bolus, TIMES, truth, residue=RESIDUES[residue])
    curves = np.repeat(clean, VOXELS_A_TILE, axis=0)
    curves = (curves + rng.normal(0, sd, curves.shape)).astype(np.float32)
    mask = np.ones((len(curves), 1, 1), dtype=bool)
    grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    scan = Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, (0, 0), sd)  # the level is known
    noisy = bolus(TIMES) + rng.normal(0, sd / 10, TIMES.size)
    artery = VesselCurve("AIF", TIMES, noisy, Unit.HU, "simulated")
    maps = make_maps(deconvolve(scan, artery, method=method), scan, artery)
    return {name: np.nanmean(made.values.reshape(*SHAPE, -1), axis=-1) for name, made in maps.items()}


def correlation(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.corrcoef(found.ravel(), truth.ravel())[0, 1])


every_residue = pytest.mark.parametrize("residue", ["exponential", "linear", "box"])


@every_residue
def test_maps_rank_the_tiles(residue):
    means = tile_means(residue)

    assert correlation(means["CBF"], CBF) >= 0.97
    assert correlation(means["CBV"], CBV) >= 0.98
    assert correlation(means["MTT"], MTT) >= 0.93


@every_residue
@pytest.mark.parametrize("method", ["osvd", "csvd", "tikhonov"])
@pytest.mark.parametrize("delay", DELAYS[1:])
def test_delay_changes_flow_by_at_most_three_percent(method, residue, delay):
    flow = tile_means(residue, method)["CBF"]

    ratio = flow[..., delay == DELAYS].sum() / flow[..., 0].sum()

    assert ratio == pytest.approx(1.0, abs=0.03)


@every_residue
def test_tmax_follows_delay(residue):
    tmax = tile_means(residue)["Tmax"].reshape(-1, DELAYS.size)

    slope = np.polyfit(DELAYS, tmax.T, 1)[0].mean()

    assert 0.95 <= slope <= 1.05


@every_residue
def test_the_causal_form_depends_on_delay(residue):
    flow = tile_means(residue, "ssvd")["CBF"]

    assert flow[..., -1].sum() / flow[..., 0].sum() > 1.03


@every_residue
def test_twice_the_noise_leaves_the_ranking(residue):
    means = tile_means(residue, sd=1.0)

    assert correlation(means["CBF"], CBF) >= 0.95
    assert correlation(means["CBV"], CBV) >= 0.98
    assert correlation(means["MTT"], MTT) >= 0.92


def test_volume_is_right_where_contrast_washes_out():
    cbv = tile_means("exponential")["CBV"]
    fast = TRANSITS <= 8

    np.testing.assert_allclose(cbv[:, fast], CBV[:, fast], rtol=0.04, atol=0.04)


def test_first_moment_is_transit_and_delay_where_contrast_washes_out():
    found = tile_means("exponential", sd=0.02)["FM"]

    fast = TRANSITS <= 4.8
    np.testing.assert_allclose(found[1:, fast], (MTT + DELAY)[1:, fast], atol=0.3)
