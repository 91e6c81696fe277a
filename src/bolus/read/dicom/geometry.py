"""Where the slices of a stack lie, as a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.errors import BadGeometry, MissingTag
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.units import Modality
from bolus.read.dicom.images.records import Kind
from bolus.read.placement import place

_EVEN, _TOLERABLE = 0.01, 0.10  # deviation of a gap from the mean gap
_ROUNDING_MM = 0.02  # positions are often written with two decimals
_TILT_DEG = 0.5
_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def make_grid(kind: Kind, positions: Float64s, where: Path | str) -> tuple[Grid, tuple[Finding, ...]]:
    """Return the grid of a stack of slices, turned to the left, the back and the head.

    Parameters
    ----------
    kind
        What the images share: directions, spacing, size, thickness.
    positions
        Centre of the first voxel of every slice (LPS) [mm], in order along the normal, shape `(z, 3)`.
    where
        The study that an error names.

    Returns
    -------
    The grid and what is worth knowing of it. A tilted gantry gives a sheared affine: voxels stay where
    they were measured.

    Raises
    ------
    BadGeometry
        If gaps between slices differ by more than 10 %, or slices are shifted sideways.
    MissingTag
        If a single slice has no thickness.
    """
    row, column = np.array(kind.plane[:3]), np.array(kind.plane[3:6])
    row_mm, column_mm = kind.plane[6:]
    findings: list[Finding] = []
    if len(positions) == 1:
        step = np.cross(row, column) * _single_gap(kind, where)
        origin = positions[0]
    else:
        origin, step = _fit(positions, findings, max(row_mm, column_mm), where)
        findings += _notes(row, column, step, kind.thickness_mm)
    affine = np.eye(4)
    affine[:3, :3] = _TO_RAS @ np.column_stack([row * column_mm, column * row_mm, step])
    affine[:3, 3] = _TO_RAS @ origin
    shape = (kind.columns, kind.rows, len(positions))
    return place(shape, affine, keep_slices=True, where=where), tuple(findings)


def _single_gap(kind: Kind, where: Path | str) -> float:
    if kind.modality is Modality.XA:
        return 1.0  # a projection has no thickness; nothing that uses it may be in mL
    if not kind.thickness_mm:
        raise MissingTag(
            "a single slice without SliceThickness",
            wanted="SliceThickness [mm]",
            where=where,
            remedy="Send the series again from the scanner or the archive.",
        )
    return kind.thickness_mm


def _fit(
    positions: Float64s, findings: list[Finding], pixel_mm: float, where: Path | str
) -> tuple[Float64s, Float64s]:
    """Return origin and step of evenly spaced slices through the positions."""
    steps = np.diff(positions, axis=0)
    mean = (positions[-1] - positions[0]) / (len(positions) - 1)
    spacing = float(np.linalg.norm(mean))
    along = steps @ (mean / spacing)
    worst = float(np.abs(along - spacing).max())
    sideways = float(np.linalg.norm(steps - np.outer(along, mean / spacing), axis=1).max())
    if worst > max(_TOLERABLE * float(np.median(along)), _ROUNDING_MM):
        raise _uneven(along, where)
    if sideways > max(0.5 * pixel_mm, _ROUNDING_MM):
        raise BadGeometry(
            "slices are shifted against each other",
            wanted="slices on one line",
            found=f"a shift of {sideways:.2f} mm sideways",
            where=where,
            remedy="Reconstruct the series with one field of view.",
        )
    if worst > max(_EVEN * spacing, _ROUNDING_MM):
        text = f"Gaps between slices vary by up to {worst:.2f} mm; their mean, {spacing:.2f} mm, is used."
        findings.append(Finding("SLICE_SPACING_UNEVEN", Severity.WARN, text, worst))
    index = np.arange(len(positions)) - (len(positions) - 1) / 2
    return positions.mean(axis=0) + index[0] * mean, mean


def _uneven(along: Float64s, where: Path | str) -> BadGeometry:
    usual = float(np.median(along))
    wide = np.flatnonzero(along > (1 + _TOLERABLE) * usual)
    hint = (
        f"after slice {wide[0] + 1} a gap of {along[wide[0]]:.2f} mm"
        if wide.size
        else f"{along.min():.2f} mm"
    )
    return BadGeometry(
        "slices are not evenly spaced: one is missing, or two slabs were mixed",
        wanted=f"gaps of {usual:.2f} mm",
        found=hint,
        where=where,
        remedy="Send the series again, or reconstruct it with even spacing.",
    )


def _notes(row: Float64s, column: Float64s, step: Float64s, thickness_mm: float | None) -> Sequence[Finding]:
    normal = np.cross(row, column)
    spacing = float(np.linalg.norm(step))
    tilt = float(np.degrees(np.arccos(np.clip(abs(step @ normal) / spacing, -1.0, 1.0))))
    notes = []
    if tilt > _TILT_DEG:
        text = f"The gantry was tilted by {tilt:.1f} degrees; the volume is kept sheared as it was measured."
        notes.append(Finding("GANTRY_TILT", Severity.INFO, text, tilt))
    apart = abs(float(step @ normal))
    if thickness_mm and apart > 1.05 * thickness_mm:
        text = f"Slices of {thickness_mm:g} mm lie {apart:.2f} mm apart; volumes count the gaps as tissue."
        notes.append(Finding("SLICE_GAP", Severity.INFO, text, apart - thickness_mm))
    return notes
