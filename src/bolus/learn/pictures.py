"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bolus.core.arrays import Float32s
from bolus.learn.cases import Case
from bolus.learn.runs import pointed

TRUE, FOUND = "#e69f00", "#56b4e9"
"""Colours of truth and answer, told apart by colour-blind readers as well."""
_BINS: Final = 20


def distribution(path: Path, rows: Sequence[Any], name: str) -> None:
    """Draw how a score is distributed over cases, view by view.

    Parameters
    ----------
    path
        PNG file to write.
    rows
        Of `bolus.learn.evaluate`.
    name
        Of the score.
    """
    figure = Figure(figsize=(6.0, 3.5), layout="constrained")
    axes = figure.add_subplot()
    views = sorted({row.view for row in rows})
    values = [[row.scores[name] for row in rows if row.view == view] for view in views]
    labels = [f"{view or 'all'}, n = {len(v)}" for view, v in zip(views, values, strict=True)]
    axes.hist(values, bins=_BINS, stacked=True, label=labels)
    axes.set(xlabel=name, ylabel="cases")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def outline(path: Path, image: Float32s, mask: NDArray[np.bool_]) -> None:
    """Draw an image `(y, x)`, contrast dark, with the outline of a mask (blue)."""
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(-image, cmap="gray", interpolation="nearest")
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=[FOUND], linewidths=0.9)
    axes.set_axis_off()
    figure.savefig(path, dpi=120)


def examples(path: Path, shown: Sequence[tuple[str, Case, Any]]) -> None:
    """Draw cases side by side with the outlines of truth (orange) and answer (blue).

    Parameters
    ----------
    path
        PNG file to write.
    shown
        Title, case with an image `(1, y, x)` and a mask, and probability `(1, y, x)` of each.
    """
    figure = Figure(figsize=(4.0 * len(shown), 5.0), layout="constrained")
    for axes, (title, case, answer) in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        axes.imshow(-case.image[0], cmap="gray", interpolation="nearest")
        for mask, colour in ((case.target[0] > 0, TRUE), (answer[0] >= 0.5, FOUND)):
            if mask.any() and not mask.all():
                axes.contour(mask, levels=[0.5], colors=[colour], linewidths=0.9)
        axes.set_title(f"{title}\n{case.patient} {case.view}", fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=120)


def map_examples(path: Path, shown: Sequence[tuple[str, Case, Any]]) -> None:
    """Draw maps of cases: truth above, answer below, on one scale.

    Parameters
    ----------
    path
        PNG file to write.
    shown
        Title, case with maps `(maps, y, x)`, and answer of the same shape; the first map with an answer is
        drawn.
    """
    figure = Figure(figsize=(3.2 * len(shown), 6.6), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for (above, below), (title, case, answer) in zip(axes.T, shown, strict=True):
        first = int(np.argmax(np.isfinite(answer).any(axis=(1, 2))))
        highest = float(np.percentile(case.target[first], 99.5)) or 1.0
        for place, values in ((above, case.target[first]), (below, answer[first])):
            place.imshow(values, cmap="viridis", vmin=0.0, vmax=highest, interpolation="nearest")
            place.set_axis_off()
        above.set_title(f"{title}\n{case.patient}", fontsize=9)
    figure.savefig(path, dpi=120)


def label_examples(path: Path, shown: Sequence[tuple[str, Case, Any]]) -> None:
    """Draw cases that have a label: what is darkest over time, with the true and the found place, if any.

    Parameters
    ----------
    path
        PNG file to write.
    shown
        Title, case with frames `(..., y, x)`, and answer of each: a chance, or with the place before it.
    """
    figure = Figure(figsize=(4.0 * len(shown), 5.0), layout="constrained")
    for axes, (title, case, answer) in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        axes.imshow(case.image.reshape(-1, *case.image.shape[-2:]).min(axis=0), cmap="gray")
        place = case.extra.get("place_px", np.full(2, np.nan))
        if np.isfinite(place).all():
            axes.plot(*place, "+", color=TRUE, markersize=14)
        found = pointed(answer, (case.image.shape[-2], case.image.shape[-1]))
        if found is not None:
            axes.plot(found.x, found.y, "x", color=FOUND, markersize=12)
        axes.set_title(f"{title}\n{case.patient} {case.view}", fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=120)
