"""Search for the large sinuses: tall, late, at the back near the middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Mask
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.physics import features
from bolus.vessels.candidates import Chosen, Traits, clusters, measure, surrounded, usable_rows

N_VOXELS = 100
"""Voxels that the venous curve is the mean of, at most (Gava 2023)."""
_FEWEST = 9
"""Voxels that a sinus has at least."""
_MIDDLE_MM = 15.0
"""How far from the middle the sagittal sinus and the torcula may lie [mm]."""
_LATER_S = (2.0, 15.0)
"""Arrival after the artery at least, peak after the artery at most [s]."""
_WIDTH_S = (3.0, 40.0)
"""Full width at half maximum [s]; clinical venous curves are 9-23 s wide."""
_PURE = 0.8
"""Share of the height of the purest voxels below which a voxel is partly tissue."""


def find_vein(concentration: Concentration, inside: Mask, aif: VesselCurve) -> Chosen | None:
    """Find the voxels of a large venous sinus.

    Candidates arrive at least 2 s after the artery, peak at most 15 s after it and are tall. They are
    looked for at the back within 15 mm of the middle first (superior sagittal sinus, torcula), then
    anywhere; of the clusters of at least 9 touching voxels the tallest wins, and those 100 of its voxels
    are taken that reach 80 % of its height and lie deepest inside it.

    Parameters
    ----------
    concentration
        Unfiltered curves `(voxels, t)`.
    inside
        Where veins may be, shape `(x, y, z)`.
    aif
        The arterial curve, for its times.

    Returns
    -------
    The voxels, with `VOF_EARLY` where only veins less than 2 s after the artery were found; None where
    there is no vein.

    Notes
    -----
    Ranked by the height of their neighbourhood: the greatest peaks and areas are those with the most
    noise on top, and raised the venous area by 10-16 % in simulated studies of 6-10 HU noise.
    """
    rows, peaks = usable_rows(concentration, inside)
    if rows.size < _FEWEST:
        return None
    tall = measure(concentration, rows[peaks >= _floor(peaks)])
    place = _sagittal(concentration, inside)
    for later_s in (_LATER_S[0], 0.5):
        late = tall.only(_venous(tall, aif, later_s))
        for where in (place, inside):
            found = _tallest(concentration, late.only(where[concentration.mask][late.rows]))
            if found is not None:
                return Chosen(found, "automatic, late and tall", _early(later_s))
    return None


def _floor(peaks: NDArray[np.float32]) -> float:
    """Return 30 % of the height of the tallest voxels, a few spikes aside."""
    few = min(_FEWEST, peaks.size - 1)
    return 0.3 * float(np.partition(peaks, -few - 1)[-few - 1])


def _early(later_s: float) -> tuple[Finding, ...]:
    if later_s >= _LATER_S[0]:
        return ()
    text = "The venous curve arrives less than 2 s after the arterial one: check both places."
    return (Finding("VOF_EARLY", Severity.WARN, text, later_s),)


def _venous(traits: Traits, aif: VesselCurve, later_s: float) -> NDArray[np.bool_]:
    row = np.asarray(aif.values, dtype=np.float32)[None]
    arrival = float(features.arrival(row, aif.times, fraction=0.2)[0])
    ttp = float(features.time_to_peak(row, aif.times)[0])
    low, high = _WIDTH_S
    venous: NDArray[np.bool_] = (
        (traits.arrival >= arrival + later_s)
        & (traits.ttp > ttp)
        & (traits.ttp <= ttp + _LATER_S[1])
        & (traits.width >= low)
        & (traits.width <= high)
        & (traits.lowest >= -0.3)
    )
    return venous


def _sagittal(concentration: Concentration, inside: Mask) -> Mask:
    """Return the back half of the brain within 15 mm of its middle."""
    place = np.zeros_like(inside)
    x, y, _ = np.nonzero(inside)
    if not x.size:
        return place
    middle, reach = 0.5 * float(x.min() + x.max()), _MIDDLE_MM / concentration.grid.spacing_mm[0]
    columns = np.abs(np.arange(inside.shape[0]) - middle) <= reach
    back = np.arange(inside.shape[1]) > 0.5 * float(y.min() + y.max())
    place[np.ix_(columns, back)] = True
    return place & inside


def _tallest(concentration: Concentration, late: Traits) -> NDArray[np.intp] | None:
    """Return the purest rows of the tallest cluster, or None where none is large enough."""
    if late.rows.size < _FEWEST:
        return None
    top = float(np.sort(late.height)[-_FEWEST])
    tall = late.only(late.height >= 0.5 * top)
    cluster = clusters(concentration, tall.rows)
    best, height = None, 0.0
    for k in np.flatnonzero(np.bincount(cluster) >= _FEWEST):
        members = np.flatnonzero(cluster == k)
        found = float(np.sort(tall.height[members])[-_FEWEST:].mean())
        if found > height:
            best, height = members, found
    if best is None:
        return None
    depth = surrounded(concentration, tall)[best]
    return np.sort(tall.rows[best[np.argsort(-depth, kind="stable")[:N_VOXELS]]])
