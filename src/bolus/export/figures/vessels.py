"""The vessels page: where the curves were taken, the curves, and what tissue made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bolus.core.arrays import Curve
from bolus.core.result import Result
from bolus.core.vessel import VesselCurve
from bolus.export import layout, words
from bolus.export.figures import plot
from bolus.export.figures.canvas import WIDTH, encoded
from bolus.export.figures.mosaic import Anatomy
from bolus.export.figures.style import (
    ARTERY,
    VEIN,
    Colour,
    Pixels,
    coloured,
    grey_window,
    table,
)
from bolus.export.figures.view import Sampler, around, crop, find_view, fit, tint
from bolus.physics import features

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT = 940
_TILE = 385
_LEFT, _TOP, _ROW = 24, 50, 438
_ZOOM_MM = 45.0
_ZOOM_TIMES: Final = 5.0  # the close-up shows CBV up to so many times that of tissue: vessels are white
_COLOURS: Final = {"aif": ARTERY, "vof": VEIN}
_REGIONS: Final[dict[str, Colour]] = {
    "healthy": (71, 85, 105),
    "tissue": (71, 85, 105),
    "hypoperfused": (30, 161, 68),
    "core": (217, 26, 145),
}


def draw_vessels(result: Result) -> bytes:
    """Draw the vessels page as PNG: positions on slices, curves with their figures, tissue curves."""
    figure = plot.white_page(WIDTH, _HEIGHT)
    for i, (key, curve) in enumerate(layout.curves(result).items()):
        _positions(figure, result, curve, _COLOURS[key], _TOP + i * _ROW)
    _vessel_axes(figure, result)
    _tissue_axes(figure, result)
    plot.foot(figure, words.footer(result))
    return encoded(figure)


def _positions(figure: Figure, result: Result, curve: VesselCurve, colour: Colour, top: int) -> None:
    """Show the slice with most of a vessel's voxels, whole and close up."""
    height = _HEIGHT
    if not curve.voxels.size:
        figure.text(_LEFT / WIDTH, 1 - (top + 20) / height, f"{curve.name}: not from voxels of this series",
                    fontsize=15, color=plot.INK)  # fmt: skip
        return
    k = int(np.bincount(curve.voxels[:, 2]).argmax())
    here = curve.voxels[curve.voxels[:, 2] == k]
    mask = np.zeros(result.grid.shape, dtype=np.bool_)
    mask[tuple(curve.voxels.T)] = True
    view = find_view(result.grid)
    whole = crop(view, result.brain.inside)
    near = around(view.place(here, result.grid.shape), view, whole, _ZOOM_MM)
    wide, close = fit(view, whole, _TILE, _TILE), fit(view, near, _TILE, _TILE)
    tile = Anatomy(result)(wide, k)
    tint(tile, wide.values(mask.astype(np.float32), k) > 0.2, colour, 1.0)
    _frame(tile, wide, near)
    detail = _zoomed(result, close, k)
    tint(detail, close.mask(mask, k), colour, 0.25)
    for x, pixels in ((_LEFT, tile), (_LEFT + tile.shape[1] + 8, detail)):
        figure.figimage(pixels, x, height - top - pixels.shape[0], origin="upper")
    n = f"{here.shape[0]} of {curve.voxels.shape[0]} voxels in slice {k + 1}/{result.grid.shape[2]}"
    label = f"{curve.name}: {n}"
    figure.text(
        _LEFT / WIDTH, 1 - (top - 20) / height, label, fontsize=15, color=plot.shade(colour), va="center"
    )
    _sides(figure, view.edges, (_LEFT, top), tile)


def _sides(figure: Figure, edges: tuple[str, ...], place: tuple[int, int], tile: Pixels) -> None:
    x, y = place
    for text, at, align in ((edges[0], x + 6, "left"), (edges[1], x + tile.shape[1] - 6, "right")):
        figure.text(
            at / WIDTH, 1 - (y + 14) / _HEIGHT, text, fontsize=13, color="#a0a5ac", ha=align, va="center"
        )


