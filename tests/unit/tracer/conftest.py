"""Curves of arteries, veins and tissue as a series of voxels."""

from collections.abc import Callable

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series, Voxels
from bolus.core.units import Modality, Unit
from bolus.core.xray import XRay
from bolus.physics.gamma import GammaVariate

UNITS = {Modality.CT: Unit.HU, Modality.MR: Unit.SIGNAL, Modality.XA: Unit.NAT}


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


PIXELS, XRAY_TIMES = 96, np.arange(0.0, 12.0, 0.5)


def angiogram(*, onset_s: float = 2.0, noise: float = 0.01, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Line integrals of a head `(x, y, 1)` and density of contrast `(x, y, 1, t)` [nat], with noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, PIXELS), np.linspace(-1, 1, PIXELS), indexing="ij")
    radius = np.hypot(x, 0.9 * y)
    bone = 0.9 * np.exp(-(((radius - 0.85) / 0.06) ** 2)) + 0.3 * np.sin(9 * x) * np.cos(7 * y)
    head = np.where(radius < 0.9, 1.5 - radius**2, 0.0) + bone
    tissue = 0.12 * GammaVariate(1.0, onset_s + 1.5, 3.0, 1.2)(XRAY_TIMES)
    artery = 0.7 * GammaVariate(1.0, onset_s, 3.0, 0.6)(XRAY_TIMES)
    vein = 0.5 * GammaVariate(1.0, onset_s + 3.0, 3.0, 0.9)(XRAY_TIMES)
    density = np.where(radius < 0.8, 1.0, 0.0)[..., None] * tissue
    density[44:50, 50:] += artery
    density[60:66, 10:60] += 0.6 * artery
    density[20:26, 8:40] += vein
    lines = head[..., None] + density + rng.normal(0.0, noise, density.shape)
    return lines[:, :, None, :], density[:, :, None, :]


def xray_series(
    frames: np.ndarray, times: np.ndarray = XRAY_TIMES, *, unit: Unit = Unit.SIGNAL, **beam: object
) -> Series:
    """A run of stored values `(x, y, 1, t)` whose file says `beam` of them."""
    grid = Grid(frames.shape[:3], np.diag([-0.5, -0.5, 1.0, 1.0]))
    acquisition = Acquisition(xray=XRay(**beam))  # type: ignore[arg-type]
    return Series(frames, times, grid, Modality.XA, unit, acquisition=acquisition)


@pytest.fixture(scope="session")
def run_of() -> Callable[..., Series]:
    return xray_series


@pytest.fixture(scope="session")
def angiogram_of() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return angiogram
