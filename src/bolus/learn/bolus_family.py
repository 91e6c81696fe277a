"""Arterial curves and residues of every kind that patients have, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from bolus.core.arrays import Float64s
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, RESOLUTION_S, exponential_residue, gamma_residue

Span = tuple[float, float]
FINE_S: Final = 0.1
"""Step on which curves are convolved [s]."""
LONGEST_S: Final = 60.0
"""Residues are followed so long [s]."""
_WIDTH: Final = 2.4
"""Full width of a gamma-variate at half its maximum, over the root of `alpha` and `beta`."""


@dataclass(frozen=True, slots=True)
class Site:
    """What boluses and scans of a setting are like: the least and greatest of each choice.

    Parameters
    ----------
    onset_s, width_s, alpha
        Arrival after the first frame, full width at half maximum of the first passage, and its shape.
    again, again_s
        Recirculation: its part of the first peak, and when it comes after the first.
    smear_s
        Time constant that disperses the arterial curve before it is measured.
    peak_hu
        Of the arterial curve.
    dt_s, after_s
        Interval of frames, and how long the scan goes on after the arrival.
    noise_hu
        Of a sample before filters, for `peak_hu`.
    """

    onset_s: Span
    width_s: Span
    alpha: Span
    again: Span
    again_s: Span
    smear_s: Span
    peak_hu: Span
    dt_s: Span
    after_s: Span
    noise_hu: Span


SITES: Final[Mapping[str, Site]] = MappingProxyType(
    {
        "A": Site(
            onset_s=(3.0, 30.0),
            width_s=(4.0, 18.0),
            alpha=(1.5, 6.0),
            again=(0.05, 0.6),
            again_s=(10.0, 26.0),
            smear_s=(0.0, 4.0),
            peak_hu=(60.0, 450.0),
            dt_s=(0.5, 6.2),
            after_s=(26.0, 70.0),
            noise_hu=(0.5, 10.0),
        ),
        "B": Site(
            onset_s=(10.0, 28.0),
            width_s=(11.0, 18.0),
            alpha=(1.5, 3.0),
            again=(0.3, 0.6),
            again_s=(16.0, 26.0),
            smear_s=(1.5, 4.0),
            peak_hu=(80.0, 200.0),
            dt_s=(1.0, 3.0),
            after_s=(35.0, 60.0),
            noise_hu=(1.5, 7.0),
        ),
    }
)
"""`B` has slow, late, weak and dispersed boluses, which are rare in `A`; it is never trained on."""


@dataclass(frozen=True, slots=True)
class Injection:
    """An arterial curve in every detail; peak 1, times after the first frame [s]."""

    onset_s: float
    alpha: float
    beta_s: float
    again: float
    again_s: float
    smear_s: float
    second: float = 0.0

    @property
    def width_s(self) -> float:
        """Full width of the first passage at half its maximum, within a tenth [s]."""
        return float(_WIDTH * self.alpha**0.5 * self.beta_s)

    def __call__(self, times: Float64s) -> Float64s:
        """Return the curve at even times [s] that begin before the onset."""
        first = GammaVariate(1.0, self.onset_s, self.alpha, self.beta_s)
        later = GammaVariate(self.again, self.onset_s + self.again_s, self.alpha, 2.2 * self.beta_s)
        hand = GammaVariate(self.second, self.onset_s + 5.0 * self.beta_s, self.alpha, self.beta_s)
        curve = first(times) + later(times) + hand(times)
        step = float(times[1] - times[0])
        if self.smear_s > step:
            kernel = np.exp(-np.arange(times.size) * step / self.smear_s)
            curve = np.convolve(curve, kernel / kernel.sum())[: times.size]
        return np.asarray(curve / curve.max())


def draw_injection(site: Site, rng: np.random.Generator) -> Injection:
    """Draw an arterial curve; one in ten was injected in two pushes."""
    alpha, width = rng.uniform(*site.alpha), np.exp(rng.uniform(*np.log(site.width_s)))
    return Injection(
        onset_s=rng.uniform(*site.onset_s),
        alpha=alpha,
        beta_s=width / (_WIDTH * np.sqrt(alpha)),
        again=rng.uniform(*site.again),
        again_s=rng.uniform(*site.again_s) + 0.5 * width,
        smear_s=rng.uniform(*site.smear_s) * (rng.random() < 0.6),
        second=rng.uniform(0.2, 0.8) * (rng.random() < 0.1),
    )


@dataclass(frozen=True, slots=True)
class Tissue:
    """How tissue passes contrast on: shapes of its residue, part of the first, dispersion [s], and gamma."""

    shapes: tuple[str, str]
    part: float
    dispersion_s: float
    gamma: float = 3.0


def draw_tissue(rng: np.random.Generator, *, dispersed: bool) -> Tissue:
    """Draw how a tissue passes contrast on."""
    first, other = (str(name) for name in rng.choice(list(RESIDUES), 2))
    part = 1.0 if rng.random() < 0.5 else rng.uniform(0.2, 0.8)
    return Tissue((first, other), part, rng.uniform(0.3, 3.0) if dispersed else 0.0, rng.uniform(1.5, 6.0))


def residues(tissue: Tissue, mtt: Float64s) -> Float64s:
    """Return residues of a tissue on the fine clock from 0, of area MTT, shape `(mtt, fine)`.

    Cells are averaged, so that edges fall between them.
    """
    lags: Float64s = np.arange(round(LONGEST_S / FINE_S), dtype=np.float64) * FINE_S
    parts = (np.arange(4) + 0.5) / 4 * FINE_S
    made = np.mean([_at(tissue, lags + part, mtt) for part in parts], axis=0)
    if tissue.dispersion_s:
        kernel = exponential_residue(lags, np.array(tissue.dispersion_s))
        made = _convolved(made, kernel / kernel.sum())
    return np.asarray(made)


def _at(tissue: Tissue, lags: Float64s, mtt: Float64s) -> Float64s:
    total = np.zeros((mtt.size, lags.size))
    for name, part in zip(tissue.shapes, (tissue.part, 1.0 - tissue.part), strict=True):
        if part > 0:
            args = (lags[None, :], mtt[:, None])
            total += part * (gamma_residue(*args, tissue.gamma) if name == "gamma" else RESIDUES[name](*args))
    return total


def peaks(rows: Float64s) -> Float64s:
    """Return the lag at which each residue peaks as a regularised deconvolution sees it [s], shape `(rows,)`.

    See `bolus.physics.transport.ideal_tmax`: smoothed with an SD of 2 s.
    """
    before = round(8.0 / FINE_S)
    padded = np.pad(rows[:, : round(30.0 / FINE_S)], ((0, 0), (before, 0)))
    smooth = gaussian_filter1d(padded, RESOLUTION_S / FINE_S, axis=1)
    return np.asarray((np.argmax(smooth, axis=1) - before) * FINE_S)


def passages(artery: Float64s, rows: Float64s) -> Float64s:
    """Convolve an arterial curve on the fine clock with residues, shape `(rows, fine)`."""
    return _convolved(rows, artery)[:, : artery.size] * FINE_S


def _convolved(rows: Float64s, kernel: Float64s) -> Float64s:
    n = rows.shape[1] + kernel.size
    whole = np.fft.irfft(np.fft.rfft(rows, n, axis=1) * np.fft.rfft(kernel, n)[None], n, axis=1)
    return np.asarray(whole[:, : max(rows.shape[1], kernel.size)])
