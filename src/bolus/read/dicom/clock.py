"""When every image was taken: which of the files' many times can be believed.

Each clock that the files carry is tested, in order of trust; the best that passes is used, and every
verdict is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.core.errors import BadTimes
from bolus.core.finding import Finding, Severity
from bolus.core.units import Modality
from bolus.read.dicom.align import Alignment, NotAligned, line_up
from bolus.read.dicom.images.dates import over_midnight
from bolus.read.dicom.images.records import Image
from bolus.read.dicom.images.stamps import IN_SECONDS, RANKS
from bolus.read.dicom.stack import Stack

TRUST: Final = (
    "FrameAcquisitionDateTime", "FrameReferenceDateTime", "AcquisitionDateTime", "AcquisitionTime",
    "MidScanTime", "FrameTimeVector", "FrameTime", "DynamicScanBeginTime", "TriggerTime", "RTIA",
    "DeltaStartTime", "TemporalPositionTimeOffset", "TemporalResolution", "FrameTimeVector" + IN_SECONDS,
    "FrameTime" + IN_SECONDS, "ContentTime", "CineRate", "RecommendedDisplayFrameRate",
)  # fmt: skip
"""Clocks, the most trusted first. A clock of the acquisition itself comes before one that counts from a
trigger, that before one that multiplies an index, and that before the time of reconstruction."""
GUESSED: Final = frozenset({"ContentTime", "CineRate", "RecommendedDisplayFrameRate"})
"""Clocks that may tell of reconstruction or display instead of acquisition."""

_SAME_TIME_S = 1e-3
_FEW = 0.2  # share of doubled images up to which they are taken for mistakes and not for another dimension
_ENOUGH = 0.5  # share of images that must have a time
_MOST = 0.95  # share above which missing times do not count against a clock


@dataclass(frozen=True, slots=True)
class _Span:
    """What is plausible: total [s] and median step [s]; outside `hard` a clock is refused."""

    total: tuple[float, float]
    step: tuple[float, float]
    hard_total: float
    hard_step: float


_USUAL: Final = _Span(total=(10.0, 600.0), step=(0.1, 10.0), hard_total=7200.0, hard_step=0.05)
_XRAY: Final = _Span(total=(0.5, 120.0), step=(0.02, 5.0), hard_total=600.0, hard_step=0.005)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the test of one clock found.

    Parameters
    ----------
    grade
        0 passed; 1 usable with doubts; 2 refused.
    reason
        Why, in a few words.
    """

    clock: str
    grade: int
    reason: str


@dataclass(frozen=True, slots=True)
class Timing:
    """The frames of a stack and when they were taken.

    Parameters
    ----------
    clock
        Which clock it comes from.
    table
        Number of the image within its slice, -1 where there is none; shape `(z, t)`.
    times
        Seconds, one row a slice, as the clock counts them, shape `(z, t)`.
    unused
        Images that are no frame, counted by reason.
    """

    clock: str
    table: NDArray[np.intp]
    times: Float64s
    findings: tuple[Finding, ...] = ()
    unused: Mapping[str, int] = field(default_factory=dict)


class _Refused(Exception):
    """A clock cannot be used, with the reason in a few words."""


def find_times(stack: Stack, *, dt_s: float | None = None, where: Path | str = "") -> Timing:
    """Find the frames of a stack and their times.

    Parameters
    ----------
    stack
        Images by slice.
    dt_s
        Frame interval [s] that replaces every clock; images are then only put in order.

    Raises
    ------
    BadTimes
        If no clock passes and no interval is given, or nothing tells the order.
    """
    trials = [_try(stack, clock) for clock in TRUST if _carried(stack, clock)]
    verdicts = tuple(verdict for verdict, _ in trials)
    passed = [(verdict, timing) for verdict, timing in trials if timing is not None]
    passed.sort(key=lambda trial: (trial[0].clock in GUESSED, trial[0].grade))
    if dt_s is not None:
        return _count(stack, dt_s, passed[0][1] if passed else None, where)
    if not passed:
        raise _no_clock(stack, verdicts, where)
    verdict, timing = passed[0]
    assert timing is not None  # noqa: S101  the list above holds no other
    rivals = [rival for _, rival in passed[1:] if rival is not None]
    findings = (*timing.findings, _told(verdict, verdicts), *_doubts(verdict, timing, rivals))
    return Timing(timing.clock, timing.table, timing.times, findings, timing.unused)


