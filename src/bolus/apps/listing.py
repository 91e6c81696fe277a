"""Series and studies in words for the terminal."""

from __future__ import annotations

import numpy as np

from bolus.core.result import Result
from bolus.read import Candidate, Survey

HEADER = ("", "name", "series", "kind", "x y z t", "interval [s]", "seconds", "clock")


def rows(survey: Survey) -> list[tuple[str, ...]]:
    """Return one row a candidate, best first, for a table under `HEADER`."""
    return [_row(candidate) for candidate in survey.candidates]


def _row(candidate: Candidate) -> tuple[str, ...]:
    number = "" if candidate.number is None else f"{candidate.number} "
    return (
        "use" if candidate.would_use else "",
        candidate.name,
        f"{number}{candidate.description}",
        candidate.modality.value,
        " ".join(str(n) for n in candidate.shape),
        _interval(candidate),
        "" if candidate.duration_s is None else f"{candidate.duration_s:.1f}",
        candidate.clock + (", per slice" if candidate.per_slice else ""),
    )


def _interval(candidate: Candidate) -> str:
    """Return the step, or the range of steps where they differ."""
    if not candidate.dt_s:
        return ""
    shortest, median, longest = candidate.dt_s
    return f"{median:.2f}" if longest - shortest < 0.01 * median else f"{shortest:.2f}-{longest:.2f}"


def notes(survey: Survey) -> list[str]:
    """Return what speaks for and against each candidate, what was left out, and what would be done."""
    lines = []
    for candidate in survey.candidates:
        lines += [f"{candidate.name} view: {candidate.xray}"] if candidate.xray else []
        told = {"for": candidate.reasons, "against": candidate.problems}
        lines += [f"{candidate.name} {side}: {', '.join(texts)}" for side, texts in told.items() if texts]
        lines += [f"{candidate.name} note: {text}" for _code, text in candidate.findings]
        lines += [f"{candidate.name} error: {candidate.error}"] if candidate.error else []
    lines += [f"left out: {count} x {reason}" for reason, count in survey.rejected.items()]
    return [*lines, survey.verdict]


def about(result: Result) -> str:
    """Return what series a result was made of, in one line."""
    n_frames = result.times.shape[-1]
    step = float(np.median(np.diff(result.times, axis=-1)))
    size = " x ".join(str(n) for n in result.grid.shape)
    timing = f"{n_frames} frames over {np.ptp(result.times):.1f} s, {step:.2f} s apart"
    return f"{result.modality.value}, {size} voxels, {timing}"
