"""Which side is affected, and what healthy tissue is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.brain import Midline
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.maps import Maps

HYPOPERFUSED_S: Final = 6.0
"""Tmax above which tissue counts for the affected side [s]."""
HEALTHY_S: Final = 4.0
"""Tmax up to which tissue counts as healthy [s]."""
MIN_SIDE_ML: Final = 5.0
"""Hypoperfused volume below which a side is not affected [mL]."""
MIN_REFERENCE_ML: Final = 20.0
"""Healthy tissue below which its medians are unsure [mL]: about 2 % of the brain."""
SAME_RATIO: Final = 0.9
"""Lesser over greater hypoperfused volume from which the sides count as the same and TTP decides."""
BILATERAL_RATIO: Final = 1 / 3
"""Hypoperfused volume of the lesser side, as a fraction of the other, that makes it bilateral."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The two halves of the brain.

    Parameters
    ----------
    right
        Voxels on the patient's right of the midline, shape `(x, y, z)`.
    affected
        `left`, `right` or `none`.
    findings
        What the decision noticed.
    """

    right: Mask
    affected: str
    findings: tuple[Finding, ...] = ()

    @property
    def affected_half(self) -> Mask:
        """Voxels of the affected half; all voxels where no side is affected."""
        return {"right": self.right, "left": ~self.right}.get(self.affected, np.ones_like(self.right))

    @property
    def healthy_half(self) -> Mask:
        """Voxels of the other half; all voxels where no side is affected."""
        return {"right": ~self.right, "left": self.right}.get(self.affected, np.ones_like(self.right))


def right_half(grid: Grid, midline: Midline) -> Mask:
    """Return the voxels on the patient's right of a plane, shape `(x, y, z)`."""
    across = midline.normal @ grid.affine[:3, :3]
    start = float(midline.normal @ grid.affine[:3, 3]) - midline.offset_mm
    x, y, z = (np.arange(n) * step for n, step in zip(grid.shape, across, strict=True))
    half: Mask = (x[:, None, None] + y[None, :, None] + z[None, None, :] + start) > 0
    return half


def find_sides(late: Mask, right: Mask, grid: Grid, ttp: Volume | None = None) -> Sides:
    """Decide which side is affected: the one with more late tissue.

    Parameters
    ----------
    late
        Hypoperfused tissue after clean-up, shape `(x, y, z)`.
    right
        Voxels on the patient's right, shape `(x, y, z)`.
    grid
        For volumes.
    ttp
        Time to peak [s], shape `(x, y, z)`; decides between sides within 10 % of each other.

    Returns
    -------
    The sides; `none` is affected where neither holds 5 mL.
    """
    volumes = {
        "right": float(np.count_nonzero(late & right)) * grid.voxel_ml,
        "left": float(np.count_nonzero(late & ~right)) * grid.voxel_ml,
    }
    more = max(volumes, key=lambda side: volumes[side])
    less = "left" if more == "right" else "right"
    if volumes[more] < MIN_SIDE_ML:
        return Sides(right, "none")
    findings = _bilateral(volumes[more], volumes[less])
    if volumes[less] >= SAME_RATIO * volumes[more] and ttp is not None:
        more = _later_side(ttp, late, right) or more
    return Sides(right, more, findings)


def _later_side(ttp: Volume, late: Mask, right: Mask) -> str:
    """Return the side whose late tissue peaks later; nothing where TTP does not tell."""
    known = late & np.isfinite(ttp)
    halves = {"right": ttp[known & right], "left": ttp[known & ~right]}
    medians = {side: float(np.median(half)) for side, half in halves.items() if half.size}
    return max(medians, key=lambda side: medians[side]) if len(set(medians.values())) == 2 else ""


def _bilateral(more_ml: float, less_ml: float) -> tuple[Finding, ...]:
    if less_ml < MIN_SIDE_ML or less_ml < BILATERAL_RATIO * more_ml:
        return ()
    text = (
        f"Both halves of the brain are hypoperfused ({more_ml:.0f} and {less_ml:.0f} mL of late tissue), so "
        "there is no healthy side to compare with: relative thresholds and the core are unsure."
    )
    return (Finding("BILATERAL", Severity.WARN, text, less_ml),)


def healthy_tissue(tissue: Mask, tmax: Volume, sides: Sides, grid: Grid) -> tuple[Mask, tuple[Finding, ...]]:
    """Choose the tissue that relative thresholds compare with: timely tissue of the other half.

    Parameters
    ----------
    tissue
        Brain tissue without vessels, shape `(x, y, z)`.
    tmax
        Tmax [s], shape `(x, y, z)`.
    sides
        The halves; both count where neither is affected.
    grid
        For volumes.

    Returns
    -------
    The mask, and a finding where it is small or empty. Where less than 20 mL of the other half is
    timely, timely tissue of both halves is taken.

    References
    ----------
    Straka et al., J Magn Reson Imaging 32:1024-1037 (2010), doi:10.1002/jmri.22338
    """
    with np.errstate(invalid="ignore"):
        timely = tissue & (tmax <= HEALTHY_S)
    healthy = timely & sides.healthy_half
    volume = float(np.count_nonzero(healthy)) * grid.voxel_ml
    if volume >= MIN_REFERENCE_ML:
        return healthy, ()
    if not timely.any():
        text = f"No tissue has a Tmax of at most {HEALTHY_S:g} s: there is nothing healthy to compare with."
        return timely, (Finding("NO_REFERENCE", Severity.FAIL, text, 0.0),)
    text = (
        f"Only {volume:.1f} mL of the other half of the brain are timely (wanted {MIN_REFERENCE_ML:g} mL): "
        "timely tissue of both halves is the reference."
    )
    return timely, (Finding("REFERENCE_SMALL", Severity.WARN, text, volume),)


def medians(maps: Maps, values: Mapping[str, Float32s], healthy: Mask) -> dict[str, float]:
    """Return the median of each map in healthy tissue, in the map's unit; NaN where it has none.

    Parameters
    ----------
    maps
        All maps.
    values
        Smoothed values that stand in for some of them, by name, shape `(x, y, z)`.
    healthy
        Tissue to take, shape `(x, y, z)`.
    """
    found = {}
    for name, one in maps.items():
        picked = values.get(name, one.values)[healthy]
        picked = picked[np.isfinite(picked)]
        found[name] = float(np.median(picked)) if picked.size else float("nan")
    return found
