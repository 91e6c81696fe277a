"""An arterial curve where no artery can be seen: the one that healthy tissue must have been fed by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from bolus.core.arrays import Curves, Float64s, Mask
from bolus.core.errors import NoVessel
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.physics import features
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import gamma_residue, tissue_curves
from bolus.vessels.candidates import smoothed
from bolus.vessels.quality import curve_quality

NAME: Final = "tissue"
"""What a recipe calls it."""
CODE: Final = "NO_ARTERY"
HEALTHY_CBF: Final = 39.0
HEALTHY_CBV: Final = 2.6
"""Flow [mL/100 g/min] and volume [mL/100 g] of grey and white matter in equal parts (Aichert et al. 2013)."""
HEALTHY_MTT_S: Final = 60.0 * HEALTHY_CBV / HEALTHY_CBF
EARLY_S: Final = 0.6
"""How long contrast is on its way from a large artery to early tissue [s]."""
_SPREAD: Final = 2.0
"""Shape of the gamma-distributed transit times: between an exponential (1) and plug flow."""
_BLOCK_MM: Final = 12.0
"""Side of the squares whose voxels give one median curve: smaller ones are too noisy for their arrival."""
_FULL: Final = 0.5
"""Part of a square that must be tissue."""
_FEWEST: Final = 4
"""Squares without which there is too little tissue."""
_TALL: Final = 2.5
"""A square whose median curve rises this many times higher than usual is a vessel's."""
_FITS: Final = 0.8
"""Part of the variance over time that the curve, passed through tissue, must explain; noise stays below."""
_CUT: Final = 0.8
"""End over peak from which the bolus is cut off, as in the rule `TRUNCATED`."""
_AGAIN: Final = 2.2
"""How many times wider than the first passage the second is."""
_NOT_MEASURED: Final = frozenset({"cnr", "gamma_r2", "roughness"})
"""Figures that say nothing of a curve made of a formula."""

Shape = Callable[[Float64s], Float64s]


def curve_from_tissue(raw: Concentration, tissue: Mask) -> tuple[VesselCurve, Finding]:
    """Return the arterial curve that would make healthy tissue enhance as its early half does.

    Squares of tissue give one median curve each, which vessels hardly touch; those of the half that
    rises earlier are averaged. A gamma-variate with a wider second passage is fitted so that, passed
    through a delay of 0.6 s and gamma-distributed transit times of 4 s, it gives that mean. Its height
    is the one with which that tissue has 2.6 mL/100 g of blood.

    Parameters
    ----------
    raw
        Unfiltered curves `(voxels, t)`.
    tissue
        Brain tissue, shape `(x, y, z)`.

    Returns
    -------
    The curve, in no voxel and not measured, with the figure `tissue_r2`; and `NO_ARTERY`.

    Raises
    ------
    NoVessel
        If there is too little tissue, no bolus in it, or the scan ends before it leaves.

    References
    ----------
    Aichert et al., digital brain perfusion phantom, University of Erlangen (2013)
    """
    mean = early_tissue(raw, tissue)
    first = raw.baseline[0]  # MR has not settled before
    _require_whole(mean[first:])
    artery, r2 = _fitted(raw.times[first:], mean[first:])
    if not r2 >= _FITS:
        raise _none(f"a mean tissue curve of which a bolus explains {max(r2, 0.0):.0%}")
    values = artery(raw.times)
    figures = curve_quality(values, raw.times, raw.baseline, raw.noise)
    quality = {name: v for name, v in figures.items() if name not in _NOT_MEASURED}
    origin = "made of the curve of early tissue, in no artery"
    curve = VesselCurve(
        "AIF",
        raw.times,
        values,
        raw.unit,
        origin,
        quality={**quality, "n_voxels": 0.0, "tissue_r2": r2},
        measured=False,
    )
    return curve, _told()


def early_tissue(raw: Concentration, tissue: Mask) -> Float64s:
    """Return the mean curve of the half of the tissue that rises earlier, shape `(t,)`.

    Parameters
    ----------
    raw, tissue
        As for `curve_from_tissue`.

    Raises
    ------
    NoVessel
        If there are fewer than four squares of tissue.
    """
    curves = _medians(raw, tissue)
    if len(curves) < _FEWEST:
        raise _none(f"{len(curves)} squares of {_BLOCK_MM:g} mm with brain tissue")
    first = raw.baseline[0]
    smooth = smoothed(curves, raw.dt)[:, first:]
    peak = smooth.max(axis=1)
    rises = (peak > 0) & (peak <= _TALL * np.median(peak))
    if not rises.any():
        raise _none("no tissue that enhances")
    rise = features.arrival(smooth[rises], raw.times[first:], fraction=0.5)
    early = curves[rises][rise <= np.median(rise)]
    return np.asarray(early.mean(axis=0, dtype=np.float64))


