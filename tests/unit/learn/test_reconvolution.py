"""Maps convolved with the arterial curve again are the curves that they were made of."""

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn.reconvolution import misfit, reconvolved
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, flow_per_second, tissue_curves

ARTERY = GammaVariate(300.0, 8.0, 3.0, 1.5)
TIMES = np.arange(0.0, 60.0, 1.0)
CBF, MTT, DELAY = np.array([20.0, 60.0, 40.0]), np.array([6.0, 4.0, 12.0]), np.array([1.0, 0.0, 5.0])
MAPS = {"CBF": np.asarray(flow_per_second(CBF)), "MTT": MTT, "delay": DELAY}


def contrast(curves) -> Concentration:
    mask = np.ones((len(curves), 1, 1), dtype=bool)
    grid = Grid(mask.shape, np.eye(4))
    return Concentration(curves.astype(np.float32), TIMES, mask, grid, Modality.CT, Unit.HU, (0, 6), 1.0)


@pytest.mark.parametrize("shape", list(RESIDUES))
def test_curves_are_those_of_the_forward_model(shape: str) -> None:
    wanted = tissue_curves(ARTERY, TIMES, (CBF, MTT, DELAY), residue=RESIDUES[shape])
    found = reconvolved(MAPS, TIMES, ARTERY(TIMES), shape)

    assert np.abs(found - wanted).max() < 0.05 * wanted.max()


def test_misfit_is_small_for_right_maps_and_large_for_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    curves = tissue_curves(ARTERY, TIMES, (CBF, MTT, DELAY)) + 0.3 * rng.normal(size=(3, TIMES.size))
    scan, aif = contrast(curves), VesselCurve("AIF", TIMES, ARTERY(TIMES), Unit.HU, "")
    everywhere = np.ones(3, dtype=bool)

    right = misfit(MAPS, scan, aif, everywhere)
    late = misfit(MAPS | {"delay": DELAY + 6.0}, scan, aif, everywhere)
    half = misfit(MAPS | {"CBF": 0.5 * MAPS["CBF"]}, scan, aif, everywhere)

    assert right < 0.1
    assert late > 0.4
    assert half == pytest.approx(0.5, abs=0.1)


def test_misfit_of_nothing_is_no_number() -> None:
    scan, aif = contrast(np.zeros((3, TIMES.size))), VesselCurve("AIF", TIMES, ARTERY(TIMES), Unit.HU, "")
    assert np.isnan(misfit(MAPS, scan, aif, np.zeros(3, dtype=bool)))
