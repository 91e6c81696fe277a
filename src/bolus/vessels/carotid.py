"""The internal carotid artery in an X-ray run, by when and how strongly its pixels fill."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.brain import Brain
from bolus.core.errors import NoVessel
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.vessel import Vessels
from bolus.physics import features
from bolus.vessels.candidates import smoothed
from bolus.vessels.selection import find_vessels

_TALL: Final = 0.05
"""Share of the field, the densest, that vessels are looked for in."""
_EARLY: Final = 0.10
"""Share of these, the first to fill, that the artery is looked for in."""
_TOGETHER_S: Final = 0.5
"""How much later than the first of it the rest of the artery fills [s]: 75 mm at 275 mm/s, and noise."""
_ARRIVED: Final = 0.3
"""Share of its peak at which a pixel counts as filled: below, noise and the tissue in front tell."""
_EDGE: Final = 0.4
"""Share of the density of its middle at which an artery ends: a round one falls to it at 0.92 radii."""
_SIGMAS_MM: Final = (0.8, 1.4, 2.0)
"""Scales at which tubes are looked for [mm]: an internal carotid has a radius of 2-2.5 mm."""
_ROUND: Final = 0.5
"""Greatest ratio of the bends along and across a tube."""
_LOWER, _CENTRAL = 0.45, 0.70
"""Part of the field, from below and about its middle, that the artery enters through."""
_AREA_MM2: Final = (25.0, 1500.0)
"""Least and greatest area of the artery [mm2]: 120 mm of 5 mm are 600."""
_LEAST_NAT: Final = 0.05
_NEAR_MM: Final = 7.0
"""How far to each side the densest pixel is looked for that others are compared with [mm]: farther than an
artery is wide, so that its middle is in sight from all of it, but not the whole of its course."""
_MIDDLE: Final = 0.4
"""Part of that density from which a pixel counts for the artery's curve: a round artery falls to it at 0.92
radii. On 52 simulated views CBV, CBF and MTT depend by less than 5 % on the outline with 0.4 within 7 mm, and
with 0.5 within 5 mm; the former raises the curve less and bends it less where contrast is faint."""
_FILLED: Final = 0.5
"""Part of its peak at which the mean of an artery counts as filled."""
_SMOOTH_MM: Final = 0.35
"""Standard deviation of the Gaussian that densities are compared after [mm]: else the densest
nearby would be one of noise."""


def find_carotid(contrast: Concentration, minip: Volume, field: Mask) -> Mask:
    """Find the internal carotid artery without a network.

    Of the densest 5 % of the field, those tubular pixels in its lower middle that fill first (10 %) are its
    seeds. What touches them, fills within 0.5 s of them and is 0.4 times as dense belongs to it.

    Parameters
    ----------
    contrast
        Density of contrast [nat] inside the field, curves `(pixels, t)`.
    minip
        Its projection, of `bolus.tracer.minip`, shape `(x, y, 1)` [nat]; y runs downwards.
    field
        The exposed field, shape `(x, y, 1)`.

    Returns
    -------
    Shape `(x, y, 1)`. Another artery that was injected alone, such as the external carotid, fills first as
    well and is returned; a network tells them apart.

    Raises
    ------
    NoVessel
        If nothing dense, tubular and early is in the lower middle of the field.
    ShapeMismatch
        If projection or field do not fit the run.

    Notes
    -----
    A fall-back after the definition of Marc et al., whose network outlines the artery; thresholds are ours.

    References
    ----------
    Frangi et al., MICCAI 1998, LNCS 1496:130-137, doi:10.1007/BFb0056195
    """
    contrast.grid.require_shape(minip.shape, "the projection")
    contrast.grid.require_shape(field.shape, "the field")
    inside = field[..., 0] & contrast.mask[..., 0]
    picture = np.where(inside, minip[..., 0], np.float32(0.0))
    tall = _tallest(picture, inside)
    arrival = _arrivals(contrast, tall)
    seeds = _seeds(picture, tall, arrival, contrast.grid.spacing_mm[:2])
    chosen = _grown(contrast, picture, seeds, float(np.median(arrival[seeds])))
    area_mm2 = np.count_nonzero(chosen) * float(np.prod(contrast.grid.spacing_mm[:2]))
    if not _AREA_MM2[0] <= area_mm2 <= _AREA_MM2[1]:
        raise _no_carotid(f"an area of {area_mm2:.0f} mm2 that fills first")
    return np.asarray(chosen[..., None])


def _no_carotid(found: str) -> NoVessel:
    return NoVessel(
        "no internal carotid artery could be found",
        wanted="a dense vessel in the lower middle of the field that fills first",
        found=found,
        remedy="Give a place in it, or a mask, with --aif x,y,z|MASK.nii.gz.",
    )


def _tallest(picture: Float32s, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the densest pixels of the field after a little smoothing, shape `(x, y)`."""
    if not inside.any():
        raise _no_carotid("an empty field")
    smooth = ndimage.gaussian_filter(picture, 1.0)
    level = max(float(np.quantile(smooth[inside], 1.0 - _TALL)), _LEAST_NAT)
    tall: NDArray[np.bool_] = inside & (smooth >= level)
    if not tall.any():
        raise _no_carotid(f"a greatest density of {float(picture.max()):.2f} nat")
    return tall


