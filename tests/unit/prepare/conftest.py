"""A small head with a bolus in it, drawn from its formulas at any place, so that motion is exact."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit

SKULL_MM, SCALP_MM = 7.0, 5.0
AXES_MM = np.array([68.0, 82.0, 75.0])
"""Half axes of the inside of the skull."""
LEVELS = {
    # air, scalp, skull, fluid, white, grey, artery, ventricle
    Modality.CT: (-1000.0, 40.0, 900.0, 8.0, 29.0, 36.0, 45.0, 8.0),
    Modality.MR: (0.0, 350.0, 40.0, 900.0, 480.0, 560.0, 600.0, 900.0),
}


def rotation(degrees):
    """Rotations about x, y, z [degrees] as a matrix Rz Rx Ry."""
    a, b, c = np.deg2rad(degrees)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return z @ x @ y


def shell(points, axes):
    """Distance-like value: negative inside an ellipsoid, about mm near its surface."""
    return (np.sqrt(np.sum((points / axes) ** 2, axis=-1)) - 1.0) * axes.mean()


def paint(values, distance_mm, level):
    """Fill where a distance is negative, with an edge as soft as a scanner's."""
    part = np.clip(0.5 - distance_mm / 2.5, 0.0, 1.0)
    values += part * (level - values)


def draw(points, modality, artery, gain):
    """Values at points (..., 3) [mm] about the head's centre, with contrast in vessels and tissue."""
    air, scalp, skull, fluid, white, grey, vessel, ventricle = LEVELS[modality]
    r = shell(points, AXES_MM)
    skull_mm = SKULL_MM + 2.0 * np.sin(points[..., 0] / 14 + 1) * np.cos(
        points[..., 1] / 16 + points[..., 2] / 12
    )
    side, tissue = np.abs(points[..., 0]), artery * gain
    values = np.full(points.shape[:-1], air)
    paint(values, r - skull_mm - SCALP_MM, scalp)
    paint(values, r - skull_mm, skull)
    paint(values, r, fluid)
    paint(values, r + 3, grey + 1.5 * tissue)
    paint(values, r + 9, white + tissue)
    paint(values, np.maximum(4 - side, shell(points - [0, -5, 5], np.array([16.0, 30.0, 14.0]))), ventricle)
    paint(values, np.hypot(side - 30, points[..., 1] - 25) - 2.5, vessel + artery)
    paint(values, np.maximum(np.hypot(points[..., 0], points[..., 1] + 76) - 4, r), vessel + artery)
    return values


@dataclass
class Head:
    """How to make a head series."""

    shape: tuple = (80, 96, 8)
    spacing: tuple = (2.2, 2.2, 5.0)
    n_frames: int = 6
    dt: float = 2.0
    noise: float = 6.0
    modality: Modality = Modality.CT
    bolus: np.ndarray | None = None
    moves: dict = field(default_factory=dict)
    """frame -> (shift mm, rotation degrees) of the head from that frame on"""
    affine: np.ndarray | None = None
    seed: int = 0

    def grid(self):
        if self.affine is not None:
            return Grid(self.shape, self.affine)
        affine = np.diag([-self.spacing[0], -self.spacing[1], self.spacing[2], 1.0])
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)
        return Grid(self.shape, affine)

    def points(self):
        """Three heights within each slice, shape (3, x, y, z, 3)."""
        index = np.stack(np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij"), axis=-1)
        return np.stack([self.grid().position_mm(index + np.array([0, 0, h])) for h in (-0.33, 0.0, 0.33)])

    def moved(self, frame):
        """Pose of the head in a frame: shift [mm], rotation matrix about the volume's centre."""
        before = [k for k in self.moves if k <= frame]
        shift, degrees = self.moves[max(before)] if before else ((0, 0, 0), (0, 0, 0))
        return np.array(shift, dtype=float), rotation(degrees)

    def inside(self):
        """True inside of the skull."""
        return shell(self.points()[1], AXES_MM) < 0

    def series(self):
        rng = np.random.default_rng(self.seed)
        points = self.points()
        peak = 300.0 if self.modality is Modality.CT else -400.0
        bolus = (
            self.bolus
            if self.bolus is not None
            else peak * np.exp(-((np.arange(self.n_frames) - self.n_frames * 0.6) ** 2) / 4)
        )
        gain = 0.03 if self.modality is Modality.CT else 0.5
        frames = np.empty((*self.shape, self.n_frames), dtype=np.float32)
        still = {}
        for t in range(self.n_frames):
            shift, turn = self.moved(t)
            key = (bolus[t], *shift, *turn.ravel())
            if key not in still:
                still[key] = draw((points - shift) @ turn, self.modality, bolus[t], gain).mean(axis=0)
            frames[..., t] = still[key] + self.noise * rng.standard_normal(self.shape)
        unit = Unit.HU if self.modality is Modality.CT else Unit.SIGNAL
        return Series(
            frames,
            np.arange(self.n_frames) * self.dt,
            self.grid(),
            self.modality,
            unit,
            acquisition=Acquisition(te_ms=30.0),
        )


def residual_mm(head, trace):
    """Mean distance [mm] in each frame between points of the brain and where the trace puts them back."""
    index = np.argwhere(head.inside())[::53]
    grid = head.grid()
    points = grid.position_mm(index)
    centre = grid.position_mm((np.array(grid.shape) - 1) / 2)
    errors = []
    for t in range(head.n_frames):
        shift, turn = head.moved(t)
        row = trace.parameters[t]
        seen = points @ turn.T + shift
        back = (seen - centre) @ rotation(row[3:]).T + centre + row[:3]
        errors.append(np.linalg.norm(back - points, axis=1).mean())
    return np.array(errors)


@pytest.fixture
def head():
    """The recipe of a head series; call it with changes."""
    return Head


@pytest.fixture
def residual():
    """Function of a head and a motion trace: largest remaining distance a frame [mm]."""
    return residual_mm
