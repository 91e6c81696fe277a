"""Where the brain is, in CT and in MR."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Mask, Volume
from bolus.core.brain import Brain
from bolus.core.errors import NoBrain
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.prepare.cranium import AIR_HU, outline_ct
from bolus.prepare.early import n_early
from bolus.prepare.scalp import contents_mr, outline_mr
from bolus.prepare.shapes import blurred_within, dilated, eroded

MIN_AREA_CM2 = 5.0
"""Less brain than this in the fullest slice is no brain."""
MIN_SHARE = 0.2
BLUR_MM = 1.5
CSF_HU, TISSUE_HU, CALCIUM_HU = 15.0, (20.0, 80.0), 100.0
"""Fluid is below the first; tissue lies between the next two: at 20 HU a voxel is half fluid."""
RIM_MM = {Modality.CT: 2.0, Modality.MR: 3.5}
"""Two pixels of an echo-planar image: there bright fluid and dark bone mix to what looks like tissue."""


def find_brain(series: Series, *, unseen: Mask | None = None) -> Brain:
    """Outline the inside of the skull, the brain tissue and the fluid, on the mean of the early frames.

    Parameters
    ----------
    series
        CT [HU] or MR, frames of shape `(x, y, z, t)`. Skull-stripped series are known by their empty
        surroundings (NaN, or one value).
    unseen
        Voxels that motion correction could not restore, left out of `tissue`.

    Returns
    -------
    Masks of shape `(x, y, z)`. `inside` is everything inside the skull. `csf` is fluid in it (CT: under
    15 HU; MR: half fluid or more). `tissue` is `inside` without voxels that are half fluid, without what
    is no tissue (CT: over 80 HU, near calcium; MR: dark) and without the outermost 2 mm (MR: 3.5 mm).
    Findings: `NO_SKULL`, `SKULL_OPEN`, `MASK_SMALL`, `UNSEEN`.

    Raises
    ------
    NoBrain
        If there is no head, or nothing in it looks like brain.

    Notes
    -----
    CT: the skull is closed over 3 mm and filled slice by slice; where it stays open (skull base,
    craniectomy) the convex hull of the bone less 6 mm bounds the brain. MR: threshold between air and
    tissue, the scalp cut off by an opening, holes filled.
    """
    early = _early_mean(series)
    if series.modality is Modality.CT:
        inside, findings, head = outline_ct(early, series.grid)
    elif series.modality is Modality.MR:
        inside, findings, head = outline_mr(early, series.grid)
    else:
        raise _no_brain("an X-ray projection shows no brain to outline", "a CT or MR series")
    _require_brain(inside, series.grid)
    small = _check_size(inside, head, series.grid)
    fluid, other = _contents(early, inside, series)
    rim = inside & ~eroded(inside, series.grid, RIM_MM[series.modality])
    tissue = inside & ~fluid & ~other & ~rim
    if unseen is None:
        return Brain(inside, tissue, fluid, (*findings, *small))
    lost = _lost(inside & unseen, series.grid)
    return Brain(inside, tissue & ~unseen, fluid, (*findings, *small, *lost))


def _lost(unseen: Mask, grid: Grid) -> tuple[Finding, ...]:
    """Say how much of the brain motion correction could not restore."""
    lost_ml = float(unseen.sum()) * grid.voxel_ml
    text = (
        f"{lost_ml:.0f} mL at the edge of the brain are left out of the maps: after the head moved they were "
        "outside the scanned slices or mixed with bone."
    )
    return (Finding("UNSEEN", Severity.INFO, text, lost_ml),) if lost_ml > 0 else ()


def _early_mean(series: Series) -> Volume:
    mean = series.mean(0, n_early(series.times))
    return np.nan_to_num(
        mean,
        nan=AIR_HU if series.modality is Modality.CT else 0.0,
        posinf=float(np.finfo(np.float32).max) / 1e6,
        neginf=AIR_HU,
    )


def _contents(early: Volume, inside: Mask, series: Series) -> tuple[Mask, Mask]:
    """Tell fluid, and what else is no tissue, inside the brain."""
    if series.modality is Modality.MR:
        return contents_mr(early, inside, series.grid)
    smooth = blurred_within(early, inside, series.grid, BLUR_MM)
    calcium = dilated(inside & (early > CALCIUM_HU), series.grid, max(series.grid.spacing_mm[:2]))
    low, high = TISSUE_HU
    return inside & (smooth < CSF_HU), inside & ((smooth < low) | (smooth > high) | calcium)


def _require_brain(inside: Mask, grid: Grid) -> None:
    x, y, _ = grid.spacing_mm
    area_cm2 = float(inside.sum(axis=(0, 1)).max()) * x * y / 100.0
    if area_cm2 < MIN_AREA_CM2:
        raise _no_brain(
            "no brain could be outlined", f"at least {MIN_AREA_CM2:g} cm2 in one slice", f"{area_cm2:.1f} cm2"
        )


def _no_brain(what: str, wanted: str, found: str = "") -> NoBrain:
    return NoBrain(
        what,
        wanted=wanted,
        found=found,
        remedy="Check that this is a head series in the right unit, or give a brain mask with --mask.",
    )


def _check_size(inside: Mask, head: Mask, grid: Grid) -> tuple[Finding, ...]:
    """Report a mask that is less than a fifth of the head: something else than the brain was outlined."""
    share = float(inside.sum()) / max(float(head.sum()), 1.0)
    if share >= MIN_SHARE:
        return ()
    volume_ml = float(inside.sum()) * grid.voxel_ml
    text = (
        f"The brain mask is small: {volume_ml:.0f} mL, {100 * share:.0f} % of the head. "
        "Check it, or give a mask with --mask."
    )
    return (Finding("MASK_SMALL", Severity.FAIL, text, volume_ml),)
