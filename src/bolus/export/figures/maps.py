"""Pages of maps: all maps over a few slices, and each map over all."""

from __future__ import annotations

from typing import Final

import numpy as np

from bolus.core.maps import Map
from bolus.core.result import Result
from bolus.export import layout, words
from bolus.export.figures.canvas import FOOT, WIDTH, Canvas
from bolus.export.figures.mosaic import GAP, lay_out, orientation
from bolus.export.figures.style import FAILED, GREY, Pixels, Table, coloured, table, window
from bolus.export.figures.view import Sampler

_EDGE, _HEAD = 24, 66
_BAR, _BAR_ROOM = 22, 104
_NAMES = 150
_OVERVIEW_COLUMNS, _COLUMNS, _MOST = 7, 8, 24
_NOT_A_NUMBER: Final = "grey: no value"


def draw_overview(result: Result, colours: str = "spectrum") -> bytes:
    """Draw the main maps as PNG: a map a row, the same slices in each."""
    room = WIDTH - 2 * _EDGE - _NAMES - _BAR_ROOM
    mosaic = lay_out(result, columns=_OVERVIEW_COLUMNS, width=room, most=_OVERVIEW_COLUMNS)
    names = [n for n in layout.map_names(result) if n in layout.OVERVIEW] or list(layout.map_names(result))
    canvas = Canvas(WIDTH, _HEAD + len(names) * (mosaic.height + GAP) + FOOT)
    colour_table = table(colours)
    height = mosaic.height
    for i, name in enumerate(names):
        made, y = result.maps[name], _HEAD + i * (height + GAP)
        tile = _Tile(result, made, colour_table)
        mosaic.draw(canvas, (_EDGE + _NAMES, y), tile, result.grid.shape[2])
        canvas.write((_EDGE, y + height / 2 - 18), name, size=34, bold=True)
        canvas.write((_EDGE, y + height / 2 + 20), made.unit.value, size=20, colour=GREY)
        bar = (WIDTH - _EDGE - _BAR_ROOM + 20, y + 12)
        canvas.colour_bar(bar, (_BAR, height - 24), colour_table, window(made, result.modality))
    canvas.write((_EDGE, _HEAD / 2), orientation(mosaic.sampler.view), size=19, colour=GREY)
    canvas.write((WIDTH - _EDGE, _HEAD / 2), _NOT_A_NUMBER, size=19, colour=GREY, align="right")
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


def draw_map(result: Result, name: str, colours: str = "spectrum") -> bytes:
    """Draw one map as PNG over all slices, or 24 evenly chosen ones."""
    made, colour_table = result.maps[name], table(colours)
    room = WIDTH - 2 * _EDGE - _BAR_ROOM
    mosaic = lay_out(result, columns=_COLUMNS, width=room, most=_MOST, enlarge=True)
    canvas = Canvas(WIDTH, _HEAD + mosaic.height + 12 + FOOT)
    tile = _Tile(result, made, colour_table)
    start = _EDGE + (room - mosaic.width) // 2
    mosaic.draw(canvas, (start, _HEAD), tile, result.grid.shape[2])
    bar_height = min(mosaic.height - 24, 420)
    bar = (WIDTH - _EDGE - _BAR_ROOM + 20, _HEAD + (mosaic.height - bar_height) // 2)
    canvas.colour_bar(bar, (_BAR, bar_height), colour_table, window(made, result.modality))
    canvas.write((_EDGE, _HEAD / 2), f"{name}  [{made.unit.value}]", size=32, bold=True)
    notes = f"{_NOT_A_NUMBER}   |   {orientation(mosaic.sampler.view)}"
    canvas.write((WIDTH - _EDGE, _HEAD / 2), notes, size=19, colour=GREY, align="right")
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


class _Tile:
    """Draws a map's slices: grey where the brain holds no value, black outside."""

    def __init__(self, result: Result, made: Map, colours: Table) -> None:
        self._values = made.values
        self._failed = result.brain.inside & ~np.isfinite(made.values)
        self._limits = window(made, result.modality)
        self._colours = colours

    def __call__(self, sampler: Sampler, k: int) -> Pixels:
        pixels = coloured(sampler.values(self._values, k), self._limits, self._colours)
        if self._failed[:, :, k].any():
            pixels[sampler.mask(self._failed, k)] = FAILED
        return pixels
