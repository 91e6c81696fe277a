"""Standard deviations for methods that have none: residuals of the fit are drawn again and solved again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Float64s, Floats
from bolus.core.finding import Progress, silent
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.blocks import joined, split
from bolus.deconvolve.method import Deconvolve
from bolus.deconvolve.problem import usable_aif

LEAST_FREE: Final = 0.1
"""Least part of the samples that counts as free: residuals are never enlarged by more than its root."""


def resample(  # noqa: PLR0913  options, by keyword
    solve: Deconvolve,
    concentration: Concentration,
    aif: VesselCurve,
    *,
    options: Mapping[str, Any],
    repeats: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Estimate:
    """Solve all voxels, and again with residuals drawn from their own, to learn how far results scatter.

    Parameters
    ----------
    solve
        A method that gives residues.
    concentration, aif
        As `deconvolve` takes them.
    options
        Options of the method, settled for the scan.
    repeats
        How often the residuals are drawn, 2 or more: the time is so many times that of the method.
    rng
        Source of the draws.
    progress
        Called as `progress("deconvolve", voxels done, voxels)` after each block.

    Returns
    -------
    The estimate, with standard deviations of `flow`, `tmax`, `volume` and `mtt`.

    Notes
    -----
    Residues convolved with the arterial curve are the fitted curves; what they leave of the tissue curves is
    drawn with replacement, frame by frame, the same frames for all voxels, so that noise stays alike among
    neighbours. Residuals are enlarged for the frequencies that were fitted. What regularisation does to the
    truth (bias) is done to every draw alike, so it is not in these deviations.

    References
    ----------
    Efron, Ann Stat 7:1-26 (1979), doi:10.1214/aos/1176344552; Freedman, Ann Stat 9:1218-1228 (1981),
    doi:10.1214/aos/1176345638
    """
    frames = rng.integers(aif.times.size, size=(repeats, aif.times.size))
    artery = usable_aif(aif.values, aif.times.size)
    job = _Job(solve, artery, concentration.dt, {**options, "residues": True}, frames)
    total, done, parts = len(concentration.curves), 0, []
    for block in split(concentration.curves):
        parts.append(job.solved(block))
        done += len(block)
        progress("deconvolve", done, total)
    return joined(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What every block has in common; `frames` holds the frames that each repeat draws, `(repeats, t)`."""

    solve: Deconvolve
    aif: Float64s
    dt: float
    options: Mapping[str, Any]
    frames: NDArray[np.intp]

    def solved(self, curves: Floats) -> Estimate:
        """Solve a block, and as often again as there are repeats."""
        first = self.solve(curves, self.aif, self.dt, **self.options)
        fitted = self.fitted(first)
        rest = (curves - fitted) / np.sqrt(self.free(first))[:, None].astype(np.float32)
        rest = rest - rest.mean(axis=1, keepdims=True)
        spread = {name: _Spread.around(values) for name, values in self.results(first, curves).items()}
        plain = {**self.options, "residues": False}
        for chosen in self.frames:
            drawn = fitted + rest[:, chosen]
            again = self.solve(drawn, self.aif, self.dt, **plain)
            for name, values in self.results(again, drawn).items():
                spread[name].add(values)
        return replace(first, residues=None, lags=None, sd={n: one.deviation() for n, one in spread.items()})

    def fitted(self, estimate: Estimate) -> Float32s:
        """Convolve residues with the arterial curve, shape `(voxels, t)`."""
        lags, residues = estimate.lags, estimate.residues
        if lags is None or residues is None:
            raise TypeError("only methods that keep residues can be resampled")
        steps = lags / self.dt
        whole = np.abs(steps - np.rint(steps)) < 1e-3
        shift = np.arange(self.aif.size) - np.rint(steps[whole]).astype(np.intp)[:, None]
        inside = (shift >= 0) & (shift < self.aif.size)
        matrix = np.where(inside, self.aif[np.clip(shift, 0, self.aif.size - 1)], 0.0) * self.dt
        return residues[:, whole] @ matrix.astype(np.float32)

    def free(self, estimate: Estimate) -> Float64s:
        """Return the part of the samples that the fit left free, shape `(voxels,)`."""
        n_frames = self.aif.size
        if (
            estimate.index is not None
        ):  # frequencies kept, of the padded curve's; all but the mean come in pairs
            used = (2.0 * np.nan_to_num(estimate.index) - 1.0) / (2.0 * n_frames)
            return np.clip(1.0 - used, LEAST_FREE, 1.0)
        units = self.solve(np.eye(n_frames, dtype=np.float32), self.aif, self.dt, **self.options)
        left = 1.0 - float(np.trace(self.fitted(units))) / n_frames
        return np.full(estimate.flow.shape, min(max(left, LEAST_FREE), 1.0))

    def results(self, estimate: Estimate, curves: Floats) -> dict[str, Float32s]:
        """Return what deviations are wanted of, shape `(voxels,)` each."""
        volume = curves.sum(axis=1) / np.float32(self.aif.sum())
        usable = (estimate.flow > 0) & (volume > 0)
        mtt = np.full(volume.shape, np.nan, dtype=np.float32)
        np.divide(volume, estimate.flow, out=mtt, where=usable)
        return {"flow": estimate.flow, "tmax": estimate.tmax, "volume": volume, "mtt": mtt}


@dataclass(slots=True, eq=False)
class _Spread:
    """Sums over repeats, around the first result; repeats without a number are left out."""

    centre: Float32s
    n: Float32s
    total: Float32s
    squares: Float32s = field(repr=False)

    @classmethod
    def around(cls, centre: Float32s) -> _Spread:
        """Begin around the result of the curves themselves."""
        return cls(centre, *(np.zeros(centre.shape, dtype=np.float32) for _ in range(3)))

    def add(self, values: Float32s) -> None:
        """Count one repeat."""
        apart = values - self.centre
        known = np.isfinite(apart)
        apart = np.where(known, apart, np.float32(0))
        self.n += known
        self.total += apart
        self.squares += apart * apart

    def deviation(self) -> Float32s:
        """Return the standard deviation; NaN where fewer than 2 repeats gave a number."""
        n = np.where(self.n > 1, self.n, np.float32(np.nan))
        mean = self.total / n
        variance = np.maximum(self.squares / n - mean * mean, 0.0) * n / (n - 1)
        return np.asarray(np.sqrt(variance), dtype=np.float32)
