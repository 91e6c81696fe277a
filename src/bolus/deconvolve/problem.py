"""The question put to a method: checked tissue curves, a usable arterial curve, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Curve, Float64s, Floats
from bolus.core.errors import BadTimes, NoBolus, ShapeMismatch
from bolus.deconvolve.place import is_here
from bolus.physics.features import bolus_start

MIN_FRAMES: Final = 8
"""Fewer samples cannot hold a baseline, a passage and a tail."""
MAX_RAGGEDNESS: Final = 0.75
"""White noise has 1, any bolus sampled at 3 s or faster less than 0.6 (see `raggedness`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Curves and arterial curve that can be deconvolved.

    Parameters
    ----------
    curves
        Float32 or float64, C order, shape `(voxels, t)`.
    aif
        Arterial curve, zero before the bolus, shape `(t,)`.
    dt
        Frame interval [s].
    """

    curves: Floats
    aif: Float64s
    dt: float


def pose(curves: Any, aif: Any, dt: float) -> Problem:
    """Check the input of a method and bring it into the types that the arithmetic wants.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`, any real type; float64 stays float64, all else becomes float32. Curves on a
        device stay there.
    aif
        Shape `(t,)`.
    dt
        Frame interval [s].

    Raises
    ------
    ShapeMismatch
        If the curves and the arterial curve do not belong together.
    BadTimes
        If there are fewer than 8 frames or the interval is not positive.
    NoBolus
        If the arterial curve holds no passage of contrast.
    """
    rows = np.asarray(curves) if is_here(curves) else curves
    if rows.ndim != 2:
        raise ShapeMismatch("the curves are not a matrix", wanted="(voxels, t)", found=str(tuple(rows.shape)))
    n_frames = rows.shape[1]
    _check_clock(n_frames, dt)
    if not is_here(rows):
        return Problem(rows, usable_aif(aif, n_frames), float(dt))
    is_double = rows.dtype.newbyteorder("=") == np.float64  # the byte order of a file must not matter
    kind = np.float64 if is_double else np.float32
    return Problem(np.ascontiguousarray(rows, dtype=kind), usable_aif(aif, n_frames), float(dt))


def _check_clock(n_frames: int, dt: float) -> None:
    if n_frames < MIN_FRAMES:
        raise BadTimes(
            "too few time points to deconvolve", wanted=f"at least {MIN_FRAMES}", found=str(n_frames)
        )
    if not isfinite(dt) or dt <= 0:
        raise BadTimes("the frame interval is not positive", wanted="seconds above 0", found=f"{dt:g} s")


def usable_aif(aif: Curve, n_frames: int) -> Float64s:
    """Return the arterial curve with its baseline noise set to 0.

    Samples more than two frames before the arrival hold no contrast, only noise that every voxel
    would be divided by. Negative samples later on stay: cutting them would bias the area.

    Parameters
    ----------
    aif
        Shape `(n_frames,)`.

    Raises
    ------
    ShapeMismatch
        If it is shorter or longer than the tissue curves.
    NoBolus
        If it is not finite, never positive, highest in the first frame, or noise only.
    """
    curve = np.array(aif, dtype=np.float64)
    if curve.shape != (n_frames,):
        raise ShapeMismatch(
            "the arterial curve and the tissue curves differ in length",
            wanted=f"({n_frames},)",
            found=str(curve.shape),
            remedy="Sample both on the same clock.",
        )
    _check_bolus(curve)
    curve[: bolus_start(curve)] = 0.0
    if curve.sum() <= 0:
        raise NoBolus(
            "the area of the arterial curve is not positive",
            wanted="contrast above the level before it came",
            found=f"{curve.sum():g}",
            remedy="The scan began after contrast came, or this is not an artery: give one with --aif.",
        )
    return curve


def _check_bolus(curve: Float64s) -> None:
    remedy = "Choose another artery, or check the baseline."
    if not np.isfinite(curve).all():
        raise NoBolus("the arterial curve holds samples that are not numbers", remedy=remedy)
    top = int(np.argmax(curve))
    if curve[top] <= 0:
        raise NoBolus(
            "the arterial curve never rises", wanted="a positive peak", found=f"{curve[top]:g}", remedy=remedy
        )
    if top == 0:
        raise NoBolus(
            "the arterial curve peaks in the first frame",
            wanted="frames before the bolus",
            remedy="The scan began after the bolus, or this is not an artery.",
        )
    if raggedness(curve) > MAX_RAGGEDNESS:
        raise NoBolus(
            "the arterial curve is noise",
            wanted=f"a raggedness of at most {MAX_RAGGEDNESS}",
            found=f"{raggedness(curve):.2f}",
            remedy=remedy,
        )


def raggedness(curve: Float64s) -> float:
    """Return half the mean squared step over the variance: 1 for white noise, near 0 for a smooth curve.

    References
    ----------
    von Neumann, Ann Math Stat 12:367-395 (1941), doi:10.1214/aoms/1177731677
    """
    spread = float(np.var(curve))
    return float(np.mean(np.diff(curve) ** 2)) / (2 * spread) if spread > 0 else 0.0


def sharpened(aif: Float64s) -> Float64s:
    """Make up for the blur of a curve `(t,)` that is drawn with lines between its samples.

    Lines between samples blur a smooth curve by a triangle as wide as two frames, whose variance is a sixth
    of a squared frame. Taking away a twelfth of the second difference restores area, mean and variance.
    """
    padded = np.concatenate([[0.0], aif, [aif[-1]]])
    sharp: Float64s = aif - np.diff(padded, n=2) / 12.0
    return sharp
