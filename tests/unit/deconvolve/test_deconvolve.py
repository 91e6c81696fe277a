import os
import subprocess
import sys
import tracemalloc
from functools import partial
from inspect import signature

import numpy as np
import pytest

from bolus.core.errors import BadRecipe, ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import METHODS, TUNING, Deconvolve, choose_strength, csvd, deconvolve
from bolus.deconvolve.blocks import ROWS, joined, split
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = VesselCurve("AIF", TIMES, BOLUS(TIMES), Unit.HU, "simulated")
FROM_THE_PEAK = ("ssvd", "csvd", "osvd", "tikhonov", "box")
WITH_RESIDUES = [name for name in METHODS if "residues" in signature(METHODS[name]).parameters]


def concentration(n: int = 60, sd: float = 0.5) -> Concentration:
    rng = np.random.default_rng(8)
    few = tissue_curves(BOLUS, TIMES, (rng.uniform(8, 70, 50), rng.uniform(4, 12, 50), rng.uniform(0, 5, 50)))
    curves = np.resize(few, (n, 60)).astype(np.float32) + rng.normal(0, sd, (n, 60)).astype(np.float32)
    grid = Grid((max(n, 1), 1, 1), np.diag([1.0, 1.0, 5.0, 1.0]))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[:n] = True
    return Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, (0, 9), sd)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_one_of_the_protocol(method):
    assert isinstance(METHODS[method], Deconvolve)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 60])
def test_there_is_one_value_a_voxel(method, n):
    found = deconvolve(concentration(n), AIF, method=method)

    assert found.flow.shape == found.tmax.shape == (n,)
    assert found.flow.dtype == found.tmax.dtype == np.float32
    assert np.isfinite(found.flow).all()


@pytest.mark.parametrize("method", METHODS)
def test_blocks_leave_no_trace(method, monkeypatch):
    scan = concentration(200)
    options = {"residues": True} if method in WITH_RESIDUES else {}
    whole = deconvolve(scan, AIF, method=method, options=options)
    monkeypatch.setattr("bolus.deconvolve.blocks.ROWS", 33)

    blocks = deconvolve(scan, AIF, method=method, options=options)

    np.testing.assert_allclose(blocks.flow, whole.flow, rtol=1e-5)
    np.testing.assert_allclose(blocks.tmax, whole.tmax, atol=1e-3)
    if method in WITH_RESIDUES:
        np.testing.assert_allclose(blocks.residues, whole.residues, atol=1e-5 * whole.residues.max())
        np.testing.assert_array_equal(blocks.lags, whole.lags)


@pytest.mark.parametrize("method", METHODS)
def test_voxels_that_are_not_numbers_fail_alone(method):
    scan = concentration(40)
    broken = scan.curves.copy()
    broken[3, 5], broken[7, :], broken[11, 59], broken[12, 0] = np.nan, 0.0, np.inf, -np.inf

    found = METHODS[method](broken, AIF.values, 1.0)

    bad = [3, 7, 11, 12]
    assert np.isnan(found.flow[bad]).all()
    assert np.isnan(found.tmax[bad]).all()
    good = np.setdiff1d(np.arange(40), bad)
    np.testing.assert_allclose(
        found.flow[good], METHODS[method](scan.curves, AIF.values, 1.0).flow[good], rtol=1e-5
    )


@pytest.mark.parametrize("method", WITH_RESIDUES)
def test_residues_come_only_on_request(method):
    scan = concentration(5)

    without = deconvolve(scan, AIF, method=method)
    having = deconvolve(scan, AIF, method=method, options={"residues": True})

    assert without.residues is None
    assert having.residues.shape == (5, having.lags.size)
    if method in FROM_THE_PEAK:
        np.testing.assert_allclose(having.residues.max(axis=1), having.flow)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(WITH_RESIDUES)))
def test_methods_without_residues_say_so(method):
    with pytest.raises(BadRecipe, match="no option residues"):
        deconvolve(concentration(2), AIF, method=method, options={"residues": True})


def test_progress_is_told_after_each_block(monkeypatch):
    monkeypatch.setattr("bolus.deconvolve.blocks.ROWS", 25)
    told = []

    deconvolve(concentration(60), AIF, method="csvd", progress=lambda *now: told.append(now))

    assert told == [("deconvolve", 25, 60), ("deconvolve", 50, 60), ("deconvolve", 60, 60)]


def test_a_function_stands_in_for_a_name():
    scan = concentration(5)

    by_function = deconvolve(scan, AIF, method=partial(csvd, cutoff=0.2))

    np.testing.assert_array_equal(
        by_function.flow, deconvolve(scan, AIF, method="csvd", options={"cutoff": 0.2}).flow
    )