def settle(times: Float64s) -> Float64s:
    """Return times that start at 0, shape `(t,)` where all slices of a frame are taken as one.

    Parameters
    ----------
    times
        Seconds, shape `(z, t)`.

    Notes
    -----
    Slices count as simultaneous within 5 % of the median step.
    """
    step = float(np.median(np.diff(times, axis=1)))
    if np.ptp(times, axis=0).max() <= 0.05 * step:
        together: Float64s = times.mean(axis=0)
        return np.asarray(np.round(together - together[0], 6))
    return np.asarray(np.round(times - times.min(), 6))


def _carried(stack: Stack, clock: str) -> bool:
    return any(clock in image.clocks for members in stack.slices for image in members)


def _try(stack: Stack, clock: str) -> tuple[Verdict, Timing | None]:
    try:
        timing, doubts = _read(stack, clock)
    except (_Refused, NotAligned) as reason:
        return Verdict(clock, 2, str(reason)), None
    return Verdict(clock, 1 if doubts else 0, "; ".join(doubts) or "passed"), timing


def _read(stack: Stack, clock: str) -> tuple[Timing, list[str]]:
    values = _values(stack, clock)
    doubts = []
    present = np.isfinite(np.concatenate(values))
    if present.mean() < _ENOUGH:
        raise _Refused(f"only {present.sum()} of {present.size} images have it")
    if present.mean() < _MOST and not clock.startswith("FrameTimeVector"):  # else the run is cut to it
        doubts.append(f"{(~present).sum()} of {present.size} images lack it")
    kept = [_distinct(times, members) for times, members in zip(values, stack.slices, strict=True)]
    doubled = int(present.sum()) - sum(map(len, kept))
    if doubled > _FEW * present.sum():
        raise _Refused(_repeats(kept, values))
    sorted_times = [times[order] for times, order in zip(values, kept, strict=True)]
    if min(map(len, kept)) == 0:
        raise _Refused("a slice has no time at all")
    aligned = line_up(sorted_times)
    times, rounded = _unrounded(aligned.times)
    doubts += _implausible(times, stack.slices[0][0].kind.modality)
    if rounded:
        doubts.append("rounded to whole seconds")
    unused = {
        "without a time": int((~present).sum()),
        "a second image of one place and time": doubled,
        "between two frames": aligned.surplus,
    }
    return Timing(clock, _resolve(aligned, kept), times, _loose(unused, rounded), unused), doubts


def _values(stack: Stack, clock: str) -> list[Float64s]:
    """Return the clock's value of every image by slice [s], NaN where it has none."""
    by_slice = [np.array([image.clocks.get(clock, np.nan) for image in s], dtype=float) for s in stack.slices]
    if clock == "RTIA":
        scale = _timer_unit(by_slice, stack.slices[0][0])
        return [times * scale for times in by_slice]
    if clock.endswith(("Time", "DateTime")):
        carried = over_midnight(np.concatenate(by_slice))
        return np.split(carried, np.cumsum([len(times) for times in by_slice])[:-1])
    return by_slice


def _timer_unit(by_slice: Sequence[Float64s], image: Image) -> float:
    """Return the unit of GE's timer [s]: it is undocumented, so it must make the step the repetition time."""
    steps = np.concatenate([np.diff(np.unique(times[np.isfinite(times)])) for times in by_slice])
    repetition = (image.label.tr_ms or 0.0) / 1000.0
    for unit in (1.0, 1e-3, 1e-4):
        if steps.size and repetition and abs(float(np.median(steps)) * unit / repetition - 1) < 0.05:
            return unit
    raise _Refused("its unit cannot be told")


