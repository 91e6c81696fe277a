"""Curves with known truth: tissue convolved on a fine grid, sampled, and given white noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Curves, Float64s, Times
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import ML_100G_MIN_PER_ML_G_S, TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES, exponential_residue, ideal_tmax, tissue_curves
from bolus.validate.rows import Conditions

ARTERY: Final = GammaVariate(300.0, 10.0, 3.0, 1.5)
"""The bolus: 300 HU, arriving at 10 s, 6 s wide at half its height, without recirculation."""
AIF_NOISE: Final = 0.1
"""Noise of the arterial curve over that of a voxel: it is the mean of some 100 voxels."""
SEEN_TMAX: Final = "seen Tmax"
"""Truth that the intervals of Tmax are held against."""
_FINE_DT = 0.05
_REACH_S = (-40.0, 160.0)


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """True perfusion, one value a tissue, shape `(tissues,)`.

    Parameters
    ----------
    names
        May repeat, where tissues of a name differ in one value.
    cbf, mtt, delay
        Flow [mL/100 g/min], mean transit time [s] and delay after the arterial curve [s].
    """

    names: tuple[str, ...]
    cbf: Float64s
    mtt: Float64s
    delay: Float64s

    @property
    def cbv(self) -> Float64s:
        """Blood volume [mL/100 g]."""
        return self.cbf * self.mtt / 60.0

    def truth(self, residue: str) -> Mapping[str, Float64s]:
        """Return the truth by quantity, shape `(tissues,)` each.

        A residue is highest when it begins, so the true Tmax is the delay; a box is as high until it
        ends, and its true Tmax is the middle. `seen Tmax` is what can be seen of that at the resolution of
        a regularised deconvolution, the truth of the phantoms.
        """
        middle = self.mtt / 2.0 if residue == "box" else 0.0
        seen = ideal_tmax(self.mtt.astype(np.float32), self.delay.astype(np.float32), RESIDUES[residue])
        return {
            "CBF": self.cbf,
            "CBV": self.cbv,
            "MTT": self.mtt,
            "Tmax": self.delay + middle,
            "delay": self.delay,
            SEEN_TMAX: seen.astype(np.float64),
        }

    def conditions(self, index: int) -> Conditions:
        """Return what is true of one tissue."""
        values = {"cbf": self.cbf, "cbv": self.cbv, "mtt_s": self.mtt, "delay_s": self.delay}
        told = {name: round(float(array[index]), 4) for name, array in values.items()}
        return {"tissue": self.names[index], **told}


@dataclass(frozen=True, slots=True)
class Scan:
    """How CT curves are acquired.

    Parameters
    ----------
    noise_hu
        Standard deviation of one sample of one voxel [HU].
    dt_s, duration_s
        Frame interval and length [s].
    residue
        One of `bolus.physics.transport.RESIDUES`.
    dispersion_s
        Time constant of the exponential that widens the bolus between the artery and the tissue [s].
    offset_s
        Time of the first frame [s]: where the frames lie on the bolus.
    """

    noise_hu: float = 1.0
    dt_s: float = 1.0
    duration_s: float = 60.0
    residue: str = "exponential"
    dispersion_s: float = 0.0
    offset_s: float = 0.0

    @property
    def times(self) -> Times:
        """Frame times [s], shape `(t,)`."""
        frames = np.arange(round(self.duration_s / self.dt_s), dtype=np.float64)
        return frames * self.dt_s + self.offset_s

    def conditions(self) -> Conditions:
        """Return all but the offset."""
        names = ("noise_hu", "dt_s", "duration_s", "residue", "dispersion_s")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Curves of tissues, what is true of them, and the artery that feeds them.

    Parameters
    ----------
    tissues
        What the rows are of; each has as many consecutive rows as the others.
    truth
        By quantity, shape `(tissues,)` each.
    scan, artery
        What a method is given.
    is_per_volume
        Whether the truth is per 100 mL, with neither density nor haematocrit in it.
    """

    tissues: Tissues
    truth: Mapping[str, Float64s]
    scan: Concentration
    artery: VesselCurve
    is_per_volume: bool = False


def simulate(tissues: Tissues, scan: Scan, n_voxels: int, rng: np.random.Generator) -> Sample:
    """Simulate CT curves, `n_voxels` of each tissue, with one noisy arterial curve."""
    clean = clean_curves(tissues, scan)
    curves = np.repeat(clean.astype(np.float32), n_voxels, axis=0)
    curves += np.float32(scan.noise_hu) * rng.standard_normal(curves.shape, dtype=np.float32)
    aif = ARTERY(scan.times) + AIF_NOISE * scan.noise_hu * rng.standard_normal(scan.times.size)
    return Sample(
        tissues,
        tissues.truth(scan.residue),
        concentration(curves, scan.times, Modality.CT, Unit.HU, scan.noise_hu),
        VesselCurve("AIF", scan.times, aif, Unit.HU, "simulated"),
    )


def clean_curves(tissues: Tissues, scan: Scan) -> Float64s:
    """Return curves without noise [HU], shape `(tissues, t)`."""
    parameters = (tissues.cbf, tissues.mtt, tissues.delay)
    return tissue_curves(
        dispersed(scan.dispersion_s), scan.times, parameters, residue=RESIDUES[scan.residue], fine_dt=_FINE_DT
    )


def dispersed(tau_s: float) -> Callable[[Float64s], Float64s]:
    """Return the arterial curve widened by an exponential of unit area, as a function of time [s].

    That is what tissue of MTT `tau_s` and unit volume makes of it.
    """
    if tau_s <= 0:
        return ARTERY
    fine = np.arange(*_REACH_S, _FINE_DT)
    flow = ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE / tau_s
    wide = tissue_curves(
        ARTERY,
        fine,
        (np.array([flow]), np.array([tau_s]), np.zeros(1)),
        residue=exponential_residue,
        fine_dt=_FINE_DT,
    )[0]
    return lambda times: np.asarray(np.interp(times, fine, wide), dtype=np.float64)


def concentration(
    curves: Curves, times: Times, modality: Modality, unit: Unit, noise: float
) -> Concentration:
    """Wrap curves `(voxels, t)` as what a scan's voxels in a row would be.

    No frame was taken as pre-contrast: the level that they rise from is known.
    """
    mask = np.ones((len(curves), 1, 1), dtype=np.bool_)
    grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    return Concentration(curves, times, mask, grid, modality, unit, (0, 0), noise)
