"""What the motion of a head leaves in curves: told from contrast, taken away, not seen where none is."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from bolus.core.errors import ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import posterior, without_motion
from bolus.physics.transport import RESIDUES, tissue_curves, unit_flow

N, DT, BASELINE, NOISE = 800, 1.5, (0, 6), 1.0
TIMES = np.arange(45) * DT
WAY = np.zeros((TIMES.size, 6))
WAY[20:, 0], WAY[34:, 1] = 2.5, -1.5  # two jumps, one of them late


class Tissue(NamedTuple):
    curves: np.ndarray
    flows: np.ndarray


def _artery(at):
    since = np.maximum(np.asarray(at, dtype=np.float64) - 9.0, 0.0) / 4.5
    return 300.0 * since**3 * np.exp(3.0 * (1.0 - since))


@pytest.fixture
def tissue():
    """Contrast of tissue of three flows, with noise, less the mean of the noisy baseline."""
    rng = np.random.default_rng(0)
    flows = rng.choice([6.0, 22.0, 50.0], N)
    parameters = (flows, np.full(N, 5.0), rng.uniform(0.0, 5.0, N))
    clean = tissue_curves(_artery, TIMES, parameters, residue=RESIDUES["gamma"])
    noisy = clean + rng.normal(0.0, NOISE, clean.shape)
    return Tissue((noisy - noisy[:, :6].mean(axis=1, keepdims=True)).astype(np.float32), flows)


@pytest.fixture
def steps():
    """What motion adds: nothing in half of the voxels, 2 to 8 HU in the others."""
    rng = np.random.default_rng(1)
    sensitivity = rng.choice([0.0, 0.0, 0.0, 1.0, -1.0, 3.0, -3.0], N) * rng.uniform(0.8, 1.0, N)
    return (sensitivity[:, None] * (WAY[:, 0] - 0.6 * WAY[:, 1])).astype(np.float32)


def _scan(curves, baseline=BASELINE):
    grid = Grid((len(curves), 1, 1), np.eye(4))
    mask = np.ones(grid.shape, dtype=np.bool_)
    return Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, baseline, NOISE)


def _aif():
    return VesselCurve("AIF", TIMES, _artery(TIMES), Unit.HU, "given")


def _flow_error(curves, flows):
    """Return the root mean square error of flow [mL/100 g/min]; a flow that was not found counts as 0."""
    found = posterior(curves, _artery(TIMES), DT, baseline=6.0).flow * unit_flow()
    return float(np.sqrt(np.mean((np.nan_to_num(found) - flows) ** 2)))


def test_steps_are_taken_out_and_flow_is_right_again(tissue, steps):
    hit = np.abs(steps).max(axis=1) > 1.0
    shaken = tissue.curves + steps
    cleaned = without_motion(_scan(shaken), _aif(), WAY).curves
    still, before, after = (
        _flow_error(curves[hit], tissue.flows[hit]) for curves in (tissue.curves, shaken, cleaned)
    )
    assert before > 2.0 * still
    assert after < 1.3 * still


def test_curves_without_steps_stay_as_they_are(tissue, steps):
    calm = np.abs(steps).max(axis=1) == 0.0
    cleaned = without_motion(_scan(tissue.curves + steps), _aif(), WAY).curves
    changed = np.sqrt(np.mean((cleaned - tissue.curves)[calm] ** 2))
    assert changed < 0.25 * NOISE
    still, after = (_flow_error(c[calm], tissue.flows[calm]) for c in (tissue.curves, cleaned))
    assert after < 1.05 * still


def test_a_still_head_changes_nothing(tissue):
    scan = _scan(tissue.curves)
    assert without_motion(scan, _aif(), 0.02 * WAY) is scan


def test_unit_of_the_curves_does_not_matter(tissue, steps):
    scan = _scan(tissue.curves + steps)
    small = Concentration(
        scan.curves * np.float32(1e-3),
        TIMES,
        scan.mask,
        scan.grid,
        Modality.MR,
        Unit.PER_SECOND,
        BASELINE,
        1e-3,
    )
    aif = VesselCurve("AIF", TIMES, 1e-3 * _artery(TIMES), Unit.PER_SECOND, "given")
    expected = without_motion(scan, _aif(), WAY).curves
    np.testing.assert_allclose(1e3 * without_motion(small, aif, WAY).curves, expected, atol=2e-3)


def test_frames_before_the_baseline_are_left_alone(tissue, steps):
    """In MR they hold the way to the steady state."""
    curves = tissue.curves + steps
    curves[:, :2] += 500.0
    found = without_motion(_scan(curves, baseline=(2, 6)), _aif(), WAY).curves
    np.testing.assert_array_equal(found[:, :2], curves[:, :2])
    assert np.abs(found[:, 2:] - tissue.curves[:, 2:]).mean() < 0.5 * np.abs(steps[:, 2:]).mean()


def test_samples_without_a_number_stay_and_spoil_no_other_curve(tissue, steps):
    curves = tissue.curves + steps
    expected = without_motion(_scan(curves), _aif(), WAY).curves
    broken = curves.copy()
    broken[3, 7], broken[5, 20] = np.nan, np.inf
    found = without_motion(_scan(broken), _aif(), WAY).curves
    others = np.delete(np.arange(N), [3, 5])
    np.testing.assert_allclose(found[others], expected[others], atol=0.05)
    np.testing.assert_array_equal(found[[3, 5]], broken[[3, 5]])


def test_curves_without_noise_are_taken(tissue):
    scan = _scan(tissue.curves)
    silent = Concentration(scan.curves, TIMES, scan.mask, scan.grid, Modality.CT, Unit.HU, BASELINE, 0.0)
    assert np.isfinite(without_motion(silent, _aif(), WAY).curves).all()


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_curves_that_hold_nothing_stay_and_spoil_no_other(tissue, steps, noise):
    curves = tissue.curves + steps
    curves[: N // 2 + 1] = 0.0
    found = without_motion(replace(_scan(curves), noise=noise), _aif(), WAY).curves
    np.testing.assert_allclose(found[: N // 2 + 1], 0.0, atol=1e-3)
    off, left = (np.abs(c - tissue.curves)[N // 2 + 1 :].mean() for c in (curves, found))
    assert left < 0.5 * off


def test_nothing_but_zeros_is_taken(tissue):
    empty = np.zeros_like(tissue.curves)
    scan = replace(_scan(empty), noise=0.0)
    np.testing.assert_array_equal(without_motion(scan, _aif(), WAY).curves, empty)


def test_a_scan_without_a_baseline_is_measured_from_its_first_frame(tissue, steps):
    """Contrast may be there from the beginning: `NO_BASELINE`, which withholds volumes but not the maps."""
    curves = tissue.curves + steps
    found = without_motion(_scan(curves, baseline=(0, 0)), _aif(), WAY).curves
    off, left = (np.abs(c - tissue.curves).mean() for c in (curves, found))
    assert left < 0.5 * off


def test_a_way_on_another_clock_is_refused(tissue):
    with pytest.raises(ShapeMismatch, match="another clock"):
        without_motion(_scan(tissue.curves), _aif(), WAY[:-1])
