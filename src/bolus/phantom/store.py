"""Volumes, tables and facts of a phantom as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
from numpy.typing import NDArray

from bolus.core.grid import Grid
from bolus.core.vessel import VesselCurve


def save_volume(values: NDArray[Any], grid: Grid, path: Path, dt: float = 0.0) -> None:
    """Save an array `(x, y, z)` or `(x, y, z, t)` as NIfTI, with the frame interval [s] if there is one."""
    stored, affine = grid.stored(values)
    image = nib.Nifti1Image(stored, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    if dt > 0:
        image.header["pixdim"][4] = dt
    image.to_filename(path)


def write_curve(curve: VesselCurve, path: Path) -> None:
    """Write a curve as a table of `time_s` and `value`."""
    rows = [[round(float(t), 4), round(float(c), 5)] for t, c in zip(curve.times, curve.values, strict=True)]
    write_table(("time_s", "value"), rows, path)


def write_table(header: tuple[str, ...], rows: list[list[float]], path: Path) -> None:
    """Write rows of numbers as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write facts as JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
