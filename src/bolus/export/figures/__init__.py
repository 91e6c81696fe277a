"""Pictures of a result as PNG: pages of slices on black, curves on white."""

from __future__ import annotations

from collections.abc import Iterator

from bolus.core.result import Result
from bolus.core.units import Modality
from bolus.export import layout
from bolus.export.figures.angiogram import draw_curves, draw_minip, draw_projections, draw_run_motion
from bolus.export.figures.maps import draw_map, draw_overview
from bolus.export.figures.mismatch import draw_mismatch
from bolus.export.figures.motion import draw_motion
from bolus.export.figures.style import TABLES
from bolus.export.figures.thresholds import draw_thresholds
from bolus.export.figures.vessels import draw_vessels

__all__ = [
    "TABLES",
    "draw_all",
    "draw_map",
    "draw_mismatch",
    "draw_motion",
    "draw_overview",
    "draw_thresholds",
    "draw_vessels",
]


def draw_all(result: Result, *, colours: str = "spectrum") -> Iterator[tuple[str, bytes]]:
    """Draw every figure of a result, one at a time.

    Parameters
    ----------
    result
        What `bolus.run` gave.
    colours
        Colour table of the maps, one of `TABLES`.

    Yields
    ------
    Name without suffix, as in `layout.figure_names`, and the PNG file's bytes.
    """
    if result.modality is Modality.XA:
        yield from _draw_run(result, colours)
        return
    if result.lesions is not None:
        yield "mismatch", draw_mismatch(result, result.lesions)
        yield "thresholds", draw_thresholds(result, result.lesions)
    yield "maps", draw_overview(result, colours)
    for name in layout.map_names(result):
        yield f"map_{layout.stem(name)}", draw_map(result, name, colours)
    yield "vessels", draw_vessels(result)
    if result.motion is not None:
        yield "motion", draw_motion(result, result.motion)


def _draw_run(result: Result, colours: str) -> Iterator[tuple[str, bytes]]:
    yield "minip", draw_minip(result)
    yield "curves", draw_curves(result)
    yield "maps", draw_projections(result, colours)
    if result.motion is not None:
        yield "motion", draw_run_motion(result, result.motion)
