"""Stored X-ray pixels to line integrals of attenuation, in which contrast raises the value."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Frames
from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Severity
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.core.xray import Relationship, XRay
from bolus.physics.noise import noise_sd
from bolus.tracer.thumbnail import seen, shrink

Conversion: TypeAlias = Callable[[Float32s], Float32s]
"""Stored values to density [nat], elementwise."""

LOG_SPAN_NAT: Final = {True: 2.73, False: 5.85}
"""What the whole stored range of logarithmic pixels is taken to span [nat], subtracted or not. A subtracted
internal carotid (0.65 nat) then takes a quarter of the range; an unsubtracted head needs the wider span."""
_FLAT: Final = 0.02
"""Spread of a frame, as a share of the range of all, below which its background has been subtracted."""
_CLEAR_CHANGE: Final = 6.0
"""Change of the mean over its noise that counts as much as a skewness of 1."""
_BRIGHT, _BRIGHT_LINEAR, _SURE = 1.0, 2.0, 1.5
"""Sum of the two from which vessels are bright; the same in pixels that are said to be linear in the beam,
where they should be dark; and from which either sign is sure."""
_SMOOTH_PX: Final = 7
"""Box that small frames are averaged over before skewness: bone that moves is dark beside bright."""
_DARKEST: Final = 0.5
"""Least beam intensity [stored steps]: a logarithm needs one."""
_WORKERS: Final = 2
_BLOCK: Final = 32


@dataclass(frozen=True, slots=True)
class Reading:
    """How the stored values of a run are to be read.

    Parameters
    ----------
    sign
        +1: contrast lowers stored values; -1: raises them.
    subtracted
        Whether the background has been taken off.
    linear
        Whether values are proportional to the beam, and not to its logarithm.
    """

    sign: Literal[-1, 1]
    subtracted: bool
    linear: bool


def to_density(series: Series) -> Series:
    """Convert the stored pixels of an X-ray run to line integrals; contrast raises them.

    ``-ln(I / I_full)`` of linear pixels; logarithmic ones are scaled and turned, since they are proportional
    to it already. The sign comes from (0028,1041); where the file says nothing, from the pixels:
    whether their mean, and those that change most (skewness), become darker or brighter while contrast
    passes; where that is not clear, vessels are taken for dark. Photometric interpretation is about display
    and decides nothing.

    Parameters
    ----------
    series
        An X-ray run as read, shape `(x, y, 1, t)`, unit a.u.

    Returns
    -------
    The run in nat, float32, not yet subtracted. `acquisition.xray` says `subtracted` yes or no where the
    file did not: frames whose spread is below 2 % of the range have no anatomy left in them. Findings:
    `NONQUANT` where pixels are processed, unknown, or linear though subtracted, and are taken for
    logarithmic; `DENSITY_NOMINAL` where pixels are logarithmic, since no attribute gives their scale;
    `SIGN_GUESSED` where the pixels told the sign.

    Raises
    ------
    BadInput
        If the series is no X-ray run, or its pixels never change.

    Notes
    -----
    Ratios of densities, and so all maps, do not depend on the scale of logarithmic pixels.

    References
    ----------
    PS3.3 C.8.7.1.1.2, C.8.19.2.1.1; Crummy et al., AJR 135:1131-1140 (1980), doi:10.2214/ajr.135.6.1131
    """
    beam = _beam(series)
    if np.ndim(series.slope) or np.ndim(series.intercept):
        values = np.stack([series.frame(t) for t in range(series.n_frames)], axis=-1)
        series = replace(series, frames=values, slope=1.0, intercept=0.0)
    reading, noticed = _read(series, beam)
    frames = _converted(series, _conversion(series, beam, reading))
    told = replace(beam, subtracted=reading.subtracted, sign=reading.sign)
    kind = "linear" if reading.linear else "logarithmic"
    turned = "dark" if reading.sign > 0 else "bright"
    return series.with_frames(
        frames,
        f"tracer: density of {kind} pixels, vessels {turned}",
        unit=Unit.NAT,
        acquisition=replace(series.acquisition, xray=told),
        findings=(*series.findings, *noticed),
    )


def _beam(series: Series) -> XRay:
    if series.modality is not Modality.XA or series.unit is not Unit.SIGNAL:
        raise BadInput(
            "only an X-ray run as read can be turned into density",
            wanted="modality XA, unit a.u.",
            found=f"modality {series.modality}, unit {series.unit}",
            remedy="Give the run as bolus.load returns it.",
        )
    return series.acquisition.xray or XRay()


def _read(series: Series, beam: XRay) -> tuple[Reading, list[Finding]]:
    """Decide how to read the pixels, from what the file says and else from the pixels."""
    small = shrink(series.frames)
    inside = seen(small)
    if not inside.any():
        raise BadInput(
            "the pixels of the X-ray run never change",
            wanted="a passage of contrast",
            found=f"{series.n_frames} frames alike",
            remedy="Choose another run with --series; bolus info lists them.",
        )
    curves = small[inside]
    subtracted = is_flat(curves) if beam.subtracted is None else beam.subtracted
    linear = beam.relationship is Relationship.LINEAR and not subtracted
    noticed = list(_doubts(beam, subtracted, linear))
    if beam.sign:
        return Reading(beam.sign, subtracted, linear), noticed
    sign, finding = _sign(small, inside, _BRIGHT_LINEAR if linear else _BRIGHT)
    return Reading(sign, subtracted, linear), [*noticed, finding]


def _sign(small: Float32s, inside: NDArray[np.bool_], enough: float) -> tuple[Literal[-1, 1], Finding]:
    """Tell from the pixels whether contrast lowers (+1) or raises (-1) stored values.

    Two things tell: which way the mean of the field goes, and which way the pixels go that go farthest.
    Bone that moves makes one side darker and the other brighter, which cancels out in the first and nearly
    in the second. Where they do not come to `enough` together, vessels are dark, as they are in most files.
    """
    drift, skew = mean_change(small[inside]), skewness(small, inside)
    score = drift / _CLEAR_CHANGE + skew
    brighter = score > enough
    text = (
        f"The file does not say whether vessels are dark or bright; they are taken for "
        f"{'bright' if brighter else 'dark'} (change of the mean over its noise {drift:.0f}, skewness of "
        f"pixels {skew:.1f})."
    )
    severity = Severity.INFO if abs(score) > _SURE else Severity.WARN
    return (-1 if brighter else 1), Finding("SIGN_GUESSED", severity, text, score)


def _doubts(beam: XRay, subtracted: bool, linear: bool) -> tuple[Finding, ...]:
    if linear:
        return ()
    if beam.relationship is Relationship.LOGARITHMIC:
        text = (
            "No attribute gives the scale of logarithmic pixels: densities in nat are nominal. "
            "Maps are ratios and do not depend on it."
        )
        return (Finding("DENSITY_NOMINAL", Severity.INFO, text),)
    if beam.relationship is Relationship.LINEAR and subtracted:
        why = "are subtracted, though said to be linear in the beam"
    elif beam.relationship is Relationship.PROCESSED:
        why = "were processed for display"
    else:
        why = "stand to the beam in a way that the file does not say"
    text = f"The pixels {why}: they are taken for logarithmic, and CBV and CBF may not be proportional."
    return (Finding("NONQUANT", Severity.WARN, text),)


def is_flat(curves: Float32s) -> bool:
    """Tell whether a run is subtracted already: its flattest frame has no anatomy.

    Parameters
    ----------
    curves
        Imaged pixels of a small run, shape `(pixels, t)`.
    """
    low, high = np.percentile(curves[:, 1:], [0.5, 99.5])
    return bool(spread(curves).min() < _FLAT * (high - low))


def spread(curves: Float32s) -> Float32s:
    """Return the spread of each frame over the pixels, half of 16 to 84 %, shape `(t,)`."""
    low, high = np.percentile(curves, [16, 84], axis=0)
    return np.asarray(0.5 * (high - low), dtype=np.float32)


def mean_change(curves: Float32s) -> float:
    """Return how far the mean of all pixels goes from its start, over its noise from frame to frame.

    Parameters
    ----------
    curves
        Imaged pixels of a small run, shape `(pixels, t)`. The very first frame, whose exposure often differs,
        does not count where there are enough others.
    """
    mean = curves[:, 1 if curves.shape[1] > 5 else 0 :].mean(axis=0, dtype=np.float64)
    apart = mean - np.median(mean[:3])
    noise = float(noise_sd(mean[None].astype(np.float32))[0])
    return float(apart[np.argmax(np.abs(apart))]) / max(noise, 1e-6 * float(np.abs(mean).max()), 1e-12)


def skewness(small: Float32s, inside: NDArray[np.bool_]) -> float:
    """Return the skewness over the field of how far each pixel goes from its start, at its farthest.

    Parameters
    ----------
    small
        A small run, shape `(m, n, t)`, stored values.
    inside
        Which pixels are imaged, shape `(m, n)`.
    """
    level = small - np.median(small[inside], axis=0)
    curves = ndimage.uniform_filter(level, size=(_SMOOTH_PX, _SMOOTH_PX, 1), mode="nearest")[inside]
    apart = curves - np.median(curves[:, :3], axis=1, keepdims=True)
    farthest = np.take_along_axis(apart, np.abs(apart).argmax(axis=1)[:, None], axis=1).astype(np.float64)
    farthest -= np.median(farthest)
    size = float(farthest.std()) ** 3
    return float(np.mean(farthest**3)) / size if size > 0 else 0.0


def mode(values: Float32s) -> float:
    """Return the most frequent value of an array of any shape, to a 256th of its range."""
    low, high = np.percentile(values, [0.1, 99.9])
    if not high > low:
        return float(low)
    counts, edges = np.histogram(values, bins=256, range=(float(low), float(high)))
    smooth = np.convolve(counts, np.ones(3), mode="same")
    top = int(np.argmax(smooth))
    near = values[(values >= edges[max(top - 1, 0)]) & (values <= edges[min(top + 2, 256)])]
    return float(near.mean(dtype=np.float64))


def _conversion(series: Series, beam: XRay, reading: Reading) -> Conversion:
    full = beam.full_scale
    if not reading.linear:
        step = LOG_SPAN_NAT[reading.subtracted] / full
        return partial(_logarithmic, step=step, full=full, turned=reading.sign > 0)
    slope, intercept = float(np.mean(series.slope)), float(np.mean(series.intercept))
    return partial(_linear, scale=(slope, intercept), full=full, turned=reading.sign < 0)


def _logarithmic(stored: Float32s, step: float, full: float, turned: bool) -> Float32s:
    raised = full - stored if turned else stored
    return np.asarray(raised * np.float32(step), dtype=np.float32)


def _linear(stored: Float32s, scale: tuple[float, float], full: float, turned: bool) -> Float32s:
    slope, intercept = scale
    whole = abs(slope) * full + intercept
    beam = slope * (full - stored if turned else stored) + intercept
    return np.asarray(np.log(whole / np.maximum(beam, _DARKEST * abs(slope))), dtype=np.float32)


def _converted(series: Series, convert: Conversion) -> Float32s:
    """Convert all frames, two blocks at a time; 16-bit integers through a table of all their values."""
    out = np.empty(series.frames.shape, dtype=np.float32)
    table = _table(series.frames.dtype, convert)

    def put(x: int) -> None:
        block: Frames = series.frames[x : x + _BLOCK]
        if table is None:
            out[x : x + _BLOCK] = convert(block.astype(np.float32))
        else:
            np.take(table, block.view(np.uint16), out=out[x : x + _BLOCK], mode="clip")

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(put, range(0, len(out), _BLOCK)))
    return out


def _table(kind: np.dtype[np.generic], convert: Conversion) -> NDArray[np.float32] | None:
    """Return the density of every 16-bit pattern, None for other kinds of numbers."""
    if kind not in {np.dtype(np.int16), np.dtype(np.uint16)}:
        return None
    return convert(np.arange(2**16, dtype=np.uint16).view(kind).astype(np.float32))