def _arrivals(contrast: Concentration, where: NDArray[np.bool_]) -> Float32s:
    """Return when pixels fill [s], shape `(x, y)`; NaN elsewhere."""
    rows = contrast.rows(where[..., None])
    curves = contrast.curves[rows]
    when = np.full(where.shape, np.nan, dtype=np.float32)
    finite = np.isfinite(curves).all(axis=1)
    found = np.full(rows.size, np.nan, dtype=np.float32)
    found[finite] = features.arrival(smoothed(curves[finite], contrast.dt), contrast.times, fraction=_ARRIVED)
    when[where & contrast.mask[..., 0]] = found
    return when


def tubularity(picture: Float32s, spacing_mm: tuple[float, ...]) -> Float32s:
    """Return how much each pixel of a picture looks like the middle of a bright tube, shape `(x, y)`.

    The greatest bend across, over the scales, where the picture bends less than half as much along; else 0.
    """
    best = np.zeros(picture.shape, dtype=np.float32)
    for sigma_mm in _SIGMAS_MM:
        sigma = tuple(max(sigma_mm / step, 0.7) for step in spacing_mm[:2])
        xx, xy, yy = (
            ndimage.gaussian_filter(picture, sigma, order=order) * sigma[0] * sigma[1]
            for order in ((2, 0), (1, 1), (0, 2))
        )
        middle, apart = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
        across = np.maximum(-(middle - apart), 0.0)
        along = np.abs(middle + apart)
        best = np.maximum(best, np.where(along < _ROUND * across, across, 0.0))
    return np.asarray(best, dtype=np.float32)


