"""The arterial and the venous curve of a run, however they are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

from bolus.core.arrays import Curve, Mask
from bolus.core.brain import Brain
from bolus.core.errors import NoVessel
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.vessel import NO_VOXELS, VesselCurve, Vessels
from bolus.vessels.candidates import ArterySearch, Chosen, eroded
from bolus.vessels.from_tissue import NAME, curve_from_tissue
from bolus.vessels.given import curve_from_csv, on_clock, place, rows_at_voxel, rows_of_mask
from bolus.vessels.kmeans import find_by_kmeans
from bolus.vessels.partial_volume import area_ratio, correct_partial_volume, diameter_voxels
from bolus.vessels.quality import vessel_curve
from bolus.vessels.search import find_by_score
from bolus.vessels.venous import find_vein

METHODS: Final[Mapping[str, ArterySearch]] = MappingProxyType(
    {"auto": find_by_score, "kmeans": find_by_kmeans}
)
"""Automatic searches for the artery, by name."""

Given: TypeAlias = str | Mask | tuple[int, int, int] | VesselCurve
"""How a vessel may be given: a search by name, a mask, a voxel, a curve; or a table's path, or `x,y,z`."""

_RIM_MM = 2.0
"""In-plane rim of the brain that arteries are not looked for in: bone moves into it [mm]."""


def find_vessels(
    raw: Concentration,
    brain: Brain,
    *,
    aif: Given = "auto",
    vof: Given = "auto",
    partial_volume: bool = True,
    avoid: Mask | None = None,
) -> Vessels:
    """Find the arterial input and the venous output.

    Parameters
    ----------
    raw
        Unfiltered, motion-corrected contrast: filters mix arteries with tissue.
    brain
        Masks of the head, shape `(x, y, z)`.
    aif
        A name in `METHODS`; `tissue`, a curve made of that of tissue; a mask `(x, y, z)` or a voxel
        `(x, y, z)` of the grid of `raw`; a curve; or as text the path of a `.csv` table or `x,y,z`.
    vof
        `auto`, `none`, or given like `aif`.
    partial_volume
        Scale the arterial curve to the venous area, within guards.
    avoid
        Where the artery must not be, shape `(x, y, z)`, such as the affected hemisphere.

    Returns
    -------
    Both curves on the clock of `raw` with their voxels and quality figures.

    Raises
    ------
    NoVessel
        If no artery is found or what was given cannot be used.
    BadTimes
        If a given curve does not cover the scan.
    ShapeMismatch
        If a mask does not fit the series.

    Notes
    -----
    The curve is the mean of the chosen voxels, never a fit to it, but for `tissue`, which is never scaled to
    the vein either.
    """
    tissue = _tissue_curve(raw, brain)
    artery, noticed = _artery(raw, brain, aif, tissue, avoid)
    vein, more = _vein(raw, brain, vof, artery)
    findings = (*noticed, *more)
    if vein is None or not artery.measured:
        return Vessels(artery, vein, 1.0, findings)
    diameter = diameter_voxels(raw, artery)
    figures = {"area_ratio": area_ratio(artery, vein), "diameter_voxels": diameter}
    artery = replace(artery, quality={**artery.quality, **figures})
    if not partial_volume:
        return Vessels(artery, vein, 1.0, findings)
    artery, factor, flagged = correct_partial_volume(artery, vein, diameter)
    return Vessels(artery, vein, factor, (*findings, *flagged))


def _tissue_curve(raw: Concentration, brain: Brain) -> Curve:
    """Return the mean curve of brain tissue, or of everything where none is outlined, shape `(t,)`."""
    for rows in (raw.rows(brain.tissue), raw.rows(brain.inside), np.arange(len(raw.curves))):
        curves = raw.curves[rows[:: max(rows.size // 50_000, 1)]]
        curves = curves[np.isfinite(curves).all(axis=1)]
        if len(curves):
            return np.asarray(curves.mean(axis=0, dtype=np.float64))
    raise NoVessel(
        "no artery could be found",
        found="no voxel with a curve",
        remedy="Check the brain mask and the series (bolus info).",
    )


def _artery(
    raw: Concentration, brain: Brain, aif: Given, tissue: Curve, avoid: Mask | None
) -> tuple[VesselCurve, tuple[Finding, ...]]:
    if isinstance(aif, str) and aif in METHODS:
        region = eroded(brain.inside, raw.grid.spacing_mm, _RIM_MM)
        if avoid is not None:
            raw.grid.require_shape(avoid.shape, "the mask of what to avoid")
            region &= ~avoid
        return _mean(raw, brain, "AIF", METHODS[aif](raw, region, tissue))
    if isinstance(aif, str) and aif == NAME:
        curve, noticed = curve_from_tissue(raw, brain.tissue)
        return curve, (noticed,)
    return _given(raw, brain, "AIF", aif)


def _vein(
    raw: Concentration, brain: Brain, vof: Given, artery: VesselCurve
) -> tuple[VesselCurve | None, tuple[Finding, ...]]:
    if isinstance(vof, str) and vof == "none":
        return None, ()
    if not isinstance(vof, str) or vof != "auto":
        return _given(raw, brain, "VOF", vof)
    chosen = find_vein(raw, brain.inside, artery)
    if chosen is None:
        text = "No venous sinus was found: the arterial curve is not corrected for partial volume."
        return None, (Finding("NO_VOF", Severity.WARN, text),)
    return _mean(raw, brain, "VOF", chosen)


def _given(
    raw: Concentration, brain: Brain, name: str, what: Given
) -> tuple[VesselCurve, tuple[Finding, ...]]:
    if isinstance(what, str):
        what = _from_text(raw, name, what)
    if isinstance(what, VesselCurve):
        values, noticed = on_clock(what, raw.times)
        curve = vessel_curve(raw, name, what.origin, voxels=NO_VOXELS, values=values, inside=brain.inside)
        return curve, noticed
    if isinstance(what, tuple):
        return _mean(raw, brain, name, rows_at_voxel(raw, what, name))
    return _mean(raw, brain, name, rows_of_mask(raw, what, name))


def _from_text(raw: Concentration, name: str, text: str) -> VesselCurve | tuple[int, int, int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 3 and all(part.isdecimal() for part in parts):
        return int(parts[0]), int(parts[1]), int(parts[2])
    if text.lower().endswith(".csv"):
        return curve_from_csv(Path(text), name, raw.unit)
    raise NoVessel(
        f"cannot tell what to take as {name}",
        wanted=f"{', '.join(METHODS)}, FILE.csv, a mask, or x,y,z",
        found=repr(text),
    )


def _mean(
    raw: Concentration, brain: Brain, name: str, chosen: Chosen
) -> tuple[VesselCurve, tuple[Finding, ...]]:
    """Average the chosen voxels."""
    values = raw.curves[chosen.rows].mean(axis=0, dtype=np.float64)
    voxels = place(raw, chosen)
    curve = vessel_curve(raw, name, chosen.origin, voxels=voxels, values=values, inside=brain.inside)
    return curve, chosen.findings
