"""Scaling of a partial-volumed arterial curve to the venous area, and when not to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from bolus.core.arrays import Curve, Float64s, Mask
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.physics import features
from bolus.vessels.candidates import row_mask

_TRUNCATED_TAIL = 0.3
"""A venous curve that ends above this share of its peak has an unknown area."""
_RATIOS = (1.0, 2.5)
"""Area ratios that are corrected."""
_PLAUSIBLE = (0.9, 10.0)
"""Area ratios outside this are warned of; clinical ones are 1.2-9.6."""
_LARGE_VOXELS = 3.0
"""An artery wider than this has voxels without tissue."""
_FLAT = 0.8
"""Share of the arterial peak that counts as the flat top of a wide artery."""


def area_ratio(aif: VesselCurve, vof: VesselCurve) -> float:
    """Return the venous over the arterial area, each from its own arrival over the same time.

    Over the whole scan the vein, which comes later, would miss the end that the artery still has.
    """
    end = float(aif.times[-1])
    starts = [_arrival(curve) for curve in (aif, vof)]
    length = end - max(starts)
    arterial = _area(aif.times, aif.values, starts[0], length)
    venous = _area(vof.times, vof.values, starts[1], length)
    return venous / arterial if arterial > 0 else float("nan")


def _arrival(curve: VesselCurve) -> float:
    return float(features.arrival(np.asarray(curve.values, dtype=np.float32)[None], curve.times)[0])


def _area(times: Float64s, values: Curve, start: float, length: float) -> float:
    """Integrate from one frame before `start` over `length` [s], linearly between frames."""
    begin = max(start - float(times[1] - times[0]), float(times[0]))
    inner = times[(times > begin) & (times < begin + length)]
    at = np.concatenate([[begin], inner, [begin + length]])
    return float(np.trapezoid(np.interp(at, times, values), at))


def diameter_voxels(concentration: Concentration, aif: VesselCurve) -> float:
    """Measure the width of the artery around the chosen voxels, in voxels in-plane; 0 without voxels.

    The width is that of the widest disc within which all peaks reach 80 % of the curve's own: in an
    artery that runs in-plane through a thick slice the peaks form a dome, which does not count as wide.
    """
    if not len(aif.voxels):
        return 0.0
    peaks = concentration.curves.max(axis=1)
    flat = row_mask(concentration, np.flatnonzero(peaks >= _FLAT * float(aif.values.max())))
    seed = np.zeros_like(flat)
    seed[tuple(aif.voxels.T)] = True
    widest = 0.0
    for k in np.unique(aif.voxels[:, 2]):
        depth = ndimage.distance_transform_edt(np.pad(flat[:, :, k], 1))[1:-1, 1:-1]
        inside: Mask = seed[:, :, k]
        widest = max(widest, 2.0 * float(depth[inside].max()) - 1.0)
    return widest


def correct_partial_volume(
    aif: VesselCurve, vof: VesselCurve, diameter: float
) -> tuple[VesselCurve, float, tuple[Finding, ...]]:
    """Scale the arterial curve so that its area is that of the venous curve, within guards.

    Parameters
    ----------
    aif, vof
        Curves on one clock, in one unit.
    diameter
        In-plane width of the artery [voxels].

    Returns
    -------
    The arterial curve, the factor (1 where nothing was done), and `PV_RATIO` where the ratio is out of
    range. Nothing is scaled where the venous curve is cut off (end above 30 % of the peak), where the
    ratio is outside 1-2.5, or where the artery is wider than 3 voxels and needs no correction.

    Notes
    -----
    The true area of an internal carotid exceeds that of the sinus in most patients (Riordan et al.):
    scaling down would raise CBF and CBV wrongly, so that ratios below 1 are left alone.

    References
    ----------
    Riordan et al., PLoS ONE 9:e97586 (2014), doi:10.1371/journal.pone.0097586
    """
    ratio = area_ratio(aif, vof)
    low, high = _RATIOS
    truncated = vof.quality["tail"] > _TRUNCATED_TAIL
    if truncated or not low <= ratio <= high:
        return aif, 1.0, () if truncated else _out_of_range(ratio)
    if diameter > _LARGE_VOXELS:
        return aif, 1.0, ()
    quality = dict(aif.quality)
    for name in ("peak", "auc"):
        quality[name] *= ratio
    scaled = replace(
        aif,
        values=aif.values * ratio,
        origin=f"{aif.origin}; scaled by {ratio:.2f} to the venous area",
        quality=quality,
    )
    return scaled, ratio, ()


def _out_of_range(ratio: float) -> tuple[Finding, ...]:
    low, high = _PLAUSIBLE
    if low <= ratio < _RATIOS[0]:
        return ()
    text = (
        f"The venous curve has {ratio:.2f} times the area of the arterial one: no partial-volume correction "
        "was made. Absolute CBF and CBV may be off by this factor; relative maps and times are not."
    )
    severity = Severity.WARN if not low <= ratio <= high else Severity.INFO
    return (Finding("PV_RATIO", severity, text, ratio),)
