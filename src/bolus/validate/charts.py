"""Pages of panels in the manner of the report's figures, with one line a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bolus import __version__
from bolus.core.arrays import Float64s
from bolus.export import words
from bolus.export.figures import plot
from bolus.export.figures.canvas import WIDTH, encoded
from bolus.validate.assess import Validation

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f")
"""Told apart by colour-blind readers as well.

Okabe and Ito (2008), with grey in the place of yellow, which white paper swallows.
"""
MARKERS: Final = "os^DvPX*<>"
STROKES: Final = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_LEFT, _RIGHT, _TOP, _FOOT = 100, 30, 100, 84
_GAP_X, _GAP_Y = 92, 112
_PANEL_HEIGHT = 330
_LEGEND_ROW = 30
_PERFECT = "perfect"


@dataclass(frozen=True, slots=True)
class Look:
    """How a method is drawn, wherever it appears."""

    colour: str
    marker: str
    stroke: Any

    @classmethod
    def of(cls, index: int) -> Look:
        """Return the look of the method of a place in the table."""
        stroke = STROKES[index // len(COLOURS) % len(STROKES)]
        return cls(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], stroke)


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes.

    Parameters
    ----------
    title, x, y
        What it shows, and the names of the axes with their units.
    ticks
        Places on the x axis by their text, where they are not numbers or not even.
    lines
        Values by label of the method, at `at`.
    at
        Places of the values, shape `(n,)`.
    ideal
        What a perfect method would give, shape `(n,)`.
    limits
        Range of the y axis; lines may leave it.
    is_joined
        Whether the values of a method follow one another.
    """

    title: str
    x: str
    y: str
    at: Float64s
    lines: Mapping[str, Float64s]
    ideal: Float64s | None = None
    limits: tuple[float, float] | None = None
    ticks: Mapping[float, str] = field(default_factory=dict)
    is_joined: bool = True


def page(title: str, rows: Sequence[Sequence[Panel]], found: Validation) -> bytes:
    """Draw panels as PNG, a legend of the methods above them and what they come from below."""
    shown = [label for label in found.labels if any(label in p.lines for row in rows for p in row)]
    looks = {label: Look.of(i) for i, label in enumerate(found.labels)}
    n_legend = _legend_rows([*shown, _PERFECT])
    top = _TOP + _LEGEND_ROW * n_legend
    height = top + len(rows) * (_PANEL_HEIGHT + _GAP_Y) + _FOOT - _GAP_Y + 40
    figure = plot.white_page(WIDTH, height)
    figure.text(_RIGHT / WIDTH, 1 - 30 / height, title, fontsize=18, color=plot.INK, va="center")
    _legend(figure, {label: looks[label] for label in shown}, n_legend, height)
    for panel, place in _places(rows, top, height):
        axes = plot.axes(figure, place, x=panel.x, y=panel.y)
        _draw(axes, panel, looks)
    plot.foot(figure, _origin(found))
    return encoded(figure)


def _places(
    rows: Sequence[Sequence[Panel]], top: int, height: int
) -> Iterator[tuple[Panel, tuple[float, float, float, float]]]:
    """Yield each panel with its place in fractions of the page."""
    for i, row in enumerate(rows):
        wide = (WIDTH - _LEFT - _RIGHT - (len(row) - 1) * _GAP_X) / len(row)
        bottom = height - top - i * (_PANEL_HEIGHT + _GAP_Y) - _PANEL_HEIGHT
        for k, panel in enumerate(row):
            left = _LEFT + k * (wide + _GAP_X)
            yield panel, (left / WIDTH, bottom / height, wide / WIDTH, _PANEL_HEIGHT / height)


def _draw(axes: Any, panel: Panel, looks: Mapping[str, Look]) -> None:
    axes.set_title(panel.title, fontsize=15, color=plot.INK, loc="left")
    if panel.ideal is not None:
        axes.plot(panel.at, panel.ideal, color=plot.SOFT, lw=1.4, ls=(0, (6, 4)), zorder=1)
    shifts = _shifts(panel)
    for (label, values), shift in zip(panel.lines.items(), shifts, strict=True):
        look = looks[label]
        stroke = look.stroke if panel.is_joined else "none"
        style = {"color": look.colour, "marker": look.marker, "ls": stroke}
        axes.plot(panel.at + shift, values, lw=1.8, ms=7, **style)
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)
    if panel.ticks:
        axes.set_xticks(list(panel.ticks), list(panel.ticks.values()))
    axes.margins(x=0.06)


def _shifts(panel: Panel) -> Float64s:
    """Return what sets each line aside, so that none hides another: a third of the smallest step in all."""
    n = len(panel.lines)
    step = float(np.diff(np.sort(panel.at)).min()) if panel.at.size > 1 else 1.0
    return np.linspace(-step / 6, step / 6, n) if n > 1 else np.zeros(n)


def _legend_rows(names: Sequence[str]) -> int:
    """Return how many rows of the legend hold names, from how wide the longest is drawn."""
    per_row = max(1, (WIDTH - 2 * _RIGHT) // (84 + 11 * max(map(len, names))))
    return -(-len(names) // per_row)


def _legend(figure: Figure, looks: Mapping[str, Look], n_rows: int, height: int) -> None:
    handles = [
        Line2D([], [], color=k.colour, marker=k.marker, ls=k.stroke, lw=1.8, ms=7, label=label)
        for label, k in looks.items()
    ]
    handles.append(Line2D([], [], color=plot.SOFT, lw=1.4, ls=(0, (6, 4)), label=_PERFECT))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(_RIGHT / WIDTH - 0.008, 1 - 44 / height),
        ncols=-(-len(handles) // n_rows),
        frameon=False,
        fontsize=14,
        labelcolor=plot.INK,
        columnspacing=1.8,
    )


def _origin(found: Validation) -> str:
    text = f"simulated curves, not patients; {found.effort.name} run, seed {found.seed}, bolus {__version__}"
    return f"{words.RESEARCH_USE}; {text}"
