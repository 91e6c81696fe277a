"""The posterior over delay, transit time and shape of residue, on a grid; flow integrated out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curve, Float32s, Float64s, Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Estimate
from bolus.deconvolve.atoms import SHAPES, Atoms, late_after, make_atoms, whitened
from bolus.deconvolve.method import is_number, require_switch
from bolus.deconvolve.mixture import WITHIN_STEP, Belief, Mixture, believe, weights
from bolus.deconvolve.osvd import osvd
from bolus.deconvolve.problem import Problem, pose
from bolus.physics.transport import Residue

LATE_AFTER_S: Final = 6.0
"""Tmax beyond which tissue counts as hypoperfused (Straka et al. 2010)."""
APART_S: Final = 1.5
"""How far Tmax as read may lie from what the posterior expects [s]."""
N_SAMPLED: Final = 4096
"""Voxels from which the shapes of a scan are learned."""
N_ROUNDS: Final = 12
"""Rounds of learning; the weights no longer change in the second digit after eight."""
TISSUE_VOLUMES: Final = (0.2, 3.0)
"""Volumes of tissue over their median. More is a vessel, less is noise."""


def posterior(  # noqa: PLR0913  options, by keyword
    curves: Floats,
    aif: Curve,
    dt: float,
    /,
    *,
    shapes: Mapping[str, float] = MappingProxyType({}),
    independence: float = 1.0,
    baseline: float = 0.0,
    leaning: Float32s | None = None,
    peaks: bool = True,
    residues: bool = False,
) -> Estimate:
    """Estimate flow, transit time and delay by their posterior means, whatever the shape of the residue.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    shapes
        How likely each shape of residue is, by name (`exponential`, `gamma 2`, `gamma 4`, `linear`, `box`);
        unset: all alike. `bolus.deconvolve.deconvolve` learns them from the scan.
    independence
        Part of the samples that is independent, 0 to 1; learned from the scan as well.
    baseline
        How many samples' worth the pre-contrast level is known, which was taken from all of them; 0: exactly.
        `bolus.deconvolve.deconvolve` takes the frames of the baseline.
    leaning
        Each voxel's own prior, `(voxels, 4)`, instead of the common one for late tissue; from its
        neighbours, see `bolus.deconvolve.neighbours`. Zeros hold all delays from 0 on equally likely.
    peaks
        Whether to read Tmax from the residue's peak; else it is what the posterior expects.
    residues
        Whether to keep the posterior mean of `k` of every voxel.

    Returns
    -------
    Flow [1/s], Tmax, MTT and delay [s], with their standard deviations and that of `volume`, and as `extra`
    the chance that Tmax exceeds 6 s, `PTmax6`; shape `(voxels,)`. NaN where a curve is 0 throughout, not
    finite, or goes down instead of up. Where noise hides all contrast, flow is 0, with its deviation.

    Raises
    ------
    ShapeMismatch
        If curves and arterial curve differ in length.
    BadTimes
        If there are fewer than 8 frames, or `dt` is not positive.
    NoBolus
        If the arterial curve holds no bolus.
    BadRecipe
        If a shape is unknown, its likelihood negative, `independence` or `baseline` out of range.

    References
    ----------
    Boutelier et al., IEEE Trans Med Imaging 31:1381-1395 (2012), doi:10.1109/TMI.2012.2189890

    Notes
    -----
    Boutelier et al. sample a smooth residue of any form. Here the residue is one of five shapes with a
    prior each, on a grid of delays (-4 to 18 s) and transit times (2 to 30 s), see `atoms`; what that loses
    in freedom it gains in certainty and in time. Volume is as likely at one size as at another, flow is
    posterior volume over posterior transit time, so that the central volume theorem holds between the maps.
    Tmax is read from the residue of `osvd`, within 1.5 s of what the posterior expects such a
    deconvolution to read: thresholds such as 6 s were found on that Tmax. How far the two lie apart counts
    into its standard deviation.
    Noise is each voxel's own, from what the best atom leaves over.
    """
    problem = pose(curves, aif, dt)
    atoms = make_atoms(problem.aif, problem.dt, SHAPES, require_count(baseline))
    seen = whitened(problem.curves, baseline)
    mixture = Mixture.of(atoms, shape_weights(shapes, SHAPES), averaged(atoms), late_after(leaning))
    belief = believe(seen, mixture, independence=require_part(independence), leaning=leaning)
    estimate = estimated(belief, problem, peaks=require_switch(peaks, "peaks"))
    if not residues:
        return estimate
    return with_residues(
        estimate, seen, (mixture, independence, leaning), residue_table(atoms, problem, SHAPES)
    )


def averaged(atoms: Atoms) -> Float64s:
    """Return what is averaged over atoms: first and second moments of times, and lateness, `(7, atoms)`.

    Second moments hold the spread within a step of the grid.
    """
    within = atoms.width_s**2 / 12.0
    late = np.clip((atoms.tmax - LATE_AFTER_S) / atoms.width_s + 0.5, 0.0, 1.0)
    return np.stack(
        [
            atoms.delay,
            atoms.delay**2 + within,
            atoms.mtt,
            atoms.mtt**2 * (1.0 + WITHIN_STEP),
            atoms.tmax,
            atoms.tmax**2 + within,
            late,
        ]
    )


def estimated(belief: Belief, problem: Problem, *, peaks: bool) -> Estimate:
    """Turn means over `averaged` into an estimate, with Tmax read near them if peaks are asked for."""
    delay, delay2, mtt, mtt2, expected, expected2, late = belief.means.T[:7]
    tmax = read_tmax(problem, expected) if peaks else np.ascontiguousarray(expected)
    apart = tmax - expected
    return Estimate(
        flow=belief.volume / mtt,
        tmax=tmax,
        mtt=np.ascontiguousarray(mtt),
        delay=np.ascontiguousarray(delay),
        expected=np.ascontiguousarray(expected),
        sd={
            "flow": belief.flow_sd,
            "volume": belief.volume_sd,
            "mtt": deviation(mtt, mtt2),
            "delay": deviation(delay, delay2),
            "tmax": np.sqrt(deviation(expected, expected2) ** 2 + apart**2),
        },
        extra={"PTmax6": np.ascontiguousarray(late)},
    )


def read_tmax(problem: Problem, expected: Float32s) -> Float32s:
    """Return where the regularised residue peaks, near to where the posterior expects it [s].

    Where a voxel holds tissue of two delays, no single residue fits, and its peak is the better witness; far
    from what the posterior allows it is noise.
    """
    peaks = osvd(problem.curves, problem.aif, problem.dt).tmax
    near = np.clip(peaks, expected - np.float32(APART_S), expected + np.float32(APART_S))
    return np.where(np.isfinite(near), near, expected).astype(np.float32)


def deviation(mean: Float32s, of_squares: Float32s) -> Float32s:
    """Return the standard deviation from the means of values and of their squares."""
    return np.sqrt(np.maximum(of_squares - mean * mean, 0.0))


def shape_weights(given: Mapping[str, float], known: Mapping[str, Residue]) -> Float64s:
    """Return the prior of each known shape, summing to 1; all alike where none is given."""
    if not isinstance(given, Mapping) or not all(is_number(part) for part in given.values()):
        raise BadRecipe("shapes are no table of numbers", wanted="{ NAME = NUMBER, ... }", found=repr(given))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise BadRecipe(f"unknown shape {unknown[0]}", wanted=" or ".join(known), found=unknown[0])
    prior = np.array([float(given.get(name, 0.0)) if given else 1.0 for name in known])
    if not (np.isfinite(prior).all() and prior.min() >= 0 and prior.sum() > 0):
        raise BadRecipe(
            "likelihoods of shapes are out of range", wanted="0 or more, one above 0", found=str(dict(given))
        )
    return np.asarray(prior / prior.sum(), dtype=np.float64)


def require_part(value: float) -> float:
    """Return a part between 0 (not included) and 1, or raise `BadRecipe`."""
    if not is_number(value) or not 0 < value <= 1:
        raise BadRecipe(
            "independence is out of range", wanted="a number above 0, at most 1", found=repr(value)
        )
    return float(value)


def require_count(value: float) -> float:
    """Return a number of samples, 0 or more, or raise `BadRecipe`."""
    if not is_number(value) or not (np.isfinite(value) and value >= 0):
        raise BadRecipe(
            "baseline is out of range", wanted="a number of samples, 0 or more", found=repr(value)
        )
    return float(value)


def learn_shapes(curves: Floats, aif: Curve, dt: float, options: Mapping[str, Any], /) -> Mapping[str, Any]:
    """Learn from the scan which shapes its residues have and how independent its samples are.

    Parameters
    ----------
    curves, aif, dt
        As a method takes them; at most 4096 voxels, evenly spread, are looked at.
    options
        What was chosen; `shapes` and `independence` that are set stay.

    Returns
    -------
    The options with both.

    Notes
    -----
    Empirical Bayes: a shape is as likely as tissue finds it. One voxel cannot tell a wide box from a short
    exponential, thousands can; a wrong shape biases flow by a factor of up to two. Learned from each scan,
    the prior of delay and transit time would pull lesions towards healthy tissue; it is fixed.
    """
    return learn(curves, aif, dt, options, SHAPES)


def learn(
    curves: Floats, aif: Curve, dt: float, options: Mapping[str, Any], known: Mapping[str, Residue]
) -> Mapping[str, Any]:
    """Return options with the likelihood of each known shape and the independence of samples."""
    sampled = np.asarray(curves)[:: max(1, len(curves) // N_SAMPLED)]
    problem = pose(sampled[np.isfinite(sampled).all(axis=1)], aif, dt)
    prior = shape_weights(options.get("shapes", {}), known)
    baseline = require_count(options.get("baseline", 0.0))
    if baseline:
        baseline *= surplus(problem, known, prior)
        options = {**options, "baseline": baseline}
    atoms = make_atoms(problem.aif, problem.dt, known, baseline)
    curves = whitened(problem.curves, baseline)
    table = (np.arange(len(known))[:, None] == atoms.shape).astype(np.float64)
    belief = believe(curves, Mixture.of(atoms, prior, table))
    settled = {"independence": independence_of(curves, atoms, belief), **options}
    require_part(settled["independence"])
    if "shapes" in options:
        return settled
    for _ in range(N_ROUNDS):
        tissue = _is_tissue(belief.volume)
        if not tissue.any():
            return settled
        prior = belief.means[tissue, : len(known)].mean(axis=0, dtype=np.float64)
        belief = believe(curves, Mixture.of(atoms, prior, table), independence=settled["independence"])
    return {**settled, "shapes": {name: float(p) for name, p in zip(known, prior, strict=True)}}


def surplus(problem: Problem, known: Mapping[str, Residue], prior: Float64s) -> float:
    """Return how many times the noise before contrast fits leave over, as variance; at least 1.

    The level before contrast is uncertain by noise alone. Where tissue is unlike any atom, as where an
    arterial curve is cut off at its peak, what is left over is more than noise and must not move the level.
    """
    atoms = make_atoms(problem.aif, problem.dt, known)
    belief = believe(problem.curves, Mixture.of(atoms, prior, np.zeros((0, len(atoms.mtt)))))
    before = problem.curves[:, : int(np.argmax(problem.aif != 0))]
    tissue = _is_tissue(belief.volume)
    if before.shape[1] < 3 or not tissue.any():
        return 1.0
    n_free = before.shape[1] - 1
    middle = (1.0 - 2.0 / (9.0 * n_free)) ** 3  # median of a chi-squared variable over its mean
    noise = float(np.median(before[tissue].var(axis=1, ddof=1))) / middle
    return max(float(np.median(belief.noise[tissue])) / noise, 1.0) if noise > 0 else 1.0


def _is_tissue(volume: Float32s) -> NDArray[np.bool_]:
    """Mark voxels with a volume that tissue may have."""
    some = volume[volume > 0]
    if not some.size:
        return np.zeros(volume.shape, dtype=np.bool_)
    middle = np.median(some)
    return np.asarray((volume > TISSUE_VOLUMES[0] * middle) & (volume < TISSUE_VOLUMES[1] * middle))


def independence_of(curves: Floats, atoms: Atoms, belief: Belief) -> float:
    """Return how much of the samples is independent: from the correlation of neighbouring residuals.

    For noise of correlation `r` from one sample to the next, ``(1 - r) / (1 + r)``; the median over voxels,
    within 0.2-1. Fitting leaves white noise slightly negative correlations, which count as none.
    """
    found = np.isfinite(belief.volume)
    rows = np.flatnonzero(found)[:: max(1, int(found.sum()) // 512)]
    fitted = atoms.curves[belief.best[rows]]
    if not rows.size:
        return 1.0
    kept = curves[rows].astype(np.float64)
    scale = (kept * fitted).sum(axis=1) / (fitted**2).sum(axis=1)
    rest = kept - scale[:, None] * fitted
    power = np.maximum((rest**2).sum(axis=1), 1e-30)
    correlation = float(np.median((rest[:, 1:] * rest[:, :-1]).sum(axis=1) / power))
    return float(np.clip((1 - correlation) / (1 + correlation), 0.2, 1.0))


def residue_table(atoms: Atoms, problem: Problem, known: Mapping[str, Residue]) -> tuple[Float64s, Float32s]:
    """Return lags from -5 s to the end of the scan [s], and each atom's residue there, `(atoms, lags)`."""
    lags: Float64s = np.arange(-int(5.0 / problem.dt), problem.aif.size, dtype=np.float64) * problem.dt
    table = np.empty((len(atoms.mtt), lags.size), dtype=np.float32)
    for number, residue in enumerate(known.values()):
        rows = atoms.shape == number
        after = lags[None, :] - atoms.delay[rows, None]
        table[rows] = np.where(after >= 0, residue(np.maximum(after, 0.0), atoms.mtt[rows, None]), 0.0)
    return lags, table


def with_residues(
    estimate: Estimate,
    curves: Floats,
    belief: tuple[Mixture, float, Float32s | None],
    lags: tuple[Float64s, Float32s],
) -> Estimate:
    """Add the posterior mean of `k` at lags to an estimate, of curves as `whitened` leaves them."""
    mixture, independence, leaning = belief
    times, table = lags
    found = np.full((len(curves), times.size), np.nan, dtype=np.float32)
    for rows, likely, flow in weights(curves, mixture, independence=independence, leaning=leaning):
        found[rows] = (likely * flow)[:, : len(table)] @ table
    found[~np.isfinite(estimate.flow)] = np.nan
    return replace(estimate, residues=found, lags=times.astype(np.float32))
