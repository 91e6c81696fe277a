"""Laws that every deconvolution method keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import METHODS, deconvolve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, tissue_curves
from bolus.quantify import make_maps

N = 40
N_FRAMES = 60
few = settings(max_examples=5, deadline=None, derandomize=True)
every_method = pytest.mark.parametrize("method", METHODS)
circulant = pytest.mark.parametrize("method", ["csvd", "osvd", "tikhonov"])
in_time = pytest.mark.parametrize("method", ["box", "slope", "moment"])
seeds = st.integers(0, 2**20)
intervals = st.sampled_from([0.5, 1.0, 1.3, 2.0])


def scene(seed: int, dt: float, *, sd: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy tissue curves and their arterial curve, float64."""
    rng = np.random.default_rng(seed)
    bolus = GammaVariate(rng.uniform(100, 400), rng.uniform(8, 12) * dt**0.3, 3.0, rng.uniform(1.2, 2.0))
    parameters = (rng.uniform(8, 80, N), rng.uniform(3, 15, N), rng.uniform(-1, 6, N))
    times = np.arange(N_FRAMES) * dt
    residue = RESIDUES[rng.choice(sorted(RESIDUES))]
    clean = tissue_curves(bolus, times, parameters, residue=residue)
    return clean + rng.normal(0, sd, clean.shape), bolus(times)


def maps_of(curves: np.ndarray, aif: np.ndarray, dt: float, method: str) -> dict[str, np.ndarray]:
    times = np.arange(N_FRAMES) * dt
    mask = np.ones((len(curves), 1, 1), dtype=bool)
    grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    scan = Concentration(curves, times, mask, grid, Modality.CT, Unit.HU, (0, 5), 1.0)
    artery = VesselCurve("AIF", times, aif, Unit.HU, "simulated")
    made = make_maps(deconvolve(scan, artery, method=method), scan, artery)
    return {name: found.values.ravel() for name, found in made.items()}


@every_method
@few
@given(seed=seeds, dt=intervals, factor=st.floats(0.01, 100.0))
def test_flow_and_volume_are_proportional_to_concentration(method, seed, dt, factor):
    curves, aif = scene(seed, dt)

    once, scaled = maps_of(curves, aif, dt, method), maps_of(factor * curves, aif, dt, method)

    for name in ("CBF", "CBV"):
        np.testing.assert_allclose(scaled[name], factor * once[name], rtol=1e-4, atol=1e-4 * factor)
    for name in ("MTT", "Tmax", "TTP"):
        np.testing.assert_allclose(scaled[name], once[name], rtol=1e-4, atol=1e-4)


@every_method
@few
@given(seed=seeds, dt=intervals, factor=st.floats(0.01, 100.0))
def test_a_common_factor_of_tissue_and_artery_changes_nothing(method, seed, dt, factor):
    curves, aif = scene(seed, dt)

    once, scaled = maps_of(curves, aif, dt, method), maps_of(factor * curves, factor * aif, dt, method)

    for name in ("CBF", "CBV", "MTT", "Tmax"):
        np.testing.assert_allclose(scaled[name], once[name], rtol=1e-4, atol=1e-4)


@every_method
@few
@given(seed=seeds, dt=intervals)
def test_volume_is_flow_times_transit(method, seed, dt):
    maps = maps_of(*scene(seed, dt, sd=0.2), dt, method)

    known = np.isfinite(maps["MTT"])
    assert known.mean() > 0.9
    np.testing.assert_allclose(maps["CBV"][known], (maps["CBF"] * maps["MTT"] / 60)[known], rtol=1e-5)


