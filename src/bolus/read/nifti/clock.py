"""When the frames of a NIfTI file were taken, by its sidecar or its header."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float64s, Times
from bolus.core.errors import BadTimes
from bolus.core.finding import Finding, Severity
from bolus.read.nifti.header import StoredImage
from bolus.read.nifti.sidecar import Sidecar, number, text
from bolus.read.options import ReadOptions

_STEP_S: Final = (0.1, 20.0)  # a frame interval outside is in another unit, or not one
_LISTED_S: Final = (0.02, 90.0)  # the same where each time is told: those of X-ray runs and of slow scans too
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_FRAME_LISTS: Final = ("FrameTimesStart", "VolumeTiming")
_ASK: Final = "Give the frame interval with --dt."


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """When each frame was taken.

    Parameters
    ----------
    times
        Seconds since the first sample, shape `(t,)`, or `(slices, t)` along a stored axis.
    axis
        The stored axis that `(slices, t)` runs along; None where all slices share one clock.
    source
        Where the times came from, in words for the report.
    findings
        What was guessed.
    """

    times: Times
    axis: int | None
    source: str
    findings: tuple[Finding, ...] = ()


def clock_of(image: StoredImage, sidecar: Sidecar, options: ReadOptions) -> Clock:
    """Find the frame times, from what is trusted most to what is trusted least.

    The order: `options.dt_s`; `SliceTimes` (z by t); `FrameTimesStart`; `VolumeTiming`;
    `FrameDuration` as a list; `RepetitionTime`; `pixdim[4]`. `SliceTiming` is added to any of them but
    the first two.

    Raises
    ------
    BadTimes
        If nothing tells the times, or what tells them cannot be true.
    """
    n_frames = image.shape[3]
    if options.dt_s is not None:
        return Clock(_even(n_frames, options.dt_s), None, "--dt")
    if "SliceTimes" in sidecar:
        return _per_slice(image, sidecar)
    for key in _FRAME_LISTS:
        if key in sidecar:
            return _with_slices(_listed(sidecar, key, image), image, sidecar)
    if isinstance(sidecar.get("FrameDuration"), list):
        return _with_slices(_listed(sidecar, "FrameDuration", image), image, sidecar)
    step, source, findings = _step(image, sidecar)
    return _with_slices(Clock(_even(n_frames, step), None, source, findings), image, sidecar)


def _even(n_frames: int, step: float) -> Times:
    return np.arange(n_frames, dtype=np.float64) * step


def _from_zero(times: Float64s) -> Times:
    return np.asarray(times - times.min(), dtype=np.float64)


def _numbers(sidecar: Sidecar, key: str, shape: tuple[int, ...], path: Path) -> Float64s:
    """Return an array of finite, increasing times (or positive durations) of the sidecar."""
    try:
        array = np.array(sidecar[key], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        array = np.full(1, np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise BadTimes(
            f"{key} of the sidecar does not fit the frames",
            wanted=" x ".join(map(str, shape)) + " numbers [s]",
            found=" x ".join(map(str, array.shape)) + " values, or some that are no numbers",
            where=path,
            remedy=_ASK,
        )
    steps = array if key == "FrameDuration" else np.diff(array, axis=-1)
    if (steps <= 0).any():
        raise BadTimes(
            f"{key} of the sidecar does not increase",
            found=f"a step of {steps.min():g} s",
            where=path,
            remedy=_ASK,
        )
    return array


def _listed(sidecar: Sidecar, key: str, image: StoredImage) -> Clock:
    """Return the clock of a list with one number a frame, times or durations."""
    times = _numbers(sidecar, key, (image.shape[3],), image.path)
    if key == "FrameDuration":
        times = np.concatenate([[0.0], np.cumsum(times[:-1])])
    return _in_seconds(times, None, key, image.path)


def _per_slice(image: StoredImage, sidecar: Sidecar) -> Clock:
    axis, is_reversed = _slice_axis(sidecar)
    times = _numbers(sidecar, "SliceTimes", (image.shape[axis], image.shape[3]), image.path)
    return _in_seconds(times[::-1] if is_reversed else times, axis, "SliceTimes", image.path)


def _in_seconds(times: Float64s, axis: int | None, key: str, path: Path) -> Clock:
    """Return the clock of listed times [s], which some tools write in milliseconds.

    Raises
    ------
    BadTimes
        If in no unit the usual step can be that of a series.
    """
    if times.shape[-1] < 2:
        return Clock(_from_zero(times), axis, f"sidecar {key}")
    step = float(np.median(np.diff(times, axis=-1)))
    judged = _judged(step, "s", _LISTED_S)
    if judged is None:
        raise BadTimes(
            f"{key} of the sidecar cannot be the times of frames",
            wanted=f"steps of {_LISTED_S[0]:g}-{_LISTED_S[1]:g} s",
            found=f"a usual step of {step:g}",
            where=path,
            remedy=_ASK,
        )
    seconds, is_guess = judged
    findings: tuple[Finding, ...] = ()
    if is_guess:
        text = f"{key} of the sidecar is not in seconds: a step of {seconds:g} s was assumed. Check it."
        findings = (Finding("TIME_GUESSED", Severity.WARN, text, seconds),)
    return Clock(_from_zero(times * (seconds / step)), axis, f"sidecar {key}", findings)


def _slice_axis(sidecar: Sidecar) -> tuple[int, bool]:
    """Return the stored axis of the slices and whether their list runs against it (BIDS: k unless said)."""
    direction = text(sidecar, "SliceEncodingDirection") or "k"
    return {"i": 0, "j": 1}.get(direction[0], 2), direction.endswith("-")


def _with_slices(clock: Clock, image: StoredImage, sidecar: Sidecar) -> Clock:
    """Add the offsets of `SliceTiming` to a shared clock, where they can be true."""
    if "SliceTiming" not in sidecar:
        return clock
    axis, is_reversed = _slice_axis(sidecar)
    step = float(np.diff(clock.times).min())
    offsets = _offsets(sidecar["SliceTiming"], image.shape[axis], step)
    if offsets is None:
        unused = (
            "SliceTiming of the sidecar does not fit the slices or the interval: one clock for all slices."
        )
        finding = Finding("SLICE_TIMES_UNUSED", Severity.WARN, unused)
        return Clock(clock.times, None, clock.source, (*clock.findings, finding))
    if np.ptp(offsets) == 0:
        return clock
    offsets = offsets[::-1] if is_reversed else offsets
    times = clock.times[None, :] + offsets[:, None]
    return Clock(_from_zero(times), axis, f"{clock.source} and SliceTiming", clock.findings)


def _offsets(values: Any, n_slices: int, step: float) -> Float64s | None:
    """Return slice offsets [s]; old dcm2niix wrote them in ms."""
    try:
        offsets = np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if offsets.shape != (n_slices,) or not np.isfinite(offsets).all() or offsets.min() < 0:
        return None
    last = float(offsets.max())
    if last <= step * 1.01:
        return offsets
    return offsets * 1e-3 if 0.1 * step <= last * 1e-3 <= step * 1.01 else None


def _step(image: StoredImage, sidecar: Sidecar) -> tuple[float, str, tuple[Finding, ...]]:
    """Choose one frame interval [s] from `RepetitionTime` and `pixdim[4]`."""
    told = _judged(number(sidecar, "RepetitionTime"), "s")
    in_header = None if image.is_bare or image.step_unit is None else _judged(image.step, image.step_unit)
    chosen = told or in_header
    if chosen is None:
        raise BadTimes(
            "nothing tells when the frames were taken",
            wanted="RepetitionTime, FrameTimesStart or VolumeTiming in a JSON sidecar, or pixdim[4]",
            found=f"pixdim[4] = {image.step:g} {image.step_unit or '(no unit)'}",
            where=image.path,
            remedy=_ASK,
        )
    step, is_guess = chosen
    source = "sidecar RepetitionTime" if told else "pixdim[4]"
    lost = f"Only one interval ({step:g} s) is known; uneven timing would have been lost in conversion."
    findings = [Finding("TIME_FROM_TR", Severity.INFO, lost, step)]
    if is_guess:
        guess = f"The unit of {source} is missing or wrong; {step:g} s was assumed. Check it, or give --dt."
        findings.append(Finding("TIME_GUESSED", Severity.WARN, guess, step))
    elif told and in_header and not in_header[1] and abs(in_header[0] / step - 1) > 0.02:
        rival = f"RepetitionTime {step:g} s was used though pixdim[4] says {in_header[0]:g} s; --dt decides."
        findings.append(Finding("TIME_GUESSED", Severity.WARN, rival, step))
    return step, source, tuple(findings)


def _judged(
    value: float | None, unit: str, limits: tuple[float, float] = _STEP_S
) -> tuple[float, bool] | None:
    """Return an interval in seconds and whether its unit was guessed; None where no unit fits."""
    if value is None or not isfinite(value):
        return None
    for candidate in dict.fromkeys((unit, "s", "ms", "us")):
        if candidate and limits[0] <= value * _SECONDS[candidate] <= limits[1]:
            return value * _SECONDS[candidate], candidate != unit
    return None
