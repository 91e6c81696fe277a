"""What the network of `--method net` sees of a slice, and how its answer becomes flow and times.

Beside the curves it sees what physics makes of them (`bolus.learn.first_guess`). Tissue curves enter over
the area of the arterial curve and over the median volume of tissue in the scan, and answers are multiplied by
it: where all tissue enhances `k` times as much, CBF and CBV are `k` times as large, exactly, and times stay.
No image of the anatomy is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Curve, Float32s, Float64s, Mask
from bolus.core.errors import NoBolus
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.problem import usable_aif
from bolus.physics.features import arrival, width_at_half

STEP_S: Final = 1.25
N_SAMPLES: Final = 48
BEFORE_S: Final = 5.0
"""The network's clock: 48 samples of 1.25 s, from 5 s before the arterial curve rises."""
LAGS_S: Final[Float64s] = -3.0 + 1.5 * np.arange(24, dtype=np.float64)
"""Lags of the residue that it is shown beside the curve [s]."""
STRENGTH: Final = 0.1
"""Regularisation of that residue, over the largest singular value of the convolution."""
WIDTH_S: Final = 10.0
RATE_S: Final = 5.0
"""Usual widths of a bolus and a passage [s], which bring curves and residues near 1."""
LARGEST: Final = 10.0
"""What is shown of vessels ends here."""
N_TOKEN: Final = 35
N_GUESS: Final = 17
"""What is shown of the answer of physics, see `bolus.learn.first_guess`."""
GUESS_AT: Final = N_SAMPLES + 2 * LAGS_S.size
"""Where that begins."""
CHANNELS: Final = GUESS_AT + N_GUESS + 1 + N_TOKEN
SEEN_S: Final = 62.0
"""Frames later than this after the arterial curve rises are left out: the clock ends before."""

OUTPUTS: Final = ("CBF", "CBV", "MTT", "Tmax", "delay", "TTP")
GUESSED: Final = OUTPUTS[:5]
"""Answers that physics gives as well."""
SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {"MTT": 10.0, "Tmax": 10.0, "delay": 10.0, "TTP": 20.0}
)
"""What an answer of 1 stands for [s]; TTP counts from the arrival of the arterial curve."""


def cut(contrast: Concentration, aif: VesselCurve) -> tuple[Concentration, VesselCurve]:
    """Leave out of tissue and artery what the network's clock does not reach.

    So scans that go on for long are seen as those that end when it does; see `SEEN_S`.
    """
    rise = float(arrival(aif.values[None].astype(np.float32), aif.times)[0])
    n = int(np.searchsorted(aif.times, rise + SEEN_S, side="right")) if isfinite(rise) else aif.times.size
    if n >= aif.times.size:
        return contrast, aif
    shorter = replace(contrast, curves=contrast.curves[:, :n], times=contrast.times[:n])
    return shorter, replace(aif, times=aif.times[:n], values=aif.values[:n])


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """An arterial curve on the network's clock, and what leads there.

    Parameters
    ----------
    weights
        From samples of the scan to those of the network, shape `(48, t)`.
    artery
        Over its area, shape `(48,)` [1/s].
    valid
        Whether the scan holds a sample, shape `(48,)`.
    area
        Under the arterial curve within the clock [its unit times s].
    residue
        From a curve on the clock, over the area, to its residue at `LAGS_S` [1/s], shape `(24, 48)`.
    forward
        Back from the residue to the curve, shape `(48, 24)`.
    about
        What a scan is like, by name: `dt_s`, `after_s` (from arrival to the end), `width_s` (of the artery at
        half height) and `tail` (end over peak).
    arrival_s
        Of the arterial curve, on the scan's clock.
    """

    weights: Float64s
    artery: Float64s
    valid: Mask
    area: float
    residue: Float64s
    forward: Float64s
    about: Mapping[str, float]
    arrival_s: float


def clock_of(aif: Curve, times: Float64s) -> Clock:
    """Put an arterial curve on the network's clock.

    Parameters
    ----------
    aif, times
        Samples and seconds on an even grid, shape `(t,)`.

    Raises
    ------
    NoBolus
        If the curve holds no bolus.
    """
    curve = usable_aif(aif, times.size)
    dt = float(np.diff(times).mean())
    rise = float(arrival(curve[None].astype(np.float32), times)[0])
    grid: Float64s = rise - BEFORE_S + STEP_S * np.arange(N_SAMPLES, dtype=np.float64)
    weights = _weights(grid, times, dt)
    valid = grid <= times[-1] + 0.5 * dt
    sampled = weights @ curve
    area = float(STEP_S * sampled.sum())
    if not (isfinite(area) and area > 0):
        raise NoBolus("the arterial curve has no area", remedy="Choose another artery.")
    forward = _convolution(curve / area, times, grid, dt) * valid[:, None]
    width = float(width_at_half(curve[None].astype(np.float32), times)[0])
    about = {
        "dt_s": dt,
        "after_s": float(times[-1]) - rise,
        "width_s": width,
        "tail": float(curve[-3:].mean() / curve.max()),
    }
    return Clock(weights, sampled / area, valid, area, _inverse(forward), forward, about, rise)