def _medians(raw: Concentration, tissue: Mask) -> Curves:
    """Return the median curve of each square of a slice that holds enough tissue, shape `(squares, t)`."""
    rows = raw.rows(tissue)
    rows = rows[np.isfinite(raw.curves[rows]).all(axis=1)]
    sides = [max(round(_BLOCK_MM / mm), 1) for mm in raw.grid.spacing_mm[:2]]
    where: NDArray[np.intp] = np.argwhere(raw.mask)[rows] // (*sides, 1)
    _, square, count = np.unique(where, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(square.ravel(), kind="stable")
    parts = np.split(rows[order], np.cumsum(count)[:-1])
    full = [part for part in parts if part.size >= _FULL * sides[0] * sides[1]]
    medians = [np.median(raw.curves[part], axis=0) for part in full]
    return np.asarray(medians, dtype=np.float32).reshape(len(full), raw.times.size)


def _require_whole(mean: Float64s) -> None:
    peak = float(mean.max())
    if not peak > 0:
        raise _none("no tissue that enhances")
    end = float(features.tail(mean[None].astype(np.float32))[0])
    if end > _CUT:
        raise _none(f"a scan that ends while tissue holds {end:.0%} of its peak")


def _fitted(times: Float64s, mean: Float64s) -> tuple[Shape, float]:
    """Fit the arterial curve; return it as a function of times [s], and r2 with the tissue curve."""
    scale = float(mean.max())

    def misfit(p: Float64s) -> Float64s:
        made = _passed(_passages(p), times)
        return np.asarray((made @ nnls(made, mean)[0] - mean) / scale)

    rise = float(features.arrival(mean[None].astype(np.float32), times)[0])
    least, most = [rise - 8.0, 0.5, 0.3, 8.0], [rise + 2.0, 12.0, 8.0, 26.0]
    start = [rise - EARLY_S, 3.0, 1.5, 16.0]
    found = least_squares(misfit, start, bounds=(least, most), x_scale=[1.0, 1.0, 0.5, 4.0], max_nfev=60)
    passages = _passages(found.x)
    heights = nnls(_passed(passages, times), mean)[0]
    r2 = 1.0 - float(np.sum(found.fun**2)) * scale**2 / float(np.sum((mean - mean.mean()) ** 2))

    def artery(at: Float64s) -> Float64s:
        return np.asarray(sum(height * one(at) for height, one in zip(heights, passages, strict=True)))

    return artery, r2


def _passages(p: Float64s) -> tuple[GammaVariate, GammaVariate]:
    """Return first passage and recirculation, of peak 1, for onset [s], shape, scale [s] and return [s]."""
    onset, alpha, beta, again = (float(v) for v in p)
    return GammaVariate(1.0, onset, alpha, beta), GammaVariate(1.0, onset + again, alpha, _AGAIN * beta)


def _passed(passages: tuple[GammaVariate, GammaVariate], times: Float64s) -> Float64s:
    """Pass each curve through healthy tissue, shape `(t, 2)`."""
    tissue = (np.array([HEALTHY_CBF]), np.array([HEALTHY_MTT_S]), np.array([EARLY_S]))
    made = [tissue_curves(one, times, tissue, residue=_residue, fine_dt=0.1)[0] for one in passages]
    return np.stack(made, axis=1)


def _residue(times: Float64s, mtt: Float64s) -> Float64s:
    return gamma_residue(times, mtt, _SPREAD)


def _none(found: str) -> NoVessel:
    return NoVessel(
        "no arterial curve could be made of tissue",
        wanted="a bolus that enters brain tissue and leaves it again",
        found=found,
        remedy="Give the arterial curve or a place in an artery with --aif FILE.csv|MASK.nii.gz|x,y,z.",
    )


def _told() -> Finding:
    text = (
        "The arterial curve was made of the curve of tissue, in no artery: CBF and CBV are relative, on a "
        f"scale on which early tissue has {HEALTHY_CBV:g} mL/100 g, and times count from its filling. "
        "Compare within this study only."
    )
    return Finding(CODE, Severity.WARN, text, HEALTHY_CBV)
