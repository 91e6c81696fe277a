"""Curves on a device give what curves in memory give. PyTorch's own processor stands in for a GPU."""

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import METHODS, deconvolve
from bolus.learn import on_device
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)


def scan(n: int = 300) -> tuple[Concentration, VesselCurve]:
    rng = np.random.default_rng(1)
    truth = (rng.uniform(8, 80, n), rng.uniform(3, 15, n), rng.uniform(0, 6, n))
    curves = (tissue_curves(BOLUS, TIMES, truth) + rng.normal(0, 1, (n, 60))).astype(np.float32)
    curves[3, 4], curves[5] = np.nan, 0.0
    mask = np.ones((n // 10, 10, 1), dtype=bool)
    grid = Grid(mask.shape, np.diag([2.0, 2.0, 5.0, 1.0]))
    made = Concentration(curves, TIMES, mask, grid, Modality.CT, Unit.HU, (0, 9), 1.0)
    return made, VesselCurve("AIF", TIMES, BOLUS(TIMES), Unit.HU, "simulated")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_curves_on_a_device(method):
    pytest.importorskip("torch")
    tissue, artery = scan()

    here, there = (
        deconvolve(tissue, artery, method=method, neighbours=True, place=place)
        for place in (None, on_device("cpu"))
    )

    np.testing.assert_array_equal(np.isnan(there.flow), np.isnan(here.flow))
    np.testing.assert_allclose(there.flow, here.flow, rtol=5e-3)
    assert np.nanmedian(np.abs(there.tmax - here.tmax)) < 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_a_gpu_gives_the_same(method):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA here")
    tissue, artery = scan()

    here, there = (
        deconvolve(tissue, artery, method=method, neighbours=True, place=place)
        for place in (None, on_device("cuda"))
    )

    np.testing.assert_allclose(there.flow, here.flow, rtol=1e-2)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(BadRecipe, match="device nowhere"):
        on_device("nowhere")
