"""Simulated DSC-MRI: contrast darkens the signal exponentially, and noise lies on the signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s, Float64s
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.signal import delta_r2star, signal_from_delta_r2star
from bolus.validate import judges
from bolus.validate.curves import ARTERY, Sample, Scan, Tissues, clean_curves, concentration
from bolus.validate.rows import Conditions
from bolus.validate.setup import Effort, Setup

SNRS: Final = (20.0, 50.0, 100.0)
"""Signal before contrast over noise."""
FLOWS: Final = tuple(float(f) for f in range(10, 80, 10))
VOLUMES: Final = (4.0, 2.0)
TISSUE_DROP: Final = 0.4
"""Signal that tissue of CBV 4 mL/100 g and CBF 60 mL/100 g/min loses at its peak."""
ARTERY_DROP: Final = 0.6
"""Signal that the arterial voxel loses at its peak; it is only partly filled by the artery."""
_S0 = 100.0
_TE_S = 1.0  # any: it cancels
_BEFORE = slice(0, 9)
_GREY = Tissues(("grey",), np.array([60.0]), np.array([4.0]), np.array([0.0]))


def dsc(effort: Effort) -> list[Setup]:
    """Vary flow, volume and signal-to-noise ratio of DSC-MRI.

    References
    ----------
    Wu et al., Magn Reson Med 50:164-174 (2003), doi:10.1002/mrm.10522
    """
    volume, flow = (a.ravel() for a in np.meshgrid(VOLUMES, FLOWS, indexing="ij"))
    names = tuple(f"CBV {v:g}" for v in volume)
    tissues = Tissues(names, flow, 60.0 * volume / flow, np.zeros(flow.size))
    return [_setting(tissues, snr, effort) for snr in SNRS]


def _setting(tissues: Tissues, snr: float, effort: Effort) -> Setup:
    scan = Scan(noise_hu=0.0)

    def make(rng: np.random.Generator) -> Sequence[Sample]:
        return [_sample(tissues, scan, snr, effort.artery_voxels, rng) for _ in range(effort.arteries)]

    conditions: Conditions = {
        "snr": snr,
        "dt_s": scan.dt_s,
        "duration_s": scan.duration_s,
        "residue": scan.residue,
    }
    return Setup("dsc", conditions, make, (judges.errors,))


def _sample(tissues: Tissues, scan: Scan, snr: float, n_voxels: int, rng: np.random.Generator) -> Sample:
    to_tissue = -np.log(1.0 - TISSUE_DROP) / float(clean_curves(_GREY, Scan(dt_s=0.1)).max())
    to_artery = -np.log(1.0 - ARTERY_DROP) / ARTERY.peak
    clean = np.repeat(clean_curves(tissues, scan) * to_tissue, n_voxels, axis=0)
    curves = _measured(clean, snr, rng)
    aif = _measured(to_artery * ARTERY(scan.times)[None, :], snr, rng)[0] * (to_tissue / to_artery)
    noise = float(curves[:, _BEFORE].std())
    return Sample(
        tissues,
        tissues.truth(scan.residue),
        concentration(curves, scan.times, Modality.MR, Unit.PER_SECOND, noise),
        VesselCurve("AIF", scan.times, aif.astype(np.float64), Unit.PER_SECOND, "simulated"),
    )


def _measured(rate: Float64s, snr: float, rng: np.random.Generator) -> Float32s:
    """Return the rate that noisy signal gives, shape of `rate`."""
    baseline = np.full((len(rate), 1), _S0)
    signal = signal_from_delta_r2star(rate, baseline, _TE_S)
    signal = signal + _S0 / snr * rng.standard_normal(signal.shape)
    return delta_r2star(signal, signal[:, _BEFORE].mean(axis=1, keepdims=True), _TE_S, floor=1.0)
