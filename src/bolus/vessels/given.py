"""Vessel curves that the user gives: a mask, a voxel, a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s, Mask
from bolus.core.errors import BadTimes, NoVessel, UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.vessels.candidates import Chosen, row_mask

_ALIKE = 0.8
"""Neighbours of a given voxel join it when they reach this share of its peak."""
_COVERED = 0.8
"""Share of the scan that a given curve must cover."""
_MAX_ROWS = 100_000
"""A table longer than this is not a time curve."""


def rows_of_mask(concentration: Concentration, mask: Mask, name: str) -> Chosen:
    """Return the voxels of a given mask, shape `(x, y, z)`.

    Raises
    ------
    ShapeMismatch
        If the mask has another shape than the series.
    NoVessel
        If no voxel of it lies in the brain and has a curve.
    """
    concentration.grid.require_shape(mask.shape, f"the {name} mask")
    rows = concentration.rows(np.asarray(mask, dtype=np.bool_))
    rows = rows[np.isfinite(concentration.curves[rows]).all(axis=1)]
    if not rows.size:
        raise NoVessel(
            f"the {name} mask holds no usable voxel",
            wanted="at least one voxel inside the brain",
            found=f"{int(np.count_nonzero(mask))} voxels, all outside the brain or without a curve",
            remedy="Draw the mask on this series, inside the skull.",
        )
    return Chosen(rows, "given mask")


def rows_at_voxel(concentration: Concentration, voxel: tuple[int, int, int], name: str) -> Chosen:
    """Return a given voxel and those of its eight in-plane neighbours that reach 80 % of its peak.

    Parameters
    ----------
    concentration
        Curves `(voxels, t)`.
    voxel
        Index `(x, y, z)` in the grid of the concentration.
    name
        `AIF` or `VOF`, for messages.

    Raises
    ------
    NoVessel
        If the voxel is outside the volume or the brain, or never enhances.
    """
    shape = concentration.grid.shape
    inside = len(voxel) == 3 and all(0 <= i < n for i, n in zip(voxel, shape, strict=True))
    if not inside or not concentration.mask[voxel]:
        raise NoVessel(
            f"the voxel given for the {name} is outside the brain",
            wanted=f"x,y,z within 0-{shape[0] - 1}, 0-{shape[1] - 1}, 0-{shape[2] - 1}, inside the skull",
            found=",".join(str(i) for i in voxel),
            remedy="Count from 0, in the order of the axes of the series.",
        )
    at = np.zeros_like(concentration.mask)
    at[voxel] = True
    (row,) = concentration.rows(at)
    peak = float(concentration.curves[row].max())
    if not peak > 0 or not np.isfinite(concentration.curves[row]).all():
        raise NoVessel(
            f"the voxel given for the {name} does not enhance",
            found=f"a peak of {peak:.3g} {concentration.unit}",
            remedy="Give a voxel in the middle of a large vessel.",
        )
    x, y, z = voxel
    at[max(x - 1, 0) : x + 2, max(y - 1, 0) : y + 2, z] = True
    rows: NDArray[np.intp] = concentration.rows(at)
    alike = concentration.curves[rows].max(axis=1) >= _ALIKE * peak
    return Chosen(rows[alike], f"given voxel {x},{y},{z} and neighbours")


def curve_from_csv(path: Path, name: str, unit: Unit) -> VesselCurve:
    """Read a curve from a table with the columns `time_s,value`.

    Parameters
    ----------
    path
        Comma-separated text; one line of headings may come first, lines that begin with `#` are skipped.
    name
        `AIF` or `VOF`.
    unit
        Unit of the values, that of the concentration it will be used with.

    Returns
    -------
    The curve at its own times [s since the first frame].

    Raises
    ------
    UnreadableFile
        If the file cannot be read as text.
    NoVessel
        If it is not a table of at least 3 numbers in two columns, or never positive.
    BadTimes
        If its times do not increase.
    """
    times, values = _table(path)
    if (np.diff(times) <= 0).any():
        raise BadTimes(
            f"the times of the {name} do not increase",
            wanted="each later than the one before",
            where=path,
            remedy="Sort the table by time and remove repeated times.",
        )
    if values.max() <= 0:
        raise NoVessel(
            f"the {name} is never positive",
            wanted=f"contrast above baseline [{unit}]",
            found=f"a greatest value of {values.max():g}",
            where=path,
        )
    return VesselCurve(name, times, values, unit, f"given table {path.name}")


def _table(path: Path) -> tuple[Float64s, Float64s]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line and not line[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile("the table of a vessel cannot be read", found=str(error), where=path) from error
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]
    if not 3 <= len(lines) <= _MAX_ROWS or not all(_is_pair(line) for line in lines):
        bad = next((i for i, line in enumerate(lines) if not _is_pair(line)), None)
        raise NoVessel(
            "the table of a vessel is not a curve",
            wanted="at least 3 lines of two finite numbers, time_s,value",
            found=f"{len(lines)} lines"
            + ("" if bad is None else f", of which line {bad + 1} is {lines[bad]}"),
            where=path,
            remedy="Write it as vessels/aif.csv of an earlier run is written.",
        )
    array = np.array([[float(cell) for cell in line[:2]] for line in lines])
    return array[:, 0], array[:, 1]


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _is_pair(line: list[str]) -> bool:
    return len(line) >= 2 and all(_is_number(cell) for cell in line[:2])


def on_clock(curve: VesselCurve, times: Float64s) -> tuple[Float64s, tuple[Finding, ...]]:
    """Interpolate a given curve linearly onto the times of a concentration [s], shape `(t,)`.

    Returns
    -------
    Values, shape `(t,)`, and `VESSEL_SHORT` where the curve did not cover all times and its first or
    last value was held.

    Raises
    ------
    BadTimes
        If the curve covers less than 80 % of the scan.
    """
    span = float(times[-1] - times[0])
    overlap = min(float(curve.times[-1]), float(times[-1])) - max(float(curve.times[0]), float(times[0]))
    if overlap < _COVERED * span:
        raise BadTimes(
            f"the given {curve.name} does not cover the scan",
            wanted=f"{times[0]:g} to {times[-1]:g} s",
            found=f"{curve.times[0]:g} to {curve.times[-1]:g} s",
            remedy="Times are seconds since the first frame of the series.",
        )
    values = np.interp(times, curve.times, curve.values)
    step = span / max(times.size - 1, 1)
    if overlap >= span - step:
        return values, ()
    text = f"The given {curve.name} covers {overlap:.0f} of {span:.0f} s; its end values are held."
    return values, (Finding("VESSEL_SHORT", Severity.WARN, text, overlap),)


def place(concentration: Concentration, chosen: Chosen) -> NDArray[np.intp]:
    """Return the voxel indices of chosen rows, shape `(n, 3)`."""
    return np.argwhere(row_mask(concentration, chosen.rows))
