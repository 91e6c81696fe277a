"""Features of time curves: when they rise, peak and how wide they are. All take curves `(voxels, t)`."""

from __future__ import annotations

from math import ceil, isfinite

import numpy as np

from bolus.core.arrays import Curve, Curves, Float32s, Float64s


def arrival(curves: Curves, times: Float64s, *, fraction: float = 0.1) -> Float32s:
    """Find the bolus arrival time: the last crossing of a fraction of the peak before the peak.

    The search runs backwards from the peak, because a forward search trips on early noise, and
    interpolates linearly between frames.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`, baseline removed.
    times
        Seconds, shape `(t,)`.
    fraction
        Fraction of each curve's own peak.

    Returns
    -------
    Arrival [s], shape `(voxels,)`; the first time where a curve never lies below the level; NaN
    where it has no positive peak.
    """
    top = np.argmax(curves, axis=1)
    rows = np.arange(curves.shape[0])
    peak = curves[rows, top]
    level = (fraction * peak)[:, None]
    columns = np.arange(curves.shape[1])
    below = (curves < level) & (columns < top[:, None])
    last = curves.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)
    found = below.any(axis=1)
    last = np.where(found, last, 0)
    low, high = curves[rows, last], curves[rows, np.minimum(last + 1, curves.shape[1] - 1)]
    step = np.where(high > low, (level[:, 0] - low) / np.where(high > low, high - low, 1), 0.0)
    following = np.minimum(last + 1, curves.shape[1] - 1)
    when = times[last] + step * (times[following] - times[last])
    return np.where(peak > 0, np.where(found, when, times[0]), np.nan).astype(np.float32)


def bolus_start(curve: Curve) -> int:
    """Return the frame from which an evenly sampled arterial curve counts: two before its arrival.

    What lies earlier is baseline noise. The same frame bounds deconvolution and areas.

    Parameters
    ----------
    curve
        Shape `(t,)`, baseline removed.

    Returns
    -------
    Frame index; 0 where the curve has no positive peak.
    """
    frames = np.arange(curve.size, dtype=np.float64)
    when = float(arrival(np.asarray(curve)[None, :], frames)[0])
    return max(ceil(when - 2.0), 0) if isfinite(when) else 0


def vertex_offset(before: Float32s, top: Float32s, after: Float32s) -> Float32s:
    """Return where a parabola through three even samples peaks, in samples from the middle one.

    Bounded to half a sample; 0 where the three do not curve downwards.
    """
    curvature = before - 2 * top + after
    bent = curvature < 0
    offset = np.where(bent, 0.5 * (before - after) / np.where(bent, curvature, 1.0), 0.0)
    bounded: Float32s = np.clip(offset, -0.5, 0.5).astype(np.float32)
    return bounded


def time_to_peak(curves: Curves, times: Float64s) -> Float32s:
    """Find when each curve peaks, between frames by a parabola on an even clock.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`.
    times
        Seconds, shape `(t,)`, evenly stepped.

    Returns
    -------
    Time of the peak [s], shape `(voxels,)`; NaN where a curve has no positive peak.
    """
    top = np.argmax(curves, axis=1)
    rows = np.arange(curves.shape[0])
    last = curves.shape[1] - 1
    inner = (top > 0) & (top < last)
    before, after = curves[rows, np.maximum(top - 1, 0)], curves[rows, np.minimum(top + 1, last)]
    offset = np.where(inner, vertex_offset(before, curves[rows, top], after), 0.0)
    dt = float(np.diff(times).mean()) if times.size > 1 else 0.0
    return np.where(curves[rows, top] > 0, times[top] + offset * dt, np.nan).astype(np.float32)


def width_at_half(curves: Curves, times: Float64s) -> Float32s:
    """Measure the full width at half maximum around the peak, by linear interpolation.

    Returns
    -------
    Width [s], shape `(voxels,)`; a side that never falls to half counts to the end of the scan; NaN
    where a curve has no positive peak.
    """
    rise = arrival(curves, times, fraction=0.5)
    mirrored = arrival(curves[:, ::-1], (times[-1] - times)[::-1], fraction=0.5)
    return np.asarray(times[-1] - mirrored - rise, dtype=np.float32)


def area(curves: Curves, times: Float64s) -> Float32s:
    """Integrate each curve by trapezoids [unit of the curve times s], shape `(voxels,)`."""
    return np.asarray(curves @ trapezoid_weights(times).astype(curves.dtype), dtype=np.float32)


def trapezoid_weights(times: Float64s) -> Float64s:
    """Return the weight of each sample in an integral by trapezoids [s], shape `(t,)`."""
    steps = np.diff(times)
    weights: Float64s = 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))
    return weights


def first_moment(curves: Curves, times: Float64s) -> Float32s:
    """Return the mean time of each curve [s], shape `(voxels,)`; NaN where its area is not positive.

    Negative values count as 0 here: a first moment is a centre of mass.
    """
    mass = np.maximum(curves, 0.0)
    weights = trapezoid_weights(times)
    whole = mass @ weights.astype(mass.dtype)
    centre = mass @ (weights * times).astype(mass.dtype)
    return np.where(whole > 0, centre / np.where(whole > 0, whole, 1.0), np.nan).astype(np.float32)


def roughness(curves: Curves, times: Float64s) -> Float32s:
    """Return the integrated squared second derivative over the squared peak [1/s^3], shape `(voxels,)`."""
    dt = float(np.diff(times).mean())
    bend = np.diff(curves, n=2, axis=-1) / dt**2
    peak = np.maximum(curves.max(axis=-1), 1e-12)
    return np.asarray(np.sum(bend**2, axis=-1) * dt / peak**2, dtype=np.float32)


def tail(curves: Curves, *, n_last: int = 3) -> Float32s:
    """Return the mean of the last samples over the peak, shape `(voxels,)`: 0 for a washed-out bolus."""
    peak = np.maximum(curves.max(axis=-1), 1e-12)
    return np.asarray(curves[:, -n_last:].mean(axis=-1) / peak, dtype=np.float32)
