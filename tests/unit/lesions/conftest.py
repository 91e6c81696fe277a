"""A plain symmetric head with a stroke, small enough for many tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from bolus.core.brain import Brain, Midline
from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.units import Unit

UNITS = {"CBF": Unit.FLOW, "CBV": Unit.VOLUME}
# healthy, penumbra, core
VALUES = {
    "CBF": (40.0, 18.0, 4.0),
    "CBV": (3.0, 3.2, 0.6),
    "MTT": (4.5, 10.7, 9.0),
    "Tmax": (2.0, 9.0, 12.0),
    "TTP": (6.0, 13.0, 16.0),
    "BAT": (10.0, 15.0, 17.0),
    "delay": (0.7, 5.5, 7.5),
}


@dataclass
class Head:
    grid: Grid
    underlay: np.ndarray
    brain: Brain
    midline: Midline
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    hypoperfused: np.ndarray
    core: np.ndarray

    def maps(self, noise: float = 0.0, seed: int = 0, **values) -> dict[str, Map]:
        rng = np.random.default_rng(seed)
        made = {}
        for name, (healthy, low, dead) in {**VALUES, **values}.items():
            array = np.where(self.core, dead, np.where(self.hypoperfused, low, healthy))
            array = array + noise * healthy * rng.standard_normal(array.shape)
            array = np.where(self.brain.inside, array, np.nan).astype(np.float32)
            made[name] = Map(name, array, UNITS.get(name, Unit.SECOND), self.grid)
        return made

    def ml(self, mask: np.ndarray) -> float:
        return float(mask.sum()) * self.grid.voxel_ml


def _turn(yaw: float, roll: float) -> np.ndarray:
    a, b = np.deg2rad((yaw, roll))
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return about_z @ about_y


def _image(x, y, z, modality, old_infarct):
    def egg(a, b, c, at=(0.0, 0.0, 0.0)):
        return ((np.abs(x) - at[0]) / a) ** 2 + ((y - at[1]) / b) ** 2 + ((z - at[2]) / c) ** 2 < 1

    scalp, bone, inside = egg(86, 102, 102), egg(81, 96, 96), egg(74, 89, 89)
    brain, white = egg(71, 86, 86), egg(62, 77, 77)
    fluid = egg(8, 26, 20, (10, 3, 5)) | (inside & ~brain)
    infarct = brain & (x > 0) & egg(20, 25, 30, (42, 10, 0))
    shade = 1 + 0.15 * x / 80 if modality == "MR" else 1.0
    levels = (10, 800, 20, 400, 330, 850, 700) if modality == "MR" else (-1000, 30, 900, 36, 29, 10, 15)
    image = np.full(x.shape, float(levels[0]))
    order = (scalp, bone, brain, white, fluid)
    for where, level in zip(order, levels[1:6], strict=True):
        image[where] = level
    if old_infarct:
        image[infarct] = levels[6]
    return image * shade, inside, brain & ~fluid, fluid & inside


@pytest.fixture(scope="session")
def make_head() -> Callable[..., Head]:
    def make(
        shape=(96, 96, 10),
        spacing=(2.2, 2.2, 8.0),
        yaw=0.0,
        roll=0.0,
        shift=(0.0, 0.0, 0.0),
        modality="CT",
        side=1,
        old_infarct=False,
        seed=0,
    ):
        affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        grid = Grid(shape, affine)
        index = np.moveaxis(np.indices(shape), 0, -1)
        turned = (grid.position_mm(index) - np.array(shift)) @ _turn(yaw, roll)
        x, y, z = np.moveaxis(turned, -1, 0)
        image, inside, tissue, fluid = _image(x, y, z, modality, old_infarct)
        image = image + np.random.default_rng(seed).normal(0, 0.01 * 400, shape)
        late = (((side * x - 42) / 26) ** 2 + (y / 40) ** 2 + (z / 35) ** 2 < 1) & tissue
        dead = (((side * x - 42) / 14) ** 2 + (y / 22) ** 2 + (z / 22) ** 2 < 1) & tissue
        normal = _turn(yaw, roll)[:, 0]
        midline = Midline(normal, float(normal @ np.array(shift)))
        brain = Brain(inside, tissue, fluid)
        return Head(grid, image.astype(np.float32), brain, midline, x, y, z, late, dead)

    return make


@pytest.fixture(scope="session")
def head(make_head) -> Head:
    return make_head()
