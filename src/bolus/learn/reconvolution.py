"""Whether maps say what was measured: tissue curves are made of them again and compared with the scan's.

This needs no truth, and so works on any patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curve, Float32s, Float64s, Floats
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.problem import sharpened, usable_aif
from bolus.learn import bolus_family as family
from bolus.learn.bolus_family import FINE_S, Tissue
from bolus.physics.transport import RESIDUES

N_COMPARED: Final = 2000
"""Voxels that are looked at, evenly spread."""
MTTS_S: Final = np.geomspace(1.0, 40.0, 60)
BEFORE_S: Final = 20.0


def reconvolved(
    maps: Mapping[str, Floats], times: Float64s, aif: Curve, shape: str = "exponential"
) -> Float64s:
    """Return the tissue curves that maps stand for.

    Parameters
    ----------
    maps
        `CBF` as `k` [1/s], `MTT` and `delay` [s], shape `(voxels,)` each.
    times, aif
        Seconds, evenly stepped, and the arterial curve, shape `(t,)`.
    shape
        A name of `bolus.physics.transport.RESIDUES`: maps do not say which residue tissue has.

    Returns
    -------
    Shape `(voxels, t)`, in the unit of the arterial curve.
    """
    n_fine = round((float(np.ptp(times)) + 1.5 * BEFORE_S) / FINE_S)
    fine: Float64s = float(times[0]) - BEFORE_S + FINE_S * np.arange(n_fine, dtype=np.float64)
    artery: Float64s = np.interp(fine, times, sharpened(usable_aif(aif, times.size)), left=0.0)
    passages = family.passages(artery, family.residues(Tissue((shape, shape), 1.0, 0.0), MTTS_S))
    place = (times[None, :] - np.asarray(maps["delay"])[:, None] - fine[0]) / FINE_S - 0.5
    place = np.clip(place, 0.0, fine.size - 1.001)
    row = np.abs(np.log(np.clip(maps["MTT"], *MTTS_S[[0, -1]]))[:, None] - np.log(MTTS_S)).argmin(axis=1)
    left = place.astype(np.intp)
    part = place - left
    unit = (1.0 - part) * passages[row[:, None], left] + part * passages[row[:, None], left + 1]
    return np.asarray(np.asarray(maps["CBF"])[:, None] * unit)


def misfit(
    maps: Mapping[str, Float32s], contrast: Concentration, aif: VesselCurve, where: NDArray[np.bool_]
) -> float:
    """Return how much of the enhancement maps leave unexplained beyond noise, as the median over voxels.

    Parameters
    ----------
    maps
        As for `reconvolved`.
    contrast, aif
        What was measured, on one clock.
    where
        Voxels that count, shape `(voxels,)`.

    Returns
    -------
    Root of the squared residual less that of noise, over the squared enhancement, 0-1 and more; of each voxel
    with the residue that fits best. NaN where no voxel counts.
    """
    known = where & np.isfinite(maps["CBF"])
    rows = np.flatnonzero(known)[:: max(int(np.count_nonzero(known)) // N_COMPARED, 1)]
    if not rows.size:
        return float("nan")
    seen = contrast.curves[rows].astype(np.float64)
    chosen = {name: np.asarray(maps[name], dtype=np.float64)[rows] for name in ("CBF", "MTT", "delay")}
    first, last = contrast.baseline
    made = [reconvolved(chosen, contrast.times, aif.values, shape) for shape in RESIDUES]
    left = np.min([((seen - one) ** 2).mean(axis=1) for one in made], axis=0)
    noise = seen[:, first:last].var(axis=1, ddof=1).mean() if last - first > 2 else contrast.noise**2
    return float(np.median(np.sqrt(np.maximum(left - noise, 0.0) / (seen**2).mean(axis=1))))
