"""Pictures of an X-ray run: the vessels with the artery that was measured, its curve, and the maps."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.result import MotionTrace, Result
from bolus.export import words
from bolus.export.figures import plot
from bolus.export.figures.canvas import FOOT, Canvas, encoded
from bolus.export.figures.style import ARTERY, GREY, Pixels, coloured, table, window
from bolus.export.figures.view import Sampler, crop, find_view, fit, tint
from bolus.export.research import ring

PAGE: Final = 1040
"""Width of these pages [px]: two of them, one a view, lie side by side in the report."""
_EDGE, _HEAD, _GAP = 20, 56, 12
_BAR, _BAR_ROOM = 18, 84
_SHOWN: Final = ("CBV", "CBF", "MTT", "Tmax")
_DARKEST: Final = 99.7
"""Percentile of contrast that is shown black: where vessels overlap there is more."""
_PLACE: Final = (29, 111, 214)
_TISSUE: Final = (71, 85, 105)
_MOTION: Final = ("#c2410c", "#15803d", "#1d4ed8")


def draw_minip(result: Result) -> bytes:
    """Draw the vessels dark on light, as angiograms are read, with the outline of the measured artery."""
    sampler = _sampler(result, PAGE - 2 * _EDGE)
    height, width = sampler.size
    canvas = Canvas(PAGE, _HEAD + height + FOOT)
    tile = _vessels(result, sampler)
    voxels = result.vessels.aif.voxels
    if voxels.size:
        chosen = np.zeros(result.grid.shape, dtype=np.bool_)
        chosen[tuple(voxels.T)] = True
        tint(tile, sampler.values(chosen.astype(np.float32), 0) > 0.3, ARTERY, 0.0)
    for marker in (each for answer in result.research for each in answer.markers):
        tint(tile, sampler.values(ring(result, marker).astype(np.float32), 0) > 0.3, _PLACE, 0.0)
    canvas.paste(tile, (PAGE - width) // 2, _HEAD)
    canvas.write((_EDGE, _HEAD / 2), f"MinIP  {words.view(result)}", size=28, bold=True)
    label = "red: arterial input" if voxels.size else "arterial input from a file"
    canvas.write((PAGE - _EDGE, _HEAD / 2), label, size=20, colour=GREY, align="right")
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


def draw_curves(result: Result) -> bytes:
    """Draw the arterial curve and the mean curve of what is no vessel, each on its own axis."""
    figure = plot.white_page(PAGE, 620)
    aif = result.vessels.aif
    red, slate = plot.shade(ARTERY), plot.shade(_TISSUE)
    left = plot.axes(figure, (0.085, 0.16, 0.83, 0.72), x="time [s]", y=f"artery [{aif.unit.value}]")
    first, last = result.baseline
    if 0 <= first < last <= aif.times.size:
        left.axvspan(aif.times[first], aif.times[last - 1], color="#eef2f7", lw=0, zorder=0)
    left.plot(aif.times, aif.values, color=red, lw=2.6, label="arterial input (AIF)")
    left.plot([], [], color=slate, lw=2.6, label="tissue, mean (right axis)")
    right = left.twinx()
    right.plot(result.curves.times, result.curves.regions["tissue"], color=slate, lw=2.6)
    right.set_ylabel(f"tissue [{result.curves.unit.value}]", color=plot.INK, fontsize=15)
    right.tick_params(colors=plot.SOFT, labelsize=13)
    right.spines["top"].set_visible(False)
    plot.legend(left, 2)
    plot.foot(figure, words.footer(result))
    return encoded(figure)


def draw_projections(result: Result, colours: str = "spectrum") -> bytes:
    """Draw volume, flow, transit time and Tmax as four tiles, each with its bar and unit."""
    room = (PAGE - 2 * _EDGE - _GAP) // 2 - _BAR_ROOM
    sampler = _sampler(result, room)
    height, width = sampler.size
    names = [name for name in _SHOWN if name in result.maps]
    n_rows = -(-len(names) // 2)
    canvas = Canvas(PAGE, n_rows * (height + _HEAD) + FOOT + _GAP)
    colour_table = table(colours)
    for i, name in enumerate(names):
        made = result.maps[name]
        x = _EDGE + (i % 2) * (room + _BAR_ROOM + _GAP)
        y = (i // 2) * (height + _HEAD)
        limits = window(made, result.modality)
        canvas.paste(coloured(sampler.values(made.values, 0), limits, colour_table), x, y + _HEAD)
        canvas.colour_bar((x + width + 10, y + _HEAD + 10), (_BAR, height - 20), colour_table, limits)
        canvas.write((x, y + _HEAD / 2), f"{name}  [{_unit(made.unit.value, name)}]", size=26, bold=True)
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


def draw_run_motion(result: Result, motion: MotionTrace) -> bytes:
    """Draw how far each frame was moved in the plane, and turned."""
    figure = plot.white_page(PAGE, 420)
    axes = plot.axes(figure, (0.085, 0.2, 0.83, 0.64), x="time [s]", y="shift [mm], rotation [degrees]")
    moved = motion.parameters[:, [0, 1, 5]]
    for name, colour, values in zip(("across", "down", "rotation"), _MOTION, moved.T, strict=True):
        axes.plot(result.times, values, color=colour, lw=1.8, marker="o", ms=4, label=name)
    top = 1.15 * max(float(np.abs(moved).max(initial=0.0)), 1.0)
    axes.set_ylim(-top, top)
    plot.legend(axes, 3)
    plot.foot(figure, words.footer(result))
    return encoded(figure)


def _unit(unit: str, name: str) -> str:
    return "relative to artery" if unit == "1" and name == "CBV" else unit


def _sampler(result: Result, width: int) -> Sampler:
    view = find_view(result.grid)
    return fit(view, crop(view, np.ones(result.grid.shape, dtype=np.bool_)), width, width)


def _vessels(result: Result, sampler: Sampler) -> Pixels:
    """Return contrast as dark on light."""
    filled = result.underlay[result.underlay > 0]
    darkest = float(np.percentile(filled, _DARKEST)) if filled.size else 1.0
    return coloured(sampler.values(result.underlay, 0), (0.0, darkest), table("grey")[::-1])