@pytest.mark.parametrize(
    ("method", "options"), [("svd", {}), ("csvd", {"limit": 3}), ("csvd", {"cutoff": "a"})]
)
def test_unknown_methods_and_options_are_refused(method, options):
    with pytest.raises(BadRecipe):
        deconvolve(concentration(2), AIF, method=method, options=options)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("csvd", {"cutoff": [0.1, 0.2]}),
        ("csvd", {"tail_s": {"s": 1}}),
        ("osvd", {"limit": [4.2]}),
        ("slope", {"window_s": [5]}),
        ("box", {"steps": [4]}),
        ("box", {"flow_limit": {}}),
        ("posterior", {"shapes": 3}),
        ("posterior", {"shapes": ["box"]}),
        ("posterior", {"shapes": {"box": "much"}}),
        ("posterior", {"baseline": "long"}),
        ("posterior", {"baseline": -3}),
        ("posterior", {"independence": "some"}),
        ("posterior", {"peaks": "false"}),
        ("posterior", {"leaning": True}),
        ("vascular", {"shapes": [1.0]}),
        ("vascular", {"peaks": 0}),
    ],
)
def test_options_of_the_wrong_kind_are_refused_as_such(method, options):
    with pytest.raises(BadRecipe, match=next(iter(options))):
        deconvolve(concentration(2), AIF, method=method, options=options)


@pytest.mark.parametrize("times", [TIMES + 0.5, TIMES * 1.1])
def test_an_arterial_curve_on_another_clock_is_refused(times):
    other = VesselCurve("AIF", times, BOLUS(times), Unit.HU, "file")

    with pytest.raises(ShapeMismatch, match="another clock"):
        deconvolve(concentration(2), other)


def test_an_arterial_curve_of_another_length_is_refused():
    other = VesselCurve("AIF", TIMES[:-1], BOLUS(TIMES[:-1]), Unit.HU, "file")

    with pytest.raises(ShapeMismatch, match="another clock"):
        deconvolve(concentration(2), other)


def test_one_strength_is_settled_for_all_blocks(monkeypatch):
    monkeypatch.setattr("bolus.deconvolve.blocks.ROWS", 20)
    scan = concentration(100)

    found = deconvolve(scan, AIF, method="tikhonov", options={"strength": "lcurve"})

    chosen = choose_strength(scan.curves, AIF.values, 1.0)
    np.testing.assert_allclose(
        found.flow, deconvolve(scan, AIF, method="tikhonov", options={"strength": chosen}).flow
    )
    assert set(TUNING) <= set(METHODS)


def test_blocks_of_long_scans_are_smaller():
    assert len(next(split(np.empty((100_000, 60), np.float32)))) == ROWS
    assert len(next(split(np.empty((100_000, 600), np.float32)))) < ROWS


def test_estimates_join_with_all_their_fields():
    def part(first: int) -> Estimate:
        values = np.arange(first, first + 2, dtype=np.float32)
        return Estimate(values, values, mtt=values, delay=values, sd={"flow": values}, index=values)

    whole = joined([part(0), part(2)])

    for array in (whole.flow, whole.tmax, whole.mtt, whole.delay, whole.sd["flow"], whole.index):
        np.testing.assert_array_equal(array, [0, 1, 2, 3])
    assert whole.residues is None


@pytest.mark.parametrize("method", METHODS)
def test_temporary_memory_is_bounded(method):
    scan = concentration(120_000)
    deconvolve(concentration(10), AIF, method=method)
    tracemalloc.start()

    deconvolve(scan, AIF, method=method)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 256 * 2**20


IN_MANY_THREADS = """
import sys
import numpy as np
from bolus.deconvolve import METHODS
given = np.load(sys.argv[1])
flows = {name: solve(given["curves"], given["aif"], 1.0).flow for name, solve in METHODS.items()}
np.savez(sys.argv[2], **flows)
"""


@pytest.mark.slow
def test_more_threads_than_processors_change_nothing(tmp_path):
    curves = concentration(300).curves
    np.savez(tmp_path / "given.npz", curves=curves, aif=AIF.values)
    threads = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "32")

    subprocess.run(
        [sys.executable, "-c", IN_MANY_THREADS, tmp_path / "given.npz", tmp_path / "found.npz"],
        env=os.environ | threads,
        check=True,
    )

    with np.load(tmp_path / "found.npz") as found:
        for name, solve in METHODS.items():
            np.testing.assert_allclose(found[name], solve(curves, AIF.values, 1.0).flow, rtol=1e-4)
