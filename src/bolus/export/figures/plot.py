"""Axes on white pages: how curves are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bolus.export.figures.style import Colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI: Final = 100
INK: Final = "#20242a"
SOFT: Final = "#6b7280"
GRID: Final = "#e3e6ea"


def white_page(width: int, height: int) -> Figure:
    """Return an empty white figure of a size [px], outside any global state."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - 30 MB that computing does without

    return Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")


def axes(figure: Figure, place: tuple[float, float, float, float], *, x: str, y: str) -> Any:
    """Add axes with labels, in fractions of the figure (left, bottom, width, height)."""
    made = figure.add_axes(place)
    made.set_xlabel(x, color=INK, fontsize=15)
    made.set_ylabel(y, color=INK, fontsize=15)
    made.tick_params(colors=SOFT, labelsize=13)
    made.grid(visible=True, color=GRID, linewidth=1)
    made.set_axisbelow(True)
    for side in ("top", "right"):
        made.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        made.spines[side].set_color(SOFT)
    return made


def legend(made: Any, columns: int) -> None:
    """Add a legend above the axes, where it hides no curve."""
    made.legend(
        frameon=False,
        fontsize=13,
        labelcolor=INK,
        ncols=columns,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        columnspacing=1.6,
    )


def foot(figure: Figure, text: str) -> None:
    """Write the footer into the lower left corner."""
    figure.text(0.015, 0.012, text, fontsize=12, color=SOFT, va="bottom", parse_math=False)


def shade(colour: Colour) -> tuple[float, float, float]:
    """Return a colour as matplotlib wants it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
