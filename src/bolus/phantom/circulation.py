"""How contrast comes, passes and leaves: the arterial and venous curves and the kinetics of tissue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Float32s, Float64s, Times
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import Residue, exponential_residue, tissue_curves

FINE_DT: Final = 0.05
"""Step of the fine clock [s]."""
MTT_STEP, DELAY_STEP = 0.1, 0.05
"""True MTT and delay are multiples of these [s], so that few distinct curves need computing."""

Curve = Callable[[Float64s], Float64s]


@dataclass(frozen=True, slots=True)
class Bolus:
    """The arterial curve: a first passage and its recirculation.

    Parameters
    ----------
    first
        The first passage.
    recirculation
        Area of the second passage as a part of the first.
    return_s, spread_s
        Delay of the second passage, and time constant of the exponential that widens it [s].
    """

    first: GammaVariate
    recirculation: float = 0.25
    return_s: float = 18.0
    spread_s: float = 6.0

    def __call__(self, times: Float64s) -> Float64s:
        """Return the curve at times [s], same shape as `times`."""
        curve = self.first(times)
        if self.recirculation <= 0:
            return curve
        fine = np.arange(
            self.first.onset_s - 1.0, max(float(np.max(times)), self.first.onset_s) + 1.0, FINE_DT
        )
        lags = np.arange(0.0, 10 * self.spread_s, FINE_DT)
        kernel = np.exp(-lags / self.spread_s)
        late = _convolve(self.first(fine), kernel / kernel.sum())
        again: Float64s = np.interp(times - self.return_s, fine, late, left=0.0)
        return curve + self.recirculation * again


def venous(arterial: Curve, *, until: float, mean_s: float = 3.0, shape: float = 4.0) -> Curve:
    """Return the curve of venous blood, without its delay: the arterial one after dispersion.

    Parameters
    ----------
    arterial
        Curve as a function of times [s].
    until
        Last time that the curve is asked for [s].
    mean_s, shape
        Mean [s] and shape of the gamma-distributed transit times; the area stays that of the artery.
    """
    fine = np.arange(-5.0, until + 1.0, FINE_DT)
    lags = np.arange(0.0, 6 * mean_s, FINE_DT)
    kernel = lags ** (shape - 1) * np.exp(-shape * lags / mean_s)
    curve = _convolve(arterial(fine), kernel / kernel.sum())

    def at(times: Float64s) -> Float64s:
        return np.asarray(np.interp(times, fine, curve), dtype=np.float64)

    return at


def dispersed(arterial: Curve, spread_s: float, *, until: float) -> Curve:
    """Return a curve after transit times that are exponentially distributed; 0 s leaves it as it is.

    Parameters
    ----------
    arterial
        Curve as a function of times [s].
    spread_s
        Mean of the transit times [s].
    until
        Last time that the curve is asked for [s].
    """
    return venous(arterial, until=until, mean_s=spread_s, shape=1.0) if spread_s > 0 else arterial


def _convolve(curve: Float64s, kernel: Float64s) -> Float64s:
    n = curve.size + kernel.size
    whole = np.fft.irfft(np.fft.rfft(curve, n) * np.fft.rfft(kernel, n), n)
    return np.asarray(whole[: curve.size], dtype=np.float64)


def quantised(values: Float32s, step: float) -> Float32s:
    """Round to multiples of a step."""
    return np.asarray(np.rint(values / np.float32(step)) * np.float32(step), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Kinetics:
    """What tissue does with contrast, one value a voxel, shape `(voxels,)`.

    Parameters
    ----------
    cbf, mtt, delay
        Flow [mL/100 g/min], mean transit time [s] and delay after the arterial curve [s].
    dispersion_s
        Time constant of the exponential that widens the arterial curve on its way to all of them [s].
    """

    cbf: Float32s
    mtt: Float32s
    delay: Float32s
    dispersion_s: float = 0.0

    def at(self, rows: slice | NDArray[np.intp]) -> Kinetics:
        """Return the kinetics of some voxels."""
        return Kinetics(self.cbf[rows], self.mtt[rows], self.delay[rows], self.dispersion_s)

    def curves(self, arterial: Curve, times: Times, residue: Residue = exponential_residue) -> Curves:
        """Return tissue curves, shape `(voxels, t)`, in the unit of the arterial curve.

        Parameters
        ----------
        times
            Seconds, shape `(t,)`.
        """
        arterial = dispersed(arterial, self.dispersion_s, until=float(times[-1]))
        pairs = np.stack([np.rint(self.mtt / MTT_STEP), np.rint(self.delay / DELAY_STEP)]).astype(np.int64)
        code = pairs[0] * 100_000 + pairs[1]
        _, first, which = np.unique(code, return_index=True, return_inverse=True)
        mtt, delay = self.mtt[first].astype(np.float64), self.delay[first].astype(np.float64)
        table = tissue_curves(arterial, times, (np.ones(first.size), mtt, delay), residue=residue)
        curves = table.astype(np.float32)[which]
        curves *= self.cbf[:, None]
        return np.asarray(curves, dtype=np.float32)


def delayed(curve: Curve, times: Times, delay: Float32s) -> Curves:
    """Return one curve at many delays [s] `(voxels,)`, sampled at times `(t,)`: shape `(voxels, t)`."""
    steps, which = np.unique(quantised(delay, DELAY_STEP), return_inverse=True)
    table = curve((times[None, :] - steps[:, None]).astype(np.float64))
    return np.asarray(table[which], dtype=np.float32)
