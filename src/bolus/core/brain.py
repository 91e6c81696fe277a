"""Where the brain is, and how it lies in the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bolus.core.arrays import Float64s, Mask, locked
from bolus.core.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Brain:
    """Masks of the head, shape `(x, y, z)` each.

    Parameters
    ----------
    inside
        Everything inside the skull that is imaged: tissue, vessels and fluid.
    tissue
        Brain tissue only: `inside` without fluid, calcium and the outermost rim.
    csf
        Cerebrospinal fluid.
    findings
        What the search noticed.
    """

    inside: Mask
    tissue: Mask
    csf: Mask
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        for name in ("inside", "tissue", "csf"):
            object.__setattr__(self, name, locked(getattr(self, name)))


@dataclass(frozen=True, slots=True, eq=False)
class Midline:
    """Plane between the two halves of the brain: points `p` with `normal . p = offset_mm` (RAS).

    Parameters
    ----------
    normal
        Unit vector towards the patient's right, shape `(3,)`.
    offset_mm
        Distance of the plane from the origin of patient coordinates, along `normal` [mm].
    similarity
        Correlation of the head with its mirror image, 0 to 1.
    """

    normal: Float64s
    offset_mm: float
    similarity: float = float("nan")

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal", locked(np.asarray(self.normal, dtype=np.float64)))

    def distance_mm(self, position_mm: Float64s) -> Float64s:
        """Return signed distances [mm] of points `(..., 3)`: positive on the patient's right."""
        distance: Float64s = np.asarray(position_mm, dtype=np.float64) @ self.normal - self.offset_mm
        return distance

    def mirror(self, position_mm: Float64s) -> Float64s:
        """Return the mirror images of points `(..., 3)` (RAS) [mm]."""
        distance = self.distance_mm(position_mm)
        return np.asarray(position_mm, dtype=np.float64) - 2 * distance[..., None] * self.normal
