"""What the user gave for a vessel, turned into what finds it."""

from __future__ import annotations

from pathlib import Path

from bolus import read, vessels
from bolus.core.arrays import Mask
from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve


def given(text: str, name: str, grid: Grid, unit: Unit) -> str | Mask | tuple[int, int, int] | VesselCurve:
    """Turn what the user gave for a vessel into what `find_vessels` takes.

    Raises
    ------
    BadRecipe
        If it is none of the words, files and places that are understood.
    BadInput
        If the file cannot be used with this series.
    """
    words = (*vessels.METHODS, vessels.OF_TISSUE) if name == "AIF" else ("auto", "none")
    if text in words:
        return text
    parts = text.split(",")
    if len(parts) == 3 and all(p.strip().isdecimal() for p in parts):
        return here(tuple(int(p) for p in parts), grid)
    path = Path(text)
    if path.suffix.lower() == ".csv":
        return vessels.curve_from_csv(path, name, unit)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return read.load_mask(path, grid)
    raise BadRecipe(
        f"cannot tell what to take as {name}",
        wanted=", ".join((*words, "FILE.csv", "MASK.nii.gz, or x,y,z")),
        found=text,
    )


def here(stored: tuple[int, ...], grid: Grid) -> tuple[int, int, int]:
    """Turn a voxel of the stored series, as its maps count them, into one of the grid."""
    place = [0, 0, 0]
    for i, axis in enumerate(grid.axes):
        place[axis] = grid.shape[axis] - 1 - stored[i] if grid.flips[i] else stored[i]
    return place[0], place[1], place[2]