def _zoomed(result: Result, sampler: Sampler, k: int) -> Pixels:
    """Draw CBV in grey, where vessels stand out; the anatomy where there is no CBV."""
    made = result.maps.get("CBV")
    if made is None:
        limits = grey_window(result.modality, result.underlay[result.brain.inside])
        return coloured(sampler.values(result.underlay, k), limits, table("grey"))
    usual = made.values[result.brain.tissue & np.isfinite(made.values) & (made.values > 0)]
    top = _ZOOM_TIMES * float(np.median(usual)) if usual.size else 1.0
    return coloured(sampler.values(made.values, k), (0.0, top), table("grey"))


def _frame(tile: Pixels, sampler: Sampler, box: tuple[int, int, int, int]) -> None:
    """Draw the outline of a box of the plane into a tile."""
    height, width = sampler.size
    first_row, last_row, first, last = sampler.box
    rows = [(r - first_row) / (last_row - first_row) * (height - 1) for r in box[:2]]
    columns = [(c - first) / (last - first) * (width - 1) for c in box[2:]]
    (r0, r1), (c0, c1) = [round(r) for r in rows], [round(c) for c in columns]
    tile[[r0, r1], c0 : c1 + 1] = (230, 230, 230)
    tile[r0 : r1 + 1, [c0, c1]] = (230, 230, 230)


def _vessel_axes(figure: Figure, result: Result) -> None:
    aif = result.vessels.aif
    axes = plot.axes(figure, (0.53, 0.555, 0.455, 0.335), x="", y=f"contrast in vessels [{aif.unit.value}]")
    _baseline(axes, result)
    for key, curve in layout.curves(result).items():
        colour = plot.shade(_COLOURS[key])
        axes.plot(curve.times, curve.values, color=colour, lw=2.2, label=f"{curve.name}: {_figures(curve)}")
        _width(axes, curve, colour)
    if result.vessels.partial_volume != 1:
        axes.plot([], [], " ", label=f"AIF scaled by {result.vessels.partial_volume:.2f} (partial volume)")
    _fit_height(axes, result, [c.values for c in layout.curves(result).values()])
    plot.legend(axes, 1)


def _figures(curve: VesselCurve) -> str:
    """Write peak time, width and end of a curve."""
    one = curve.values[None, :].astype(np.float32)
    when = curve.quality.get("ttp_s", float(features.time_to_peak(one, curve.times)[0]))
    width = curve.quality.get("fwhm_s", float(features.width_at_half(one, curve.times)[0]))
    tail = curve.quality.get("tail", float(features.tail(one)[0]))
    end = words.number(100 * tail, 0, "%")
    return f"peak at {words.number(when, 1, 's')}, FWHM {words.number(width, 1, 's')}, end at {end} of peak"


def _width(axes: Any, curve: VesselCurve, colour: tuple[float, float, float]) -> None:
    """Mark the peak, and the width at half of it."""
    one = curve.values[None, :].astype(np.float32)
    rise = float(features.arrival(one, curve.times, fraction=0.5)[0])
    width = float(features.width_at_half(one, curve.times)[0])
    top = int(np.argmax(curve.values))
    axes.plot(curve.times[top], curve.values[top], "o", color=colour, ms=8)
    if np.isfinite(rise + width):
        half = curve.values[top] / 2
        axes.plot([rise, rise + width], [half, half], color=colour, lw=1.4, ls=":", marker="|", ms=10)


def _tissue_axes(figure: Figure, result: Result) -> None:
    curves = result.curves
    axes = plot.axes(
        figure, (0.53, 0.105, 0.455, 0.335), x="time [s]", y=f"contrast in tissue [{curves.unit.value}]"
    )
    _baseline(axes, result)
    for name, values in curves.regions.items():
        axes.plot(curves.times, values, color=plot.shade(_REGIONS.get(name, (0, 0, 0))), lw=2.2, label=name)
    _fit_height(axes, result, [*curves.regions.values()])
    plot.legend(axes, 4)


def _fit_height(axes: Any, result: Result, curves: list[Curve]) -> None:
    """Fit the axes to the curves from the baseline on: MR starts far off, before its steady state."""
    shown = np.concatenate([values[result.baseline[0] :] for values in curves] or [np.zeros(1)])
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = 0.06 * max(high - low, 1e-9)
    axes.set_ylim(low - room, high + room)


def _baseline(axes: Any, result: Result) -> None:
    """Shade the frames that were taken as pre-contrast."""
    times = result.curves.times
    first, last = result.baseline
    if 0 <= first < last <= times.size:
        axes.axvspan(times[first], times[last - 1], color="#eef2f7", lw=0, zorder=0)
