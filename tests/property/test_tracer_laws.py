"""Laws of the conversion from signal to contrast."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Voxels
from bolus.core.units import Modality, Unit
from bolus.physics.gamma import GammaVariate
from bolus.tracer import Baseline, find_baseline, to_concentration

TIMES = np.arange(45.0)
BEFORE = Baseline(0, 8, 9.0)
UNITS = {Modality.CT: Unit.HU, Modality.MR: Unit.SIGNAL}

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 10_000)


def rises(seed: int, n_voxels: int = 300) -> np.ndarray:
    """Noisy rises, the first tenth of them tall and early."""
    rng = np.random.default_rng(seed)
    curves = np.tile(GammaVariate(10.0, 12.0, 3.0, 2.0)(TIMES), (n_voxels, 1))
    curves[: n_voxels // 10] = GammaVariate(200.0, 10.0, 3.0, 1.5)(TIMES)
    return curves + rng.normal(0.0, 2.0, curves.shape)


def as_voxels(curves: np.ndarray, modality: Modality = Modality.CT) -> Voxels:
    shape = (len(curves), 1, 1)
    return Voxels(
        curves.astype(np.float32),
        TIMES,
        np.ones(shape, dtype=bool),
        Grid(shape, np.eye(4)),
        modality,
        UNITS[modality],
        Acquisition(te_ms=30.0),
    )


def signal(seed: int) -> np.ndarray:
    return 500.0 * np.exp(-0.03 * 0.3 * rises(seed))


@few
@given(seeds, st.floats(0.3, 3.0))
def test_scaling_the_enhancement_scales_the_contrast_and_keeps_the_baseline(seed, factor):
    curves = rises(seed)
    one, many = as_voxels(35 + curves), as_voxels(35 + factor * curves)

    assert find_baseline(many).last == find_baseline(one).last
    np.testing.assert_allclose(
        to_concentration(many, BEFORE).curves,
        factor * to_concentration(one, BEFORE).curves,
        rtol=1e-4,
        atol=1e-3,
    )


@few
@given(seeds, st.floats(-60.0, 60.0))
def test_shifting_each_voxel_changes_nothing(seed, largest):
    curves = rises(seed)
    shift = np.random.default_rng(seed).uniform(0, 1, (len(curves), 1)) * largest
    still, moved = as_voxels(30 + curves), as_voxels(30 + curves + shift)

    assert find_baseline(moved).last == find_baseline(still).last
    np.testing.assert_allclose(
        to_concentration(moved, BEFORE).curves, to_concentration(still, BEFORE).curves, atol=1e-3
    )


@few
@given(seeds, st.floats(0.2, 50.0))
def test_the_gain_of_each_mr_voxel_cancels(seed, gain):
    values = signal(seed)
    gains = gain * np.random.default_rng(seed).uniform(0.8, 1.2, (len(values), 1))
    one, other = as_voxels(values, Modality.MR), as_voxels(gains * values, Modality.MR)

    assert find_baseline(other).last == find_baseline(one).last
    np.testing.assert_allclose(
        to_concentration(other, BEFORE).curves, to_concentration(one, BEFORE).curves, rtol=1e-3, atol=2e-2
    )


@few
@given(seeds)
def test_permuting_voxels_permutes_the_contrast(seed):
    curves = 35 + rises(seed)
    order = np.random.default_rng(seed).permutation(len(curves))
    plain, mixed = as_voxels(curves), as_voxels(curves[order])

    assert find_baseline(mixed) == find_baseline(plain)
    np.testing.assert_array_equal(
        to_concentration(mixed, BEFORE).curves, to_concentration(plain, BEFORE).curves[order]
    )


@few
@given(seeds, st.floats(5.0, 100.0))
def test_halving_the_echo_time_doubles_the_rate(seed, te_ms):
    voxels = as_voxels(signal(seed), Modality.MR)
    long = to_concentration(voxels, BEFORE, te_ms=te_ms).curves
    short = to_concentration(replace(voxels, acquisition=Acquisition(te_ms=te_ms / 2)), BEFORE).curves

    np.testing.assert_allclose(short, 2 * long, rtol=1e-4, atol=1e-3)
