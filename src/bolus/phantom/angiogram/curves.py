"""Contrast over time at each place: injected, spread on the way, held by tissue, gathered by veins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from scipy.special import gammaincc

from bolus.core.arrays import Float32s, Float64s, Times

FINE_S: Final = 0.05
"""Step of the fine clock [s]."""
BIN_S: Final = 0.05
"""Step of arrivals: a curve is kept for each [s]."""
MIXING_S: Final = 0.35
"""Time constant of mixing at the catheter [s]."""
SPREAD: Final = 0.12
"""Time constant of dispersion as a part of the time since the injection."""
MTT_S, TISSUE_SHAPE = 3.5, 3.0
"""Mean and shape of the gamma-distributed transit times of capillaries [s]."""
VENOUS_S, VENOUS_SHAPE = 0.5, 4.0
"""Mean and shape of the transit times from capillaries to veins [s]."""
DETOUR_S, DETOUR_SHAPE = 3.0, 2.0
"""Mean and shape of the transit times through collaterals [s]."""
STASIS_S: Final = 3.0
"""Time constant of exchange in a stump without flow [s]."""


class Kind(IntEnum):
    """What happened to contrast on its way."""

    ARTERY = 0
    STUMP = 1
    COLLATERAL = 2
    TISSUE = 3
    LATE_TISSUE = 4
    VEIN = 5


@dataclass(frozen=True, slots=True)
class Injection:
    """A trapezoid of contrast that pulsates with the heart.

    Parameters
    ----------
    start_s, rise_s, plateau_s
        When it starts, how long it rises (and falls), and how long it lasts at full strength [s].
    beat_s, pulse
        Period of the heart [s], and how much of the contrast comes and goes with it.
    """

    start_s: float
    plateau_s: float
    rise_s: float = 0.3
    beat_s: float = 0.85
    pulse: float = 0.1

    def __call__(self, times: Float64s) -> Float64s:
        """Return contrast at the tip of the catheter at times [s], 1 where blood is replaced by it."""
        u = times - self.start_s
        edges = [0.0, self.rise_s, self.rise_s + self.plateau_s, 2 * self.rise_s + self.plateau_s]
        beat = 1.0 - self.pulse * (0.5 + 0.5 * np.sin(2 * np.pi * times / self.beat_s))
        return np.asarray(np.interp(u, edges, [0.0, 1.0, 1.0, 0.0]) * beat, dtype=np.float64)


def curve_table(injection: Injection, times: Times, longest_s: float) -> Float32s:
    """Return contrast as a part of the injected for each kind, arrival and frame.

    Parameters
    ----------
    times
        Frame times [s], shape `(t,)`.
    longest_s
        Latest arrival after the injection that is needed [s].

    Returns
    -------
    Shape `(kinds, arrivals, t)`; arrivals every `BIN_S` from 0. All curves of kinds other than
    `STUMP` have the area of the injection: contrast is spread, not lost.
    """
    first = min(injection.start_s, 0.0) - 1.0
    fine = np.arange(first, float(times[-1]) + 1.0, FINE_S)
    arrivals = np.arange(0.0, longest_s + 2 * BIN_S, BIN_S)
    lags = np.arange(0.0, fine[-1] - fine[0] + 8.0, FINE_S)
    n = 2 * lags.size
    injected = np.fft.rfft(injection(fine), n) * np.fft.rfft(_mean(np.exp(-lags / MIXING_S)), n)
    ways = np.fft.rfft(np.stack([_spread(lags, a) for a in arrivals]), n, axis=1)
    table = np.empty((len(Kind), arrivals.size, times.size), dtype=np.float32)
    for kind, kernel in _kernels(lags).items():
        spectrum = injected * np.fft.rfft(kernel, n)
        curves = np.fft.irfft(spectrum[None] * ways, n, axis=1)[:, : fine.size]
        for row, (arrival, curve) in enumerate(zip(arrivals, curves, strict=True)):
            table[kind, row] = np.interp(times - arrival, fine, curve, left=0.0)
    table[table < 1e-6] = 0.0  # the rounding of the transform is no contrast
    return table


def _spread(lags: Float64s, arrival_s: float) -> Float64s:
    """Return the kernel of dispersion on a way that takes so long [s]."""
    constant = SPREAD * arrival_s
    if constant < FINE_S:
        return np.concatenate([[1.0], np.zeros(lags.size - 1)])
    return _mean(np.exp(-lags / constant))


def _kernels(lags: Float64s) -> dict[Kind, Float64s]:
    """Return what each kind does to arterial contrast."""
    at_once = np.concatenate([[1.0], np.zeros(lags.size - 1)])
    held = _mean(np.asarray(gammaincc(TISSUE_SHAPE, TISSUE_SHAPE * lags / MTT_S), dtype=np.float64))
    detour = _gamma(lags, DETOUR_S, DETOUR_SHAPE)
    left = np.convolve(_gamma(lags, MTT_S, TISSUE_SHAPE), _gamma(lags, VENOUS_S, VENOUS_SHAPE))[: lags.size]
    return {
        Kind.ARTERY: at_once,
        Kind.STUMP: _mean(np.exp(-lags / STASIS_S)),
        Kind.COLLATERAL: detour,
        Kind.TISSUE: held,
        Kind.LATE_TISSUE: np.convolve(held, detour)[: lags.size],
        Kind.VEIN: left,
    }


def _gamma(lags: Float64s, mean_s: float, shape: float) -> Float64s:
    return _mean(np.asarray(lags ** (shape - 1) * np.exp(-shape * lags / mean_s), dtype=np.float64))


def _mean(kernel: Float64s) -> Float64s:
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)
