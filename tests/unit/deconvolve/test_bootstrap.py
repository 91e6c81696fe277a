"""Standard deviations by drawing residuals again."""

import sys
from functools import partial

import numpy as np
import pytest

from bolus.core.errors import BadRecipe, ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import BOOTSTRAPPED, METHODS, bootstrap, deconvolve

TIMES = np.arange(60.0)
NOISE = 1.0


def passage(times, onset=8.0, peak=300.0):
    s = np.maximum(times - onset, 0) / 4.5
    return peak * s**3 * np.exp(3 * (1 - s))


AIF = VesselCurve("AIF", TIMES, passage(TIMES), Unit.HU, "formula")


def tissue(flow, mtt, delay):
    """A noise-free curve of exponential tissue; flow in 1/s."""
    fine = np.arange(0, 60, 0.05)
    curve = np.convolve(passage(fine, 8.0 + delay), flow * np.exp(-fine / mtt))[: fine.size] * 0.05
    return np.interp(TIMES, fine, curve)


PENUMBRA = tissue(24 / 6000 / 0.7051, 10.0, 5.0)


def scan(curve, n=300, noise=NOISE, seed=0):
    rng = np.random.default_rng(seed)
    curves = (curve + noise * rng.standard_normal((n, TIMES.size))).astype(np.float32)
    mask, grid = np.ones((n, 1, 1), dtype=bool), Grid((n, 1, 1), np.diag([1.0, 1.0, 1.0, 1.0]))
    return Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, (0, 6), noise)


def at_lag_12(curves, aif, dt, /, *, residues=False):
    """A method that is linear in the curves: the residue of `csvd` 12 s after the artery, not its peak."""
    found = METHODS["csvd"](curves, aif, dt, residues=True)
    at = int(np.argmin(np.abs(found.lags - 12.0)))
    kept = {"residues": found.residues, "lags": found.lags} if residues else {}
    return Estimate(flow=found.residues[:, at], tmax=found.tmax, **kept)


def test_deviations_of_a_linear_method_are_the_analytic_ones():
    unit = np.eye(TIMES.size, dtype=np.float32)
    row = at_lag_12(unit, AIF.values, 1.0).flow  # what every sample counts for

    made = bootstrap(scan(PENUMBRA, 200), AIF, repeats=100, method=at_lag_12)

    assert np.median(made.sd["flow"]) == pytest.approx(NOISE * np.linalg.norm(row), rel=0.05)
    analytic = NOISE * np.sqrt(TIMES.size) / AIF.values.sum()
    assert np.median(made.sd["volume"]) == pytest.approx(analytic, rel=0.05)


@pytest.mark.parametrize("method", BOOTSTRAPPED)
def test_deviations_are_those_of_repeats(method):
    concentration = scan(PENUMBRA)

    made = bootstrap(concentration, AIF, repeats=40, method=method)

    spread = made.flow.std()
    assert np.median(made.sd["flow"]) == pytest.approx(spread, rel=0.15)
    volume = concentration.curves.sum(axis=1) / AIF.values.sum()
    assert np.median(made.sd["volume"]) == pytest.approx(volume.std(), rel=0.15)
    inside = np.abs(made.flow - made.flow.mean()) < 1.645 * made.sd["flow"]
    assert 0.8 < inside.mean() < 0.97


def test_the_estimate_itself_is_that_of_the_method():
    concentration = scan(PENUMBRA, 50)

    made, plain = bootstrap(concentration, AIF, repeats=3), deconvolve(concentration, AIF, method="osvd")

    np.testing.assert_array_equal(made.flow, plain.flow)
    np.testing.assert_array_equal(made.tmax, plain.tmax)
    assert made.residues is None
    assert set(made.sd) == {"flow", "tmax", "volume", "mtt"}
    assert all(sd.dtype == np.float32 and sd.shape == made.flow.shape for sd in made.sd.values())


def test_more_noise_makes_larger_deviations_in_proportion():
    quiet, loud = (
        bootstrap(scan(PENUMBRA, 100, noise), AIF, repeats=30, method="csvd") for noise in (0.5, 1.0)
    )

    ratio = np.median(loud.sd["flow"]) / np.median(quiet.sd["flow"])
    assert ratio == pytest.approx(2.0, rel=0.2)


def test_equal_inputs_give_equal_deviations_whatever_the_blocks(monkeypatch):
    concentration = scan(PENUMBRA, 40)
    whole = bootstrap(concentration, AIF, repeats=5)
    blocks = []

    def in_tens(curves):
        blocks.append(len(curves))
        return (curves[i : i + 10] for i in range(0, len(curves), 10))

    monkeypatch.setattr(sys.modules["bolus.deconvolve.bootstrap"], "split", in_tens)
    parts = bootstrap(concentration, AIF, repeats=5)

    assert blocks == [40]
    np.testing.assert_allclose(parts.sd["flow"], whole.sd["flow"], rtol=1e-4)


def test_voxels_without_a_number_have_no_deviation():
    concentration = scan(PENUMBRA, 20)
    curves = concentration.curves.copy()
    curves[3] = np.nan
    curves[4] = 0.0
    broken = Concentration(
        curves, TIMES, concentration.mask, concentration.grid, Modality.CT, Unit.HU, (0, 6), 1.0
    )

    made = bootstrap(broken, AIF, repeats=5)

    assert np.isnan(made.flow[3])
    assert np.isnan(made.sd["flow"][3])
    assert np.isfinite(made.sd["flow"][5:]).all()


def test_progress_is_told():
    told = []

    bootstrap(scan(PENUMBRA, 10), AIF, repeats=2, progress=lambda *a: told.append(a))

    assert told == [("deconvolve", 10, 10)]


@pytest.mark.parametrize("method", ["slope", "moment", "posterior", "box"])
def test_methods_without_residues_or_with_deviations_of_their_own_are_refused(method):
    with pytest.raises(BadRecipe, match="bootstrap"):
        bootstrap(scan(PENUMBRA, 2), AIF, repeats=5, method=method)


def test_too_few_repeats_and_wrong_clocks_are_refused():
    with pytest.raises(BadRecipe, match="repeats"):
        bootstrap(scan(PENUMBRA, 2), AIF, repeats=1)
    late = VesselCurve("AIF", TIMES[1:], AIF.values[1:], Unit.HU, "formula")
    with pytest.raises(ShapeMismatch):
        bootstrap(scan(PENUMBRA, 2), late, repeats=2)


def test_a_configured_function_can_be_resampled():
    made = bootstrap(scan(PENUMBRA, 10), AIF, repeats=3, method=partial(METHODS["csvd"], cutoff=0.2))

    assert np.isfinite(made.sd["flow"]).all()
