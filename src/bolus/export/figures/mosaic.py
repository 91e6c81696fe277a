"""Slices side by side, as pixels of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Volume
from bolus.core.result import Result
from bolus.export.figures.canvas import Canvas
from bolus.export.figures.style import GREY, Pixels, Table, coloured, grey_window, table
from bolus.export.figures.view import Sampler, View, choose_slices, crop, find_view, fit

GAP: Final = 6
"""Space between tiles [px]."""
_TALLEST = 420


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """Slices in rows and columns.

    Parameters
    ----------
    sampler
        Makes the tiles.
    slices
        Slice indices, from the feet up, left to right and row by row.
    columns
        Tiles in a row.
    """

    sampler: Sampler
    slices: tuple[int, ...]
    columns: int

    @property
    def height(self) -> int:
        """Height of all rows [px]."""
        n_rows = -(-len(self.slices) // self.columns)
        return n_rows * (self.sampler.size[0] + GAP) - GAP

    @property
    def width(self) -> int:
        """Width of a full row [px]."""
        return self.columns * (self.sampler.size[1] + GAP) - GAP

    def places(self, x: int, y: int) -> Iterator[tuple[int, int, int]]:
        """Yield each slice and where its tile's upper left corner lies, from a corner of the page [px]."""
        height, width = self.sampler.size
        for i, k in enumerate(self.slices):
            yield k, x + (i % self.columns) * (width + GAP), y + (i // self.columns) * (height + GAP)

    def draw(
        self, canvas: Canvas, place: tuple[int, int], tile: Callable[[Sampler, int], Pixels], n_slices: int
    ) -> None:
        """Draw all tiles from a corner of the page [px], with slice numbers and sides."""
        for k, x, y in self.places(*place):
            canvas.paste(tile(self.sampler, k), x, y)
            annotate(canvas, (x, y), self.sampler, f"{k + 1}/{n_slices}")


def lay_out(result: Result, *, columns: int, width: int, most: int, enlarge: bool = False) -> Mosaic:
    """Choose slices and a tile size so that rows of so many columns fill a width [px].

    Parameters
    ----------
    result
        Whose brain is shown.
    most
        Largest number of slices.
    enlarge
        Make tiles larger where there are fewer slices than columns, and leave no column empty.
    """
    view = find_view(result.grid)
    slices = choose_slices(result.brain.inside, most)
    used = min(columns, len(slices)) if enlarge else columns
    tile = (width + GAP) // used - GAP
    box = crop(view, result.brain.inside)
    return Mosaic(fit(view, box, _TALLEST, tile), slices, used)


def annotate(canvas: Canvas, place: tuple[int, int], sampler: Sampler, label: str) -> None:
    """Write the patient's sides into the upper corners of a tile and a label into the lower left one."""
    (x, y), (height, width) = place, sampler.size
    left, right, _, _ = sampler.view.edges
    canvas.write((x + 5, y + 13), left, size=18, colour=GREY)
    canvas.write((x + width - 5, y + 13), right, size=18, colour=GREY, align="right")
    canvas.write((x + 5, y + height - 12), label, size=15, colour=GREY)


def orientation(view: View) -> str:
    """Say how the slices lie, for the page's heading."""
    left, right, top, bottom = view.edges
    return f"{view.plane} slices; image left {left}, right {right}, top {top}, bottom {bottom}"


class Anatomy:
    """Draws the volume before contrast in grey.

    Parameters
    ----------
    result
        Whose underlay and brain are used.
    """

    def __init__(self, result: Result) -> None:
        self._volume: Volume = result.underlay
        self._limits = grey_window(result.modality, result.underlay[result.brain.inside])
        self._table: Table = table("grey")

    def __call__(self, sampler: Sampler, k: int) -> Pixels:
        """Return slice `k` as a tile."""
        values = np.nan_to_num(sampler.values(self._volume, k), nan=self._limits[0])
        return coloured(values, self._limits, self._table)
