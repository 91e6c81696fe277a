"""Transit time from first moments, and flow from it."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Curve, Float64s, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.place import fetched
from bolus.deconvolve.problem import pose
from bolus.physics.features import area, arrival, bolus_start, first_moment


def moment(curves: Floats, aif: Curve, dt: float, /) -> Estimate:
    """Take MTT from the mean times of tissue and artery, and flow from volume over MTT.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].

    Returns
    -------
    Flow [1/s], MTT and delay [s], and the delay again as Tmax, shape `(voxels,)`; NaN where a curve is not
    finite, or area or MTT is not positive. No residue is found.

    Raises
    ------
    ShapeMismatch
        If curves and arterial curve differ in length.
    BadTimes
        If there are fewer than 8 frames, or `dt` is not positive.
    NoBolus
        If the arterial curve holds no bolus.

    Notes
    -----
    MTT is the difference of first moments less the delay, and the delay the difference of arrivals at 10 %
    of each peak. Areas and moments count from where the arterial curve does to the end of the scan; in
    moments, samples below 0 count as 0. This is crude, for comparison only:

    - **sensitive to noise**: late samples have a long arm, and cutting at 0 turns their noise into late
      contrast, so that MTT grows with noise;
    - **biased by truncation**: contrast after the end of the scan is not seen, and MTT comes out short;
    - tissue rises more slowly than the artery and reaches 10 % some 1-2 s late, which is taken for delay and
      shortens MTT;
    - a first moment is MTT for well-mixed tissue only; it is two thirds of it for a linear residue and half
      of it for plug flow.

    References
    ----------
    Meier and Zierler, J Appl Physiol 6:731-744 (1954), doi:10.1152/jappl.1954.6.12.731
    """
    problem = pose(fetched(curves), aif, dt)  # runs in memory
    start = bolus_start(problem.aif)
    times: Float64s = np.arange(problem.aif.size, dtype=np.float64) * problem.dt
    tissue: Floats = problem.curves.astype(np.float64)
    artery: Floats = problem.aif[None, :]
    # samples that are not numbers make invalid sums; their voxels come out as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = area(tissue[:, start:], times[start:]) / area(artery[:, start:], times[start:])
        shift = first_moment(tissue[:, start:], times[start:]) - first_moment(
            artery[:, start:], times[start:]
        )
        delay = arrival(tissue, times) - arrival(artery, times)
    mtt = shift - delay
    found = np.isfinite(tissue).all(axis=1) & (mtt > 0) & (ratio > 0)
    flow = np.divide(ratio, mtt, out=np.full_like(ratio, np.nan), where=found)
    mtt, delay = (np.where(found, values, np.float32(np.nan)) for values in (mtt, delay))
    return Estimate(flow=flow, tmax=delay, mtt=mtt, delay=delay)
