"""Research results in words and as JSON: the answers of classifiers, never without what they are worth."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bolus.core.arrays import Mask
from bolus.core.research import About, Bounds, Marker, Quantity, Reply, ResearchResult, Score
from bolus.core.result import Result
from bolus.export import words
from bolus.export.regions import plain

NOTICE: Final = "Answers of classifiers: research results on one study, not for diagnosis."
_DIGITS: Final = {"mL": 0, "%": 0}
_RING: Final = 0.12
"""Half of the width of the ring that marks a place, as a part of its radius; a pixel at least."""


def lines(result: Result) -> list[tuple[str, str]]:
    """Return name, question and answer of each research result, for a table."""
    return [
        (f"{one.about.name} (research)", f"{one.about.question} {answer(one)}") for one in result.research
    ]


def answer(one: ResearchResult) -> str:
    """Write an answer: the reply, the chance of yes, what was measured, and where."""
    parts = [one.reply.value]
    if one.probability is not None:
        parts.append(f"chance {bounds(one.probability, 2)}")
    parts += [quantity(each) for each in one.quantities]
    parts += [place(each) for each in one.markers]
    if one.reply is Reply.REFUSED:
        parts.append(words.clean(one.reason))
    return ": ".join(parts[:2]) if one.reply is Reply.REFUSED else ", ".join(parts)


def bounds(value: Bounds, digits: int, unit: str = "") -> str:
    """Write a number, and its interval where it has one."""
    shown = words.number(value.value, digits, unit)
    if value.low == value.high:
        return shown
    return f"{shown} ({words.number(value.low, digits)}-{words.number(value.high, digits)})"


def quantity(one: Quantity) -> str:
    """Write what was measured, such as `core volume 52 mL (41-66)`."""
    return f"{words.clean(one.name)} {bounds(one.bounds, _DIGITS.get(one.unit, 1), one.unit)}"


def place(one: Marker) -> str:
    """Write where something lies, in the pixels of the series as it is stored."""
    level = f"{100 * one.level:.0f} %"
    return (
        f"{words.clean(one.name)} at column {one.x:.0f}, row {one.y:.0f}, slice {one.z:.0f}, "
        f"within {one.radius:.0f} pixels in {level} of simulated patients"
    )


def entries(result: Result) -> list[dict[str, Any]]:
    """Return what the report shows of each research result, in words."""
    return [
        {
            "name": one.about.name,
            "question": words.clean(one.about.question),
            "answer": answer(one),
            "reason": "" if one.reply is Reply.REFUSED else words.clean(one.reason),
            "how": words.clean(one.about.how),
            "caution": words.clean(one.about.caution),
            "worth": worth(one.about),
        }
        for one in result.research
    ]


def worth(about: About) -> str:
    """Say what a classifier was made from and how good it is."""
    made = f"Made from {words.clean(about.trained_on)}. " if about.trained_on else ""
    if not about.scores:
        return f"{made}How good it is has not been measured."
    told = "; ".join(_score(score) for score in about.scores)
    return (
        f"{made}Area under the ROC curve with 95 % interval: {told}. No patient's outcome stands behind it."
    )


def _score(score: Score) -> str:
    return f"{bounds(score.auc, 3)} on {score.n} {words.clean(score.data)}"


def document(one: ResearchResult) -> dict[str, Any]:
    """Return a research result as JSON can hold it, after the schema."""
    about = one.about
    return {
        "name": about.name,
        "question": words.clean(about.question),
        "reply": one.reply.value,
        "reason": words.clean(one.reason),
        "probability": None if one.probability is None else _bounds(one.probability),
        "quantities": [
            {"name": words.clean(q.name), "unit": q.unit, **_bounds(q.bounds)} for q in one.quantities
        ],
        "markers": [_marker(marker) for marker in one.markers],
        "how": words.clean(about.how),
        "caution": words.clean(about.caution),
        "notice": words.RESEARCH_USE,
        "trained_on": words.clean(about.trained_on),
        "scores": [{"data": words.clean(s.data), "n": s.n, "auc": _bounds(s.auc)} for s in about.scores],
    }


def ring(result: Result, marker: Marker) -> Mask:
    """Return the voxels of a ring about a marker in its slice, on the grid of the result."""
    stored, grid = (marker.x, marker.y, marker.z), result.grid
    centre = np.zeros(3)
    for i, axis in enumerate(grid.axes):
        centre[axis] = grid.shape[axis] - 1 - stored[i] if grid.flips[i] else stored[i]
    x, y, z = (np.arange(n, dtype=np.float64) for n in grid.shape)
    far = np.hypot(x[:, None] - centre[0], y - centre[1])
    on_ring = np.abs(far - marker.radius) <= max(_RING * marker.radius, 1.0)
    return np.asarray(on_ring[:, :, None] & (np.abs(z - centre[2]) <= 0.5))


def _bounds(value: Bounds) -> dict[str, float | None]:
    return {"value": plain(value.value), "low": plain(value.low), "high": plain(value.high)}


def _marker(marker: Marker) -> dict[str, Any]:
    return {
        "name": words.clean(marker.name),
        **{name: plain(getattr(marker, name)) for name in ("x", "y", "z", "radius", "level")},
    }
