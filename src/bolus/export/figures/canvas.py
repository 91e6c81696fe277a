"""A page that is drawn in pixels: images are pasted, text is set, and nothing is resampled.

One composed image costs one draw; dozens of axes would cost seconds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from bolus.export.figures.style import BLACK, GREY, VERDICTS, WHITE, Colour, Pixels, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH: Final = 1600
"""Width of a page [px]; at 180 mm on paper, 24 px are 2.7 mm."""
FOOT: Final = 44
"""Height of the footer [px]."""
_DPI: Final = 128  # a power of two, so that pixels over dpi times dpi are whole again


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float
    text: str
    size: float
    colour: Colour
    align: str
    bold: bool


class Canvas:
    """A page of pixels and text.

    Parameters
    ----------
    width, height
        Size [px].
    colour
        Of the empty page.
    """

    def __init__(self, width: int, height: int, colour: Colour = BLACK) -> None:
        self.pixels: Pixels = np.empty((height, width, 3), dtype=np.uint8)
        self.pixels[:] = colour
        self._texts: list[_Text] = []

    @property
    def height(self) -> int:
        """Height [px]."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width [px]."""
        return int(self.pixels.shape[1])

    def paste(self, tile: Pixels, x: int, y: int) -> None:
        """Put an image with its upper left corner at a place [px]."""
        height, width = tile.shape[:2]
        self.pixels[y : y + height, x : x + width] = tile

    def write(
        self,
        place: tuple[float, float],
        text: str,
        *,
        size: float = 24,
        colour: Colour = WHITE,
        align: str = "left",
        bold: bool = False,
    ) -> None:
        """Set text of a size [px] with its vertical middle at a place [px].

        Parameters
        ----------
        place
            x and y from the upper left corner.
        align
            Which end of the text lies there: `left`, `center` or `right`.
        """
        self._texts.append(_Text(*place, text, size, colour, align, bold))

    def rule(self, y: int, colour: Colour = (60, 60, 66)) -> None:
        """Draw a thin line across the page."""
        self.pixels[y : y + 1, 24 : self.width - 24] = colour

    def swatch(self, x: int, y: int, colour: Colour, size: int = 22) -> None:
        """Draw a filled square with its middle at a place [px], as in a legend."""
        self.pixels[y - size // 2 : y + size // 2, x : x + size] = colour

    def colour_bar(
        self, place: tuple[int, int], size: tuple[int, int], colours: Table, limits: tuple[float, float]
    ) -> None:
        """Draw an upright colour bar, low values below, with numbers beside it.

        Parameters
        ----------
        place, size
            Upper left corner, and width and height [px].
        limits
            Values of the lowest and the highest colour.
        """
        (x, y), (width, height) = place, size
        ramp = colours[np.linspace(255, 0, height).astype(np.uint8)]
        self.paste(np.repeat(ramp[:, None, :], width, axis=1), x, y)
        low, high = limits
        n_steps = 4 if (high - low) / 4 % 1 == 0 else 5
        for level in np.linspace(0, 1, n_steps + 1):
            at = y + (1 - level) * (height - 1)
            self.pixels[int(at), x + width : x + width + 6] = GREY
            self.write((x + width + 10, at), f"{low + level * (high - low):g}", size=19, colour=GREY)

    def foot(self, text: str, verdict: str) -> None:
        """Write the footer, and the verdict as a coloured block at its left."""
        middle = self.height - FOOT / 2
        self.rule(self.height - FOOT)
        self.swatch(24, int(middle), VERDICTS[verdict], 20)
        self.write((56, middle), text, size=19, colour=GREY)

    def png(self) -> bytes:
        """Draw the page and return it as a PNG file."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - 30 MB that computing does without

        figure = Figure(figsize=(self.width / _DPI, self.height / _DPI), dpi=_DPI, frameon=False)
        for t in self._texts:
            figure.text(
                t.x / self.width,
                1 - t.y / self.height,
                t.text,
                fontsize=t.size * 72 / _DPI,
                color=tuple(c / 255 for c in t.colour),
                ha=t.align,
                va="center",
                weight="bold" if t.bold else "normal",
                parse_math=False,
            )
        return encoded(figure, self.pixels)


def encoded(figure: Figure, page: Pixels | None = None) -> bytes:
    """Return a matplotlib figure as a PNG file, and drop what it holds.

    No date and no version goes into the file, so the same result gives the same bytes.

    Parameters
    ----------
    figure
        What is drawn.
    page
        What it is drawn on, of the figure's size; nothing else where None. As an image of matplotlib
        it would take thirty times its memory.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - as above

    canvas = FigureCanvasAgg(figure)
    if page is None:
        canvas.draw()
    else:
        drawn = np.asarray(canvas.get_renderer().buffer_rgba())
        drawn[..., :3], drawn[..., 3] = page, 255
        figure.draw(canvas.get_renderer())
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    figure.clear()
    return buffer.getvalue()