def _seeds(
    picture: Float32s, tall: NDArray[np.bool_], arrival: Float32s, spacing_mm: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Return the tubular pixels that fill first, of those in the lower middle, shape `(x, y)`."""
    tubes = tubularity(picture, spacing_mm)
    strong = tall & np.isfinite(arrival)
    strong &= tubes > 0.5 * float(np.quantile(tubes[tall], 0.5))
    strong &= _lower_middle(picture.shape)
    if not strong.any():
        raise _no_carotid("no tube in the lower middle")
    first = float(np.quantile(arrival[strong], _EARLY))
    return np.asarray(strong & (arrival <= first + 0.5 * _TOGETHER_S))


def _lower_middle(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    x, y = np.indices(shape[:2], sparse=True)
    beside = np.abs(x / max(shape[0] - 1, 1) - 0.5) <= 0.5 * _CENTRAL
    return np.asarray(beside & (y / max(shape[1] - 1, 1) >= 1.0 - _LOWER))


def _grown(
    contrast: Concentration, picture: Float32s, seeds: NDArray[np.bool_], first: float
) -> NDArray[np.bool_]:
    """Return the connected part that is as dense and fills as early as the seeds it holds, shape `(x, y)`.

    Of several such parts the one with most seeds.
    """
    dense = float(np.median(picture[seeds]))
    pool = picture >= _EDGE * dense
    pool &= _arrivals(contrast, pool) <= first + _TOGETHER_S  # NaN is later than anything
    labels, n = ndimage.label(ndimage.binary_opening(pool, np.ones((2, 2), dtype=np.bool_)))
    held = np.bincount(labels[seeds], minlength=n + 1)
    held[0] = 0
    return np.asarray(labels == int(np.argmax(held))) if held.any() else np.zeros_like(pool)


def largest_part(mask: Mask, at_least: float = 0.6) -> tuple[Mask, Finding | None]:
    """Keep the largest part of a mask, if it is most of it.

    Parameters
    ----------
    mask
        Shape `(x, y, z)`.
    at_least
        Share of the mask that the largest part (26-connected) must hold for the rest to be left out.

    Returns
    -------
    The largest part; or the whole mask with `CAROTID_PARTS` where no part is large enough: leaving out the
    others would then lose as much as it mends (Marc 2023 found a lower mean). An empty mask is returned as
    it is.
    """
    labels, n = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=np.bool_))
    if n < 2:
        return mask, None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    share = float(sizes.max() / sizes.sum())
    if share >= at_least:
        return np.asarray(labels == int(np.argmax(sizes))), None
    text = (
        f"The mask of the artery has {n} parts, of which the largest holds {share:.0%} (wanted "
        f"{at_least:.0%}): all are used. Look at its outline."
    )
    return mask, Finding("CAROTID_PARTS", Severity.WARN, text, share)


def carotid_input(contrast: Concentration, mask: Mask, origin: str = "", *, whole: bool = False) -> Vessels:
    """Average the contrast of an X-ray run over a mask of its artery, but for its rim.

    Where exactly an outline runs decides how many pixels of the rim it holds, which show little of the artery
    or none. Those count that are, while the artery is filled, at least 0.4 times as dense as the densest
    within 7 mm: the middle of the artery at this place, however pale it is there. A threshold for the whole
    artery would leave out its pale stretches or keep their rim, as the mask holds more or less of others.

    Parameters
    ----------
    contrast
        Density of contrast [nat], curves `(pixels, t)`.
    mask
        The artery, shape `(x, y, 1)`.
    origin
        How it was found, in words for the report; empty: as `find_vessels` has it.
    whole
        Average all pixels alike, as Marc et al. do.

    Returns
    -------
    The mean curve with its quality figures (`n_voxels` of them averaged) and the voxels of the whole mask; no
    vein, no partial-volume factor.

    Raises
    ------
    NoVessel
        If no pixel of the mask has a curve.
    ShapeMismatch
        If the mask does not fit the run.
    """
    everything = Brain(contrast.mask, contrast.mask, np.zeros_like(contrast.mask))
    contrast.grid.require_shape(mask.shape, "the mask of the artery")
    used = mask if whole else _without_rim(contrast, mask)
    found = find_vessels(contrast, everything, aif=used, vof="none", partial_volume=False)
    words = origin or found.aif.origin
    if not whole:
        words += ", without its rim"
    voxels = np.argwhere(mask & contrast.mask)
    return replace(found, aif=replace(found.aif, origin=words, voxels=voxels))


def _without_rim(contrast: Concentration, mask: Mask) -> Mask:
    """Return the pixels of a mask that are dense for their place in it, shape `(x, y, 1)`.

    Pixels without a number do not count, unless there are no others.
    """
    inside = mask & contrast.mask
    known = np.array(inside)
    known[inside] = np.isfinite(contrast.curves[contrast.rows(mask)]).all(axis=1)
    if not known.any():
        return inside
    dense = _when_filled(contrast, known)
    reach = [2 * max(round(_NEAR_MM / step), 1) + 1 for step in contrast.grid.spacing_mm[:2]]
    densest = ndimage.maximum_filter(np.where(known, dense, np.float32(0.0)), size=(*reach, 1))
    used = known & (dense >= _MIDDLE * densest)
    return used if used.any() else known


def _when_filled(contrast: Concentration, artery: Mask) -> Volume:
    """Return the smoothed mean density while an artery is filled, shape `(x, y, 1)` [nat].

    Neither veins nor what the head did before or after come into it.
    """
    course = contrast.curves[contrast.rows(artery)].mean(axis=0)
    top = float(course.max())
    filled = (course >= top - (1.0 - _FILLED) * abs(top)).astype(np.float32)
    means = contrast.curves @ (filled / filled.sum())
    picture = np.nan_to_num(contrast.image(means, fill=0.0), posinf=0.0, neginf=0.0)
    sigma = [_SMOOTH_MM / step for step in contrast.grid.spacing_mm[:2]]
    return np.asarray(ndimage.gaussian_filter(picture, (*sigma, 0.0)))
