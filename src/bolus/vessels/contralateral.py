"""The rule that a late artery of the affected side must not be the reference."""

from __future__ import annotations

import numpy as np

from bolus.core.arrays import Float32s, Mask
from bolus.core.errors import NoVessel
from bolus.core.lesion import Lesions
from bolus.core.series import Concentration
from bolus.core.vessel import Vessels
from bolus.physics import features
from bolus.vessels.candidates import smoothed
from bolus.vessels.search import find_by_score

_LATE_S = 1.0
"""An ipsilateral artery that arrives later than this after the other side's is not used [s]."""


def is_ipsilateral_and_late(vessels: Vessels, concentration: Concentration, lesions: Lesions) -> bool:
    """Tell whether the arterial curve lies on the affected side and arrives late there.

    Behind an occlusion of the carotid or the middle cerebral artery the curve is late and dispersed;
    delays of healthy tissue would become negative.

    Parameters
    ----------
    vessels
        What was found.
    concentration
        What it was found in: unfiltered curves `(voxels, t)`.
    lesions
        The lesions, for their side and midline.

    Returns
    -------
    True where most voxels of an automatically found AIF are on the affected side and it arrives more
    than 1 s after the best artery of the other side. A curve that the user gave is never late.
    """
    aif = vessels.aif
    automatic = aif.origin.startswith("automatic") and len(aif.voxels) > 0
    if not automatic or lesions.midline is None or lesions.side == "none":
        return False
    affected = _is_affected(lesions, concentration.grid.position_mm(aif.voxels))
    if affected.mean() <= 0.5:
        return False
    other = _other_side(concentration, lesions)
    tissue = np.nanmean(concentration.curves[concentration.rows(lesions.tissue)], axis=0)
    try:
        rows = find_by_score(concentration, other, tissue).rows
    except NoVessel:
        return False
    best = concentration.curves[rows].mean(axis=0)
    return _arrival(np.asarray(aif.values), concentration) > _arrival(best, concentration) + _LATE_S


def _is_affected(lesions: Lesions, position_mm: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Mask:
    if lesions.midline is None:
        return np.zeros(position_mm.shape[:-1], dtype=np.bool_)
    right = lesions.midline.distance_mm(position_mm) > 0
    return right if lesions.side == "right" else ~right


def _other_side(concentration: Concentration, lesions: Lesions) -> Mask:
    """Return the voxels on the unaffected side of the midline, shape `(x, y, z)`."""
    other = np.zeros_like(concentration.mask)
    where = np.argwhere(concentration.mask)
    affected = _is_affected(lesions, concentration.grid.position_mm(where))
    other[tuple(where[~affected].T)] = True
    return other


def _arrival(values: Float32s, concentration: Concentration) -> float:
    row = smoothed(np.asarray(values, dtype=np.float32)[None], concentration.dt)
    return float(features.arrival(row, concentration.times, fraction=0.2)[0])