def _distinct(times: Float64s, members: Sequence[Image]) -> NDArray[np.intp]:
    """Return the images of a slice in order of time, one for each time (the lowest InstanceNumber)."""
    instance = np.array([image.source.instance for image in members])
    order = np.lexsort((instance, times))[: int(np.isfinite(times).sum())]
    fresh = np.r_[True, np.diff(times[order]) > _SAME_TIME_S] if order.size else np.zeros(0, dtype=bool)
    return np.asarray(order[fresh], dtype=np.intp)


def _repeats(kept: Sequence[NDArray[np.intp]], values: Sequence[Float64s]) -> str:
    most, images = max(map(len, kept)), max(map(len, values))
    if most == 1:
        return f"all {images} images of a slice share one time"
    return f"only {most} different times for {images} images of a slice"


def _resolve(aligned: Alignment, kept: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Turn numbers among the kept images into numbers among all images of a slice."""
    table = np.full_like(aligned.table, -1)
    for k, order in enumerate(kept):
        there = aligned.table[k] >= 0
        table[k, there] = order[aligned.table[k, there]]
    return table


def _unrounded(times: Float64s) -> tuple[Float64s, bool]:
    """Undo rounding down to whole seconds where the true clock was even.

    Steps that differ by one second and stay within one second of a straight line are those of an even
    clock that lost its fractions.
    """
    if (times != np.round(times)).any() or times.shape[1] < 4:
        return times, False
    steps = np.diff(times, axis=1)
    if np.ptp(steps) == 0 or (np.ptp(steps, axis=1) > 1).any():
        return times, bool(np.ptp(steps) > 0)
    index = np.arange(times.shape[1])
    middle = times.mean(axis=0)
    line = np.polynomial.Polynomial.fit(index, middle, 1)(index)
    if np.ptp(middle - line) > 1.0:
        return times, True
    offset = np.median(times - middle, axis=1, keepdims=True)
    return line + offset, True


def _implausible(times: Float64s, modality: Modality) -> list[str]:
    """Return doubts about the times of a clock.

    Raises
    ------
    _Refused
        If they cannot be the times of one passage of contrast.
    """
    if times.shape[1] < 2:
        raise _Refused("only one time")
    span = _XRAY if modality is Modality.XA else _USUAL
    steps = np.diff(times, axis=1)
    total, step = float((times[:, -1] - times[:, 0]).max()), float(np.median(steps))
    shared = float(times[:, -1].min() - times[:, 0].max())
    if shared < 0.5 * total:
        raise _Refused("slices were taken one group after another, not together")
    if total > span.hard_total or step < span.hard_step:
        raise _Refused(f"{times.shape[1]} times in {total:g} s cannot be one bolus")
    doubts = []
    if not span.total[0] <= total <= span.total[1]:
        doubts.append(f"a total of {total:.1f} s is unusual")
    if not span.step[0] <= step <= span.step[1]:
        doubts.append(f"a step of {step:.3g} s is unusual")
    return doubts


def _loose(unused: Mapping[str, int], rounded: bool) -> tuple[Finding, ...]:
    """Say what was done about images that fit no frame, and about rounding."""
    found = []
    if count := unused["a second image of one place and time"]:
        text = f"{count} images share place and time with another; the one numbered first was used."
        found.append(Finding("DOUBLED_FRAMES", Severity.WARN, text, count))
    if count := unused["without a time"]:
        text = f"{count} images have no time and were treated as missing."
        found.append(Finding("TIME_MISSING", Severity.WARN, text, count))
    if count := unused["between two frames"]:
        text = f"{count} images lie between the frames that most slices share, and were left out."
        found.append(Finding("EXTRA_IMAGES", Severity.WARN, text, count))
    if rounded:
        text = "Frame times are whole seconds; an even step was restored where it fits them."
        found.append(Finding("TIME_ROUNDED", Severity.WARN, text))
    return tuple(found)


def _told(winner: Verdict, verdicts: Sequence[Verdict]) -> Finding:
    others = "; ".join(f"{v.clock}: {v.reason}" for v in verdicts if v is not winner)
    text = f"Frame times come from {winner.clock}" + (f" ({others})." if others else ".")
    return Finding("CLOCK", Severity.INFO, text)


def _doubts(verdict: Verdict, timing: Timing, rivals: Sequence[Timing]) -> list[Finding]:
    found = []
    if verdict.grade:
        text = f"The times of {verdict.clock} are unusual: {verdict.reason}."
        found.append(Finding("TIME_UNUSUAL", Severity.WARN, text))
    if verdict.clock in GUESSED:
        text = f"{verdict.clock} may tell of reconstruction or display; check it, or give the step with --dt."
        found.append(Finding("TIME_GUESSED", Severity.WARN, text))
    if verdict.clock.endswith(IN_SECONDS):
        text = "The times between frames are too small to be milliseconds, and are taken as seconds."
        found.append(Finding("TIME_UNIT", Severity.WARN, text))
    mean = timing.times.mean(axis=0)
    steps = np.diff(timing.times, axis=1)
    step = float(np.median(steps))
    if np.ptp(steps) > 0.1 * step:
        text = (
            f"Steps between frames vary from {steps.min():.2f} to {steps.max():.2f} s (median {step:.2f} s)."
        )
        severity = Severity.WARN if steps.max() > 3 * step else Severity.INFO
        found.append(Finding("TIME_IRREGULAR", severity, text, float(steps.max())))
    for rival in rivals:
        if rival.clock in GUESSED or rival.times.shape != timing.times.shape:
            continue
        other = rival.times.mean(axis=0)
        apart = float(np.abs((mean - mean[0]) - (other - other[0])).max())
        if apart > 0.5 * step:
            text = f"{rival.clock} differs from {verdict.clock} by up to {apart:.2f} s; the latter is used."
            found.append(Finding("CLOCKS_DISAGREE", Severity.WARN, text, apart))
    return found


def _count(stack: Stack, dt_s: float, clocked: Timing | None, where: Path | str) -> Timing:
    """Give frames a fixed interval, in the order of a clock or else of a number."""
    ordered = clocked or _by_rank(stack, where)
    counted = np.tile(np.arange(ordered.table.shape[1]) * dt_s, (len(ordered.table), 1))
    text = f"Frame times are counted in steps of {dt_s:g} s as asked for, in the order of {ordered.clock}."
    told = Finding("TIME_GUESSED", Severity.WARN, text, dt_s)
    doubled = tuple(f for f in ordered.findings if f.code != "TIME_ROUNDED")
    return Timing(f"--dt {dt_s:g} s", ordered.table, counted, (*doubled, told), ordered.unused)


def _by_rank(stack: Stack, where: Path | str) -> Timing:
    for name in ("FrameNumber", *RANKS):
        by_slice = [np.array([i.ranks.get(name, np.nan) for i in s], dtype=float) for s in stack.slices]
        if not np.isfinite(np.concatenate(by_slice)).all():
            continue
        order = [np.argsort(ranks, kind="stable") for ranks in by_slice]
        ranks = [values[o] for values, o in zip(by_slice, order, strict=True)]
        if any((np.diff(values) <= 0).any() for values in ranks):
            continue
        try:
            aligned = line_up(ranks)
        except NotAligned:
            continue
        unused = {"between two frames": aligned.surplus}
        return Timing(name, _resolve(aligned, order), aligned.times, unused=unused)
    raise BadTimes(
        "nothing tells the order of the images in time",
        wanted="TemporalPositionIdentifier, AcquisitionNumber or InstanceNumber, different in every image",
        where=where,
        remedy="Send the series again from the scanner or the archive.",
    )


def _no_clock(stack: Stack, verdicts: Sequence[Verdict], where: Path | str) -> BadTimes:
    found = "; ".join(f"{v.clock}: {v.reason}" for v in verdicts) or "no time at all in the files"
    repetition = stack.slices[0][0].label.tr_ms
    hint = f" (RepetitionTime says {repetition / 1000:g} s)" if repetition and repetition > 100 else ""
    return BadTimes(
        "no clock of the series can be believed",
        wanted="a different, increasing time for every image of a slice",
        found=found,
        where=where,
        remedy=f"Give the frame interval in seconds with --dt{hint}.",
    )
