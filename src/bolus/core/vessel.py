"""Arterial and venous curves, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bolus.core.arrays import Curve, Indices, Times, locked
from bolus.core.errors import ShapeMismatch
from bolus.core.finding import Finding
from bolus.core.units import Unit

NO_VOXELS: Indices = np.empty((0, 3), dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class VesselCurve:
    """Contrast over time in an artery or a vein.

    Parameters
    ----------
    name
        `AIF` or `VOF`.
    times, values
        Seconds and contrast in `unit`, shape `(t,)` each.
    origin
        How it was found, in words for the report.
    voxels
        Voxel indices of the vessel, shape `(n, 3)`; it is the mean of `n_voxels` of them. Empty when it came
        from a file.
    quality
        Figures by name: `peak`, `cnr`, `fwhm_s`, `arrival_s`, `ttp_s`, `auc`, `roughness`, `tail`,
        `gamma_r2`, `n_voxels`, and others that a method adds.
    measured
        Whether it is the contrast of some blood; not a curve that was made of the tissue's.
    """

    name: str
    times: Times
    values: Curve
    unit: Unit
    origin: str
    voxels: Indices = field(default_factory=lambda: NO_VOXELS)
    quality: Mapping[str, float] = field(default_factory=dict)
    measured: bool = True

    def __post_init__(self) -> None:
        if self.times.shape != self.values.shape or self.times.ndim != 1:
            raise ShapeMismatch(
                f"the {self.name} and its times differ",
                wanted=str(self.times.shape),
                found=str(self.values.shape),
            )
        object.__setattr__(self, "times", locked(np.asarray(self.times, dtype=np.float64)))
        object.__setattr__(self, "values", locked(np.asarray(self.values, dtype=np.float64)))

    def __repr__(self) -> str:
        at = int(np.argmax(self.values))
        return (
            f"<{self.name}, peak {self.values[at]:.3g} {self.unit} at {self.times[at]:.1f} s, {self.origin}>"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Vessels:
    """The curves that a run uses.

    Parameters
    ----------
    aif
        Arterial curve as deconvolution uses it, after partial-volume correction where that applied.
    vof
        Venous curve, or None where no vein was found.
    partial_volume
        Factor that the AIF was multiplied with; 1 where no correction was made.
    findings
        What the search noticed.
    """

    aif: VesselCurve
    vof: VesselCurve | None = None
    partial_volume: float = 1.0
    findings: tuple[Finding, ...] = ()
