"""A small head with arteries, sinus and tissue, whose truth is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from bolus.core.brain import Brain
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

SHAPE = (64, 64, 6)
ARTERIAL = GammaVariate(peak=300.0, onset_s=10.0, alpha=3.0, beta_s=1.5)


@dataclass(frozen=True)
class Head:
    raw: Concentration
    brain: Brain
    artery: np.ndarray
    sinus: np.ndarray
    aif: np.ndarray
    vof: np.ndarray
    right: np.ndarray


def _venous(times: np.ndarray, scale: float) -> np.ndarray:
    # Same area as the artery, 6 s later and wider.
    wide = GammaVariate(1.0, ARTERIAL.onset_s + 6.0, 3.0, 2.4)
    return scale * wide(times) * ARTERIAL.area / wide.area


def make_head(
    *,
    seed: int = 0,
    noise: float = 6.0,
    dt: float = 1.0,
    n_frames: int = 60,
    fill: float = 1.0,
    right_delay_s: float = 0.0,
    unit: Unit = Unit.HU,
    scale: float = 1.0,
    sinus: bool = True,
    arteries: bool = True,
) -> Head:
    """Arteries (carotids, a middle cerebral artery a side), a sagittal sinus, tissue; 2 x 2 x 5 mm."""
    rng = np.random.default_rng(seed)
    times = np.arange(n_frames) * dt
    x, y, _ = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    inside = ((x - 31.5) / 26) ** 2 + ((y - 31.5) / 29) ** 2 < 1
    right = x < 32  # the first axis runs towards the patient's left
    artery = np.zeros(SHAPE, dtype=bool)
    if arteries:
        artery[23:26, 24:27, :2] = artery[38:41, 24:27, :2] = True
        artery[12:24, 24:27, 2] = artery[40:52, 24:27, 2] = True
    vein = np.zeros(SHAPE, dtype=bool)
    if sinus:
        vein[30:34, 55:59, :] = True
    flow = np.where(((x - 31.5) / 18) ** 2 + ((y - 31.5) / 20) ** 2 < 1, 25.0, 55.0)
    delay = rng.uniform(0.0, 1.5, SHAPE) + np.where(right, right_delay_s, 0.0)
    tissue = tissue_curves(ARTERIAL, times, (flow[inside], np.full(flow[inside].shape, 4.5), delay[inside]))
    curves = tissue.astype(np.float32)
    late = ARTERIAL(times - right_delay_s)
    for where, values in (
        (artery & ~right, ARTERIAL(times)),
        (artery & right, late),
        (vein, _venous(times, 1.0)),
    ):
        rows = np.flatnonzero(where[inside])
        share = fill if where is not vein else 1.0
        curves[rows] = share * values + (1 - share) * curves[rows]
    curves = scale * (curves + rng.normal(0.0, noise, curves.shape)).astype(np.float32)
    grid = Grid(SHAPE, np.diag([-2.0, -2.0, 5.0, 1.0]))
    raw = Concentration(
        curves,
        times,
        inside,
        grid,
        Modality.CT if unit is Unit.HU else Modality.MR,
        unit,
        baseline=(0, max(int(9 / dt), 2)),
        noise=scale * noise,
    )
    quiet = inside & ~artery & ~vein
    brain = Brain(inside=inside, tissue=quiet, csf=np.zeros(SHAPE, dtype=bool))
    return Head(
        raw, brain, artery, vein, scale * ARTERIAL(times), scale * _venous(times, 1.0), right & inside
    )


@pytest.fixture(scope="session")
def head() -> Callable[..., Head]:
    return make_head
