"""Flow from the steepest rise of tissue."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curve, Float64s, Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Estimate
from bolus.deconvolve.method import is_number
from bolus.deconvolve.peak import EARLIEST_S
from bolus.deconvolve.place import fetched
from bolus.deconvolve.problem import pose
from bolus.physics.features import bolus_start, vertex_offset

WINDOW_S: Final = 5.0
"""Usual span of one straight line [s]: about half a rise, so that noise falls and most of the slope stays."""


def slope(curves: Floats, aif: Curve, dt: float, /, *, window_s: float = WINDOW_S) -> Estimate:
    """Take flow from the greatest slope of tissue over the greatest height of the artery.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    window_s
        Span of samples that each slope is a straight line through [s], at least three frames.

    Returns
    -------
    Flow [1/s], and as Tmax the time of the steepest rise after that of the artery [s], shape `(voxels,)`;
    NaN where a curve is not finite or never rises. No transit time and no residue are found.

    Raises
    ------
    ShapeMismatch
        If curves and arterial curve differ in length.
    BadTimes
        If there are fewer than 8 frames, or `dt` is not positive.
    NoBolus
        If the arterial curve holds no bolus.
    BadRecipe
        If `window_s` is not positive.

    Notes
    -----
    The slope is that of the least-squares line through the samples nearby, sought from 5 s before the
    arterial curve counts to the peak of tissue, as drawn by the same lines. The method takes it that nothing
    has left the tissue by then, and underestimates flow where something has. Without noise and smoothing,
    0.57 of flow is left at MTT 3.4 s and 0.82 at 12 s (exponential residue); lines over 5 s leave 0.51 and
    0.76. In noise the greatest of many slopes is too great, most where flow is low: a wider window helps.

    References
    ----------
    Klotz and König, Eur J Radiol 30:170-184 (1999)

    Miles, Br J Radiol 64:409-412 (1991), doi:10.1259/0007-1285-64-761-409
    """
    problem = pose(fetched(curves), aif, dt)  # runs in memory
    lines = local_lines(problem.aif.size, _half_window(window_s, problem.dt))
    first = max(bolus_start(problem.aif) + int(EARLIEST_S / problem.dt), 0)
    rise, when = steepest(problem.curves, lines, first)
    _, arterial = steepest(problem.aif[None, :], lines, first)
    rises = rise > 0
    flow = rise / (problem.dt * problem.aif.max())
    return Estimate(
        flow=np.where(rises, flow, np.nan).astype(np.float32),
        tmax=np.where(rises, (when - arterial) * problem.dt, np.nan).astype(np.float32),
    )


def _half_window(window_s: float, dt: float) -> int:
    if not is_number(window_s) or not 0 < window_s < np.inf:
        raise BadRecipe("window_s is out of range", wanted="seconds above 0", found=repr(window_s))
    return max(round(0.5 * (window_s / dt - 1.0)), 1)


def local_lines(n: int, half: int) -> tuple[Float64s, Float64s]:
    """Return what gives height and slope of a line through each sample and its neighbours.

    Parameters
    ----------
    n
        Samples of a curve, t.
    half
        Neighbours on either side, fewer at the ends.

    Returns
    -------
    Two matrices of shape `(t, t)`; slopes are per frame.
    """
    at = np.arange(n, dtype=np.float64)
    near = (np.abs(at[:, None] - at) <= half).astype(np.float64)
    mean = near / near.sum(axis=1, keepdims=True)
    centre = mean @ at
    arm = (at - centre[:, None]) * near
    slopes = arm / np.sum(arm**2, axis=1, keepdims=True)
    return mean + slopes * (at - centre)[:, None], slopes


def steepest(curves: Floats, lines: tuple[Float64s, Float64s], first: int) -> tuple[Float64s, Float64s]:
    """Find the greatest slope per frame before the peak, and when it is [frames]; NaN for no numbers."""
    # infinite samples make invalid products; their voxels come out as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        heights, slopes = (curves.astype(np.float64) @ line.T for line in lines)
    rows, last = np.arange(len(curves)), curves.shape[1] - 1
    peak = first + np.argmax(heights[:, first:], axis=1)
    top = first + np.argmax(np.where(_until(peak, first, last), slopes[:, first:], -np.inf), axis=1)
    before, after = slopes[rows, np.maximum(top - 1, 0)], slopes[rows, np.minimum(top + 1, last)]
    with np.errstate(invalid="ignore"):
        offset = vertex_offset(before, slopes[rows, top], after)
    known = np.isfinite(slopes).all(axis=1)
    return np.where(known, slopes[rows, top], np.nan), top + offset.astype(np.float64)


def _until(peak: NDArray[np.intp], first: int, last: int) -> NDArray[np.bool_]:
    """Mark the frames from `first` to each peak, shape `(voxels, frames)`."""
    return np.arange(first, last + 1) <= peak[:, None]
