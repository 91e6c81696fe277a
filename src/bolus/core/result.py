"""All that a run found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s, Mask, Times, Volume
from bolus.core.brain import Brain
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.lesion import Lesions
from bolus.core.maps import Maps
from bolus.core.recipe import Recipe
from bolus.core.research import ResearchResult
from bolus.core.series import Acquisition
from bolus.core.units import Modality, Unit
from bolus.core.vessel import Vessels

SKULL_MM: Final = 80.0
"""From the middle of a head to its skull."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionTrace:
    """The transform that undoes the head motion of each frame: a head that went right has a negative x.

    Parameters
    ----------
    parameters
        One row a frame: translations along x, y, z (RAS) [mm], then rotations about x, y, z [degrees],
        shape `(t, 6)`.
    reference
        What the frames were aligned to, in words.
    rejected
        Frames whose alignment was not accepted and that were left where they were.
    similarity
        Correlation of each aligned frame's skull and brain edges with the reference, shape `(t,)`.
    unseen
        Voxels `(x, y, z)` that some frame did not image, or whose neighbours are bone: resampling mixed
        them with what they are not. None where no frame was resampled.
    residual
        Density that remains at the edges of bone of each frame of an X-ray run [nat], shape `(t,)`; NaN
        where it cannot be told, as in subtracted runs; empty for other series.
    """

    parameters: Float64s
    reference: str
    rejected: tuple[int, ...] = ()
    similarity: Float64s = field(default_factory=lambda: np.empty(0))
    unseen: Mask | None = None
    residual: Float64s = field(default_factory=lambda: np.empty(0))

    @property
    def max_shift_mm(self) -> float:
        """Largest translation along any axis [mm]."""
        return float(np.abs(self.parameters[:, :3]).max())

    @property
    def max_rotation_deg(self) -> float:
        """Largest rotation about any axis [degrees]."""
        return float(np.abs(self.parameters[:, 3:]).max())

    def way_mm(self, clock: Times, at: Times) -> Float64s:
        """Return how far the head lay from its place, rotations as the way of a point at the skull.

        Parameters
        ----------
        clock
            Times of the frames [s], shape `(t,)`, or `(z, t)` where each slice has its own.
        at
            When it is asked for [s], shape `(n,)`.

        Returns
        -------
        Along and about x, y and z [mm], shape `(n, 6)`.
        """
        when = np.asarray(clock, dtype=np.float64)
        when = when.mean(axis=0) if when.ndim == 2 else when
        way = np.concatenate([self.parameters[:, :3], np.radians(self.parameters[:, 3:]) * SKULL_MM], axis=1)
        return np.stack([np.interp(at, when, of_one) for of_one in way.T], axis=1)

    @property
    def max_residual_nat(self) -> float:
        """Largest density that remains at the edges of bone [nat]; NaN where none is known."""
        known = self.residual[np.isfinite(self.residual)]
        return float(known.max()) if known.size else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class TissueCurves:
    """Mean contrast curves for the report, shape `(t,)` each, in the unit of the concentration.

    Parameters
    ----------
    regions
        Mean curve by region: `healthy`, `hypoperfused`, `core` where they exist, else `tissue`.
    """

    times: Times
    regions: Mapping[str, Float64s]
    unit: Unit


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """All of it: what `bolus.export` writes and every reader of a result reads.

    Parameters
    ----------
    underlay
        Mean pre-contrast volume, shape `(x, y, z)`, for figures.
    baseline
        Frames `[first, last)` of the even time grid that were taken as pre-contrast.
    lesions
        None where a `fail` finding withheld them.
    timings_s
        Seconds by stage, in order.
    versions
        Versions by package.
    research
        Answers of the classifiers that were asked.
    """

    modality: Modality
    acquisition: Acquisition
    grid: Grid
    times: Times
    underlay: Volume
    steps: tuple[str, ...]
    recipe: Recipe
    motion: MotionTrace | None
    brain: Brain
    baseline: tuple[int, int]
    noise: float
    vessels: Vessels
    curves: TissueCurves
    maps: Maps
    lesions: Lesions | None
    findings: tuple[Finding, ...]
    timings_s: Mapping[str, float]
    versions: Mapping[str, str]
    research: tuple[ResearchResult, ...] = ()

    def __repr__(self) -> str:
        volumes = {} if self.lesions is None else self.lesions.volumes_ml
        said = [", ".join(self.maps), *(f"{name} {ml:.0f} mL" for name, ml in volumes.items())]
        return f"<{self.modality} result: {'; '.join(said)}; verdict {self.verdict}>"

    @property
    def verdict(self) -> Severity:
        """The worst severity among the findings; `INFO` when there is nothing worse."""
        order = list(Severity)
        return max((f.severity for f in self.findings), key=order.index, default=Severity.INFO)