def measure(curves: Float32s, clock: Clock) -> tuple[float, float]:
    """Return the median volume of tissue [no unit], and the noise of a sample on the clock near 1.

    Parameters
    ----------
    curves
        Contrast of tissue, shape `(voxels, t)`, finite.
    clock
        Of the arterial curve in the same unit.

    Returns
    -------
    Both 0 where no tissue enhances. The noise is what a curve has left over beside its residue's, as the
    median over voxels of the root mean square; it holds what one residue cannot describe as well.
    """
    if not len(curves):
        return 0.0, 0.0
    on_clock = curves @ (clock.weights.T / clock.area).astype(np.float32)
    scale = float(np.median(STEP_S * on_clock.sum(axis=1)))
    if not scale > 0:
        return 0.0, 0.0
    both = (clock.residue.T @ clock.forward.T).astype(np.float32)
    left = (on_clock - on_clock @ both)[:, clock.valid]
    return scale, float(np.median(np.sqrt(np.mean(left**2, axis=1)))) * WIDTH_S / scale


def features_of(curves: Float32s, raw: Float32s, clock: Clock, scale: float) -> Float32s:
    """Return what is shown of curves before (`raw`) and after the noise filter, shape `(voxels, 96)`.

    Both are of shape `(voxels, t)`, `scale` is from `measure`. Raw curves, which no filter blurs, are shown
    by their residues; where they have no numbers, by 0.
    """
    to_clock = (clock.weights.T / (clock.area * scale)).astype(np.float32)
    to_residue = (RATE_S * clock.residue.T).astype(np.float32)
    on_clock = curves @ to_clock
    parts = [
        on_clock * np.float32(WIDTH_S),
        on_clock @ to_residue,
        np.nan_to_num(raw) @ (to_clock @ to_residue),
    ]
    return np.asarray(np.clip(np.concatenate(parts, axis=1), -LARGEST, LARGEST), dtype=np.float32)


def token_of(clock: Clock, spacing_mm: float, noise: float, learned: Float32s) -> Float32s:
    """Return what all voxels share, shape `(35,)`.

    The arterial curve every 2.5 s, five numbers near 1, and what physics learned from the scan
    (`bolus.learn.first_guess.learned`).
    """
    artery = (clock.artery * WIDTH_S).reshape(-1, 2).mean(axis=1)
    about = clock.about
    numbers = [
        about["dt_s"] / 2.0,
        about["after_s"] / 50.0,
        about["width_s"] / WIDTH_S,
        np.log10(max(noise, 1e-4)) + 1.0,
        spacing_mm / 2.0,
    ]
    return np.concatenate([artery, numbers, learned]).astype(np.float32)


def channels(features: Float32s, token: Float32s, mask: Mask) -> Float32s:
    """Lay voxels out as the network takes them.

    Parameters
    ----------
    features
        Of the voxels of the mask, in its order, and what physics makes of them, shape `(voxels, 113)`.
    token
        Shape `(35,)`.
    mask
        Shape `(y, x)`.

    Returns
    -------
    Shape `(149, y, x)`: features, the mask, and the token everywhere.
    """
    image = np.zeros((CHANNELS, *mask.shape), dtype=np.float32)
    image[: features.shape[1], mask] = features.T
    image[features.shape[1]] = mask
    image[features.shape[1] + 1 :] = token[:, None, None]
    return image


def numbers_of(maps: Mapping[str, Any], scale: float) -> Float32s:
    """Return maps as the network's answers: flow `k` [1/s], volume [no unit] and times [s], `(6, ...)`."""
    return np.stack([np.asarray(maps[name]) / unit(name, scale) for name in OUTPUTS]).astype(np.float32)


def maps_of(numbers: Float32s, scale: float) -> dict[str, Float32s]:
    """Return what the network's answers `(6, ...)` stand for, means or deviations; see `numbers_of`."""
    return {
        name: (one * np.float32(unit(name, scale))).astype(np.float32)
        for name, one in zip(OUTPUTS, numbers, strict=True)
    }


def unit(name: str, scale: float) -> float:
    """Return what an answer of 1 stands for: flow `k` [1/s], volume [no unit] or time [s]."""
    return {"CBF": scale / RATE_S, "CBV": scale, **SECONDS}[name]


def _weights(grid: Float64s, times: Float64s, dt: float) -> Float64s:
    """Return triangles as wide as the coarser clock, each normalised; none beyond the scan's ends."""
    reach = max(dt, STEP_S)
    hats = np.maximum(1.0 - np.abs(grid[:, None] - times[None, :]) / reach, 0.0)
    total = hats.sum(axis=1, keepdims=True)
    inside = (grid >= times[0] - 0.5 * dt) & (grid <= times[-1] + 0.5 * dt)
    return np.asarray(np.where(inside[:, None], hats / np.maximum(total, 1e-9), 0.0))


def _convolution(curve: Float64s, times: Float64s, grid: Float64s, dt: float) -> Float64s:
    """Return the matrix that convolves an arterial curve with a residue at `LAGS_S`, shape `(48, 24)`."""
    step = float(LAGS_S[1] - LAGS_S[0])
    moved = (grid[:, None] - LAGS_S[None, :]).ravel()
    inside = np.clip(moved, times[0], times[-1])  # the end is held: a lag before 0 looks beyond the scan
    return np.asarray(step * (_weights(inside, times, dt) @ curve).reshape(grid.size, LAGS_S.size))


def _inverse(forward: Float64s) -> Float64s:
    """Return the regularised inverse, shape `(24, 48)`; second differences and size are kept small."""
    bend = np.diff(np.eye(LAGS_S.size), n=2, axis=0)
    top = float(np.linalg.norm(forward, 2)) * STRENGTH
    penalty = top**2 * (0.1 * np.eye(LAGS_S.size) + bend.T @ bend)
    return np.asarray(np.linalg.solve(forward.T @ forward + penalty, forward.T))