@circulant
@few
@given(seed=seeds, dt=intervals, shift=st.integers(-2, 8))
def test_delay_round_the_circle_leaves_flow_and_moves_tmax(method, seed, dt, shift):
    curves, aif = scene(seed, dt, sd=0.2)
    # nothing may fall off either end of the padded circle
    inside = (np.arange(N_FRAMES) > 3) & (np.arange(N_FRAMES) < N_FRAMES - 9)
    curves = curves * inside

    here = METHODS[method](curves, aif, dt)
    there = METHODS[method](np.roll(curves, shift, axis=1), aif, dt)

    # a peak that the shift carries over an end of the search is another peak
    searched = (here.tmax + shift * dt > -5 + dt) & (here.tmax + shift * dt < (N_FRAMES - 1) * dt)
    searched &= (there.tmax - shift * dt > -5 + dt) & (there.tmax - shift * dt < (N_FRAMES - 1) * dt)
    assert searched.mean() > 0.8
    np.testing.assert_allclose(there.flow[searched], here.flow[searched], rtol=1e-5)
    np.testing.assert_allclose((there.tmax - here.tmax)[searched], shift * dt, atol=1e-3)


@in_time
@few
@given(seed=seeds, dt=st.sampled_from([1.0, 1.3, 2.0]), shift=st.integers(0, 6))
def test_later_tissue_keeps_its_flow_and_moves_tmax(method, seed, dt, shift):
    rng = np.random.default_rng(seed)
    bolus = GammaVariate(300.0, rng.uniform(8, 12), 3.0, 1.5)
    residue = RESIDUES[rng.choice(sorted(RESIDUES))]
    # short transits, so that hardly anything is lost at the end of the scan; nothing comes round to its start
    parameters = (rng.uniform(20, 80, N), rng.uniform(3, 6, N), rng.uniform(-1, 3, N))
    times = np.arange(N_FRAMES) * dt
    curves = tissue_curves(bolus, times, parameters, residue=residue)
    later = np.concatenate([np.zeros((N, shift)), curves], axis=1)[:, :N_FRAMES]

    here, there = METHODS[method](curves, bolus(times), dt), METHODS[method](later, bolus(times), dt)

    np.testing.assert_allclose(there.flow, here.flow, rtol=0.01)
    np.testing.assert_allclose(there.tmax - here.tmax, shift * dt, atol=1e-3)


@every_method
@few
@given(seed=seeds, dt=intervals)
def test_permuted_voxels_have_permuted_results(method, seed, dt):
    curves, aif = scene(seed, dt)
    order = np.random.default_rng(seed).permutation(N)

    straight, mixed = METHODS[method](curves, aif, dt), METHODS[method](curves[order], aif, dt)

    np.testing.assert_allclose(mixed.flow, straight.flow[order], rtol=1e-5)
    np.testing.assert_allclose(mixed.tmax, straight.tmax[order], atol=1e-4)


@every_method
@few
@given(seed=seeds, dt=intervals)
def test_single_precision_is_precise_enough(method, seed, dt):
    curves, aif = scene(seed, dt)
    curves = curves.astype(np.float32)

    single, double = (METHODS[method](curves.astype(kind), aif, dt) for kind in (np.float32, np.float64))

    np.testing.assert_allclose(single.flow, double.flow, rtol=1e-4)
    np.testing.assert_allclose(single.tmax, double.tmax, atol=1e-3)


@every_method
@few
@given(seed=seeds, dt=intervals)
def test_memory_layout_and_type_do_not_matter(method, seed, dt):
    curves, aif = scene(seed, dt)
    whole = np.round(curves).astype(np.int16)
    wanted = METHODS[method](whole.astype(np.float32), aif, dt)
    strided = np.zeros((2 * N, N_FRAMES), np.float32)[::2]
    strided[:] = whole
    locked = whole.astype(np.float32)
    locked.flags.writeable = False

    for same in (whole, np.asfortranarray(whole), strided, locked, whole.astype(np.int64)):
        found = METHODS[method](same, aif, dt)
        np.testing.assert_allclose(found.flow, wanted.flow, rtol=1e-5)
        np.testing.assert_allclose(found.tmax, wanted.tmax, atol=1e-4)


@every_method
@few
@given(seed=seeds, dt=intervals)
def test_one_voxel_is_as_good_as_many(method, seed, dt):
    curves, aif = scene(seed, dt)

    alone, together = METHODS[method](curves[:1], aif, dt), METHODS[method](curves, aif, dt)

    np.testing.assert_allclose(alone.flow, together.flow[:1], rtol=1e-5)
