"""How tissue turns an arterial curve into its own: residue functions and convolution.

``C_t(t) = (rho / kappa_H) F (C_a convolved with R)(t - delay)``, R(0) = 1, R never rises, its area is MTT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import gammaincc

from bolus.core.arrays import Float32s, Float64s
from bolus.core.units import ML_100G_MIN_PER_ML_G_S, TISSUE_SCALE

Residue: TypeAlias = Callable[[Float64s, Float64s], Float64s]
"""`residue(times, mtt)`: fraction of contrast still in the tissue at times [s] >= 0 for MTT [s]."""
RESOLUTION_S: Final = 2.0
"""Time resolution (SD) of a regularised deconvolution [s]; see `ideal_tmax`."""


def exponential_residue(times: Float64s, mtt: Float64s) -> Float64s:
    """Return ``exp(-t / MTT)``: one well-mixed compartment."""
    return np.exp(-times / mtt)


def linear_residue(times: Float64s, mtt: Float64s) -> Float64s:
    """Return ``1 - t / (2 MTT)`` until it reaches 0: transit times spread evenly over 0 to 2 MTT."""
    return np.clip(1.0 - times / (2.0 * mtt), 0.0, None)


def box_residue(times: Float64s, mtt: Float64s) -> Float64s:
    """Return 1 until MTT, then 0: plug flow."""
    return (times < mtt).astype(np.float64)


def gamma_residue(times: Float64s, mtt: Float64s, shape: float = 3.0) -> Float64s:
    """Return the residue of gamma-distributed transit times, ``Q(shape, t shape / MTT)``.

    References
    ----------
    Mouridsen et al., NeuroImage 33:570-579 (2006), doi:10.1016/j.neuroimage.2006.06.015
    """
    return np.asarray(gammaincc(shape, shape * times / mtt), dtype=np.float64)


RESIDUES: Final[Mapping[str, Residue]] = MappingProxyType(
    {
        "exponential": exponential_residue,
        "linear": linear_residue,
        "box": box_residue,
        "gamma": gamma_residue,
    }
)


def antiderivative(times: Float64s, curve: Float64s, at: Float64s) -> Float64s:
    """Integrate a piecewise-linear curve exactly from its start.

    Parameters
    ----------
    times, curve
        Samples, shape `(t,)`, times increasing [s].
    at
        Upper limits [s], any shape. Before the first sample the integral is 0, after the last one the
        curve goes on with its last value.

    Returns
    -------
    Integral [unit of the curve times s], shape of `at`.
    """
    t, c = np.asarray(times, dtype=np.float64), np.asarray(curve, dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(0.5 * (c[1:] + c[:-1]) * np.diff(t))])
    slopes = np.append(np.diff(c) / np.diff(t), 0.0)
    index = np.clip(np.searchsorted(t, at, side="right") - 1, 0, t.size - 1)
    u = np.maximum(at - t[index], 0.0)
    integral: Float64s = sums[index] + c[index] * u + 0.5 * slopes[index] * u**2
    return integral


def flow_per_second(cbf: float | Float64s) -> float | Float64s:
    """Convert CBF [mL/100 g/min] to the height of the flow-scaled residue `k` [1/s]."""
    return cbf / (ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE)


def unit_flow() -> float:
    """Return the CBF [mL/100 g/min] at which `k(0)` is 1 per second."""
    return ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE


def box_curves(
    times: Float64s,
    aif: Float64s,
    cbf: Float64s,
    mtt: Float64s,
    delay: Float64s,
    *,
    at: Float64s | None = None,
) -> Float64s:
    """Return tissue curves for box-shaped residues, exact for a piecewise-linear arterial curve.

    Parameters
    ----------
    times, aif
        Arterial samples, shape `(t,)`.
    cbf, mtt, delay
        Flow [mL/100 g/min], mean transit time [s] and delay [s], shape `(voxels,)` each.
    at
        Times of the tissue samples [s], shape `(m,)`; `times` unless given.

    Returns
    -------
    Shape `(voxels, m)`, in the unit of the arterial curve.

    References
    ----------
    Bennink et al., J Med Imaging 3:026003 (2016), doi:10.1117/1.JMI.3.2.026003
    """
    sample = times if at is None else at
    start = sample[None, :] - np.asarray(delay)[:, None]
    whole = antiderivative(times, aif, start) - antiderivative(times, aif, start - np.asarray(mtt)[:, None])
    return np.asarray(flow_per_second(cbf))[:, None] * whole


def tissue_curves(
    arterial: Callable[[Float64s], Float64s],
    times: Float64s,
    parameters: tuple[Float64s, Float64s, Float64s],
    *,
    residue: Residue = exponential_residue,
    fine_dt: float = 0.05,
) -> Float64s:
    """Return tissue curves for any residue, by convolution on a fine grid and then sampling.

    Parameters
    ----------
    arterial
        Arterial curve as a function of times [s]; 0 long before the first sample.
    times
        Where to sample [s], shape `(t,)`, increasing.
    parameters
        CBF [mL/100 g/min], MTT [s] and delay [s], shape `(voxels,)` each.
    residue
        One of `RESIDUES` or any function like them.
    fine_dt
        Step of the fine grid [s]; 0.05 s keeps the error under 0.1 % for MTT >= 2 s.

    Returns
    -------
    Shape `(voxels, t)`, in the unit of the arterial curve.
    """
    cbf, mtt, delay = (np.asarray(p, dtype=np.float64) for p in parameters)
    start = float(times[0]) - 5.0 - max(float(delay.max(initial=0.0)), 0.0)
    stop = float(times[-1]) - min(float(delay.min(initial=0.0)), 0.0) + 2 * fine_dt
    fine = np.arange(start, stop, fine_dt)
    aif = arterial(fine)
    keys, where = np.unique(mtt, return_inverse=True)
    integrals = _convolved(aif, fine - fine[0], keys, residue, fine_dt)
    return np.asarray(flow_per_second(cbf))[:, None] * _sampled(integrals, fine, times, where, delay)


def _convolved(aif: Float64s, lags: Float64s, mtts: Float64s, residue: Residue, dt: float) -> Float64s:
    """Convolve the arterial curve with the residue of each distinct MTT, shape `(mtts, fine)`."""
    kernels = _cell_means(lags, mtts, residue, dt)
    n = 2 * lags.size
    whole = np.fft.irfft(np.fft.rfft(kernels, n, axis=1) * np.fft.rfft(aif, n)[None, :], n, axis=1)
    return np.asarray(whole[:, : lags.size] * dt, dtype=np.float64)


def _cell_means(lags: Float64s, mtts: Float64s, residue: Residue, dt: float, n_parts: int = 8) -> Float64s:
    """Average each residue over the step around each lag, so that the edge of a box falls between lags.

    A residue is 0 before lag 0, whose cell therefore counts half. Shape `(mtts, lags)`.
    """
    kernels = np.zeros((mtts.size, lags.size))
    for part in (np.arange(n_parts) + 0.5) / n_parts - 0.5:
        at = lags + part * dt
        kernels += np.where(at >= 0, residue(np.maximum(at, 0.0)[None, :], mtts[:, None]), 0.0) / n_parts
    return kernels


def _sampled(
    integrals: Float64s, fine: Float64s, times: Float64s, where: NDArray[np.intp], delay: Float64s
) -> Float64s:
    """Read each voxel's row of the fine curves at `times - delay`, linearly."""
    place = (times[None, :] - delay[:, None] - fine[0]) / (fine[1] - fine[0])
    place = np.clip(place, 0, fine.size - 1.001)
    left = place.astype(np.intp)
    part = place - left
    rows = where.reshape(-1, 1)
    sampled: Float64s = (1 - part) * integrals[rows, left] + part * integrals[rows, left + 1]
    return sampled


