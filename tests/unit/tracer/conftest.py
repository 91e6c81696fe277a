"""Curves of arteries, veins and tissue as a series of voxels."""

from collections.abc import Callable

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Voxels
from bolus.core.units import Modality, Unit
from bolus.physics.gamma import GammaVariate

UNITS = {Modality.CT: Unit.HU, Modality.MR: Unit.SIGNAL, Modality.XA: Unit.SIGNAL}


def as_voxels(
    curves: np.ndarray, times: np.ndarray, *, modality: Modality = Modality.CT, te_ms: float | None = None
) -> Voxels:
    """One row a voxel, in one column of a volume; two slices where `times` has two rows."""
    n_slices = times.shape[0] if times.ndim == 2 else 1
    shape = (len(curves) // n_slices, 1, n_slices)
    grid = Grid(shape, np.eye(4))
    return Voxels(
        curves.astype(np.float32),
        times,
        np.ones(shape, dtype=bool),
        grid,
        modality,
        UNITS[modality],
        Acquisition(te_ms=te_ms),
    )


def enhancement(
    times: np.ndarray, *, onset_s: float = 10.0, n_voxels: int = 4000, noise: float = 6.0, seed: int = 0
) -> np.ndarray:
    """1 % artery-like and 3 % vein-like rows, the rest tissue: contrast above 0."""
    rng = np.random.default_rng(seed)
    n_artery, n_vein = n_voxels // 100, 3 * n_voxels // 100
    tissue = GammaVariate(8.0, onset_s + 2.0, 3.0, 2.5)(times)
    curves = np.tile(tissue, (n_voxels, 1))
    curves[:n_artery] = GammaVariate(250.0, onset_s, 3.0, 1.5)(times)
    curves[n_artery : n_artery + n_vein] = GammaVariate(350.0, onset_s + 6.0, 3.0, 2.0)(times)
    return curves + rng.normal(0.0, noise, curves.shape)


@pytest.fixture(scope="session")
def voxels_of() -> Callable[..., Voxels]:
    return as_voxels


@pytest.fixture(scope="session")
def bolus_curves() -> Callable[..., np.ndarray]:
    return enhancement
