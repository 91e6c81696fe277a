"""The motion page: translations and rotations a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.result import MotionTrace, Result
from bolus.export import words
from bolus.export.figures import plot
from bolus.export.figures.canvas import WIDTH, encoded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAUTION_MM_DEG: Final = 3.0
"""Shift [mm] and rotation [degrees] from which a reader is warned; drawn as a dashed line."""
_HEIGHT = 620
_COLOURS = ("#c2410c", "#15803d", "#1d4ed8")
_REJECTED = "#dc2626"


def draw_motion(result: Result, motion: MotionTrace) -> bytes:
    """Draw the six parameters of every frame as PNG, with the rejected frames marked."""
    figure = plot.white_page(WIDTH, _HEIGHT)
    times = result.times if result.times.ndim == 1 else result.times.mean(axis=0)
    panels = (
        ("shift [mm]", ("to the right (x)", "to the front (y)", "to the head (z)"), motion.parameters[:, :3]),
        ("rotation [degrees]", ("nodding (x)", "tilting (y)", "turning (z)"), motion.parameters[:, 3:]),
    )
    for i, (label, names, values) in enumerate(panels):
        _panel(figure, 0.055 + 0.49 * i, label, names, (times, values, motion.rejected))
    n = len(motion.rejected)
    rejected = f"{n} frame{'' if n == 1 else 's'} rejected" if n else "no frame rejected"
    title = f"Head motion, aligned to the {words.clean(motion.reference)}; {rejected}"
    figure.text(0.015, 0.94, plain_text(title), fontsize=18, color=plot.INK, parse_math=False)
    plot.foot(figure, words.footer(result))
    return encoded(figure)


def _panel(
    figure: Figure,
    left: float,
    label: str,
    names: tuple[str, ...],
    trace: tuple[Float64s, Float64s, tuple[int, ...]],
) -> None:
    times, values, rejected = trace
    axes = plot.axes(figure, (left, 0.17, 0.43, 0.64), x="time [s]", y=label)
    half = 0.5 * float(np.median(np.diff(times))) if times.size > 1 else 0.5
    for i, frame in enumerate(rejected):
        label_once = "rejected" if i == 0 else None
        axes.axvspan(
            times[frame] - half, times[frame] + half, color=_REJECTED, alpha=0.18, lw=0, label=label_once
        )
    for name, colour, column in zip(names, _COLOURS, values.T, strict=True):
        axes.plot(times, column, color=colour, lw=1.8, marker="o", ms=4, label=name)
    top = 1.15 * max(float(np.nanmax(np.abs(values), initial=0.0)), 1.2 * CAUTION_MM_DEG)
    axes.set_ylim(-top, top)
    for level in (-CAUTION_MM_DEG, CAUTION_MM_DEG):
        axes.axhline(level, color=plot.SOFT, lw=1.2, ls="--")
    plot.legend(axes, 4)


def plain_text(text: str) -> str:
    """Return text that the figures' font can draw: other characters become question marks."""
    return text.encode("latin-1", "replace").decode("latin-1")