def ideal_tmax(mtt: Float32s, delay: Float32s, residue: Residue = exponential_residue) -> Float32s:
    """Return the Tmax that a noise-free, regularised deconvolution would find [s].

    The residue itself is highest at the delay, at once. No deconvolution of sampled curves resolves
    that edge: it sees the residue smoothed, and its peak later. The truth here is the lag of the peak
    of the residue smoothed with a Gaussian of SD 2 s, which lies within 0.3 s of what oSVD gives on
    curves without noise (MTT 4 s: delay + 2.0 s; 10 s: delay + 2.9 s).

    Parameters
    ----------
    mtt, delay
        Seconds, same shape.

    Returns
    -------
    Tmax [s], shape of `mtt`; NaN where the MTT is.
    """
    known = np.isfinite(mtt) & (mtt > 0)
    steps, which = np.unique(_rounded(np.where(known, mtt, 1.0)), return_inverse=True)
    lags = np.arange(-8.0, 40.0, 0.02)
    curves = np.where(
        lags >= 0, residue(np.maximum(lags, 0.0)[None, :], steps[:, None].astype(np.float64)), 0.0
    )
    peak = lags[np.argmax(gaussian_filter1d(curves, RESOLUTION_S / 0.02, axis=1), axis=1)]
    tmax = delay + peak[which].reshape(mtt.shape)
    return np.where(known, tmax, np.nan).astype(np.float32)


def _rounded(mtt: Float32s) -> Float32s:
    """Round to tenths of a second, so that few distinct residues need smoothing."""
    return np.asarray(np.rint(mtt / np.float32(0.1)) * np.float32(0.1), dtype=np.float32)
