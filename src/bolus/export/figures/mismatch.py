"""The first page: core and hypoperfused tissue side by side, with their volumes."""

from __future__ import annotations

from bolus.core.arrays import Mask
from bolus.core.lesion import Lesions
from bolus.core.result import Result
from bolus.export import words
from bolus.export.figures.canvas import FOOT, WIDTH, Canvas
from bolus.export.figures.mosaic import Anatomy, lay_out, orientation
from bolus.export.figures.style import CORE, GREY, HYPOPERFUSED, Colour, Pixels
from bolus.export.figures.view import Sampler, tint

_EDGE, _HEAD, _NUMBERS = 24, 84, 150
_MIDDLE = 40  # between the halves
_HEAD_ROOM = 1150.0  # size of a letter times letters that fit above a half
_COLUMNS, _MOST = 4, 20


def draw_mismatch(result: Result, lesions: Lesions) -> bytes:
    """Draw the mismatch page as PNG: slices with the core left, the same with hypoperfusion right."""
    half = (WIDTH - 2 * _EDGE - _MIDDLE) // 2
    mosaic = lay_out(result, columns=_COLUMNS, width=half, most=_MOST, enlarge=True)
    canvas = Canvas(WIDTH, _HEAD + mosaic.height + _NUMBERS + FOOT)
    anatomy = Anatomy(result)
    sides: tuple[tuple[str, Mask, Colour, int], ...] = (
        ("core", lesions.core, CORE, _EDGE),
        ("hypoperfused", lesions.hypoperfused, HYPOPERFUSED, _EDGE + half + _MIDDLE),
    )
    for name, mask, colour, x in sides:

        def tile(sampler: Sampler, k: int, mask: Mask = mask, colour: Colour = colour) -> Pixels:
            pixels = anatomy(sampler, k)
            tint(pixels, sampler.mask(mask, k), colour)
            return pixels

        start = x + (half - mosaic.width) // 2
        mosaic.draw(canvas, (start, _HEAD), tile, result.grid.shape[2])
        _head(canvas, x, name, words.criterion(lesions, name), colour)
        centre = x + half / 2
        big = words.lesion_volume(lesions, name)
        canvas.write(
            (centre, _HEAD + mosaic.height + 42), big, size=46, colour=colour, align="center", bold=True
        )
    _numbers(canvas, lesions, _HEAD + mosaic.height + 108)
    canvas.write(
        (WIDTH - _EDGE, _HEAD - 62), orientation(mosaic.sampler.view), size=17, colour=GREY, align="right"
    )
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


def _head(canvas: Canvas, x: int, name: str, criterion: str, colour: Colour) -> None:
    canvas.swatch(x, _HEAD - 36, colour)
    text = name.capitalize() if criterion == name else f"{name.capitalize()}: {criterion}"
    canvas.write((x + 34, _HEAD - 36), text, size=min(26.0, _HEAD_ROOM / len(text)))


def _numbers(canvas: Canvas, lesions: Lesions, y: int) -> None:
    cells = (
        ("mismatch volume", words.lesion_volume(lesions, "mismatch")),
        ("mismatch ratio", words.ratio(lesions)),
        ("affected side", lesions.side),
    )
    for i, (label, value) in enumerate(cells):
        centre = WIDTH * (i + 0.5) / len(cells)
        canvas.write((centre - 10, y), label, size=24, colour=GREY, align="right")
        canvas.write((centre + 10, y), value, size=30, bold=True)
