"""The vascular model: gamma-distributed transit times, their mean and their heterogeneity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Curve, Float32s, Floats
from bolus.core.maps import Estimate
from bolus.deconvolve.atoms import Atoms, late_after, make_atoms, whitened
from bolus.deconvolve.method import require_switch
from bolus.deconvolve.mixture import Mixture, believe
from bolus.deconvolve.posterior import (
    averaged,
    deviation,
    estimated,
    learn,
    require_count,
    require_part,
    residue_table,
    shape_weights,
    with_residues,
)
from bolus.deconvolve.problem import pose
from bolus.physics.transport import Residue, gamma_residue

ALPHAS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Shapes of the gamma distribution: from transit times more scattered than exponential to nearly alike."""
SHAPES: Final[Mapping[str, Residue]] = MappingProxyType(
    {f"alpha {a:g}": partial(gamma_residue, shape=a) for a in ALPHAS}
)


def vascular(  # noqa: PLR0913  options, by keyword
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
    """Fit the vascular model of capillary transit times by posterior means.

    Transit times follow a gamma distribution of shape alpha and scale beta: MTT = alpha beta, and their
    standard deviation CTH = sqrt(alpha) beta is the capillary transit time heterogeneity.

    Parameters
    ----------
    curves
        Tissue contrast, shape `(voxels, t)`.
    aif
        Arterial contrast in the same unit, shape `(t,)`.
    dt
        Frame interval [s].
    shapes
        How likely each alpha is, by name (`alpha 0.5` to `alpha 8`); unset: all alike.
        `bolus.deconvolve.deconvolve` learns them from the scan.
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
    As `bolus.deconvolve.posterior.posterior`, and `CTH` [s] with its standard deviation; shape `(voxels,)`.

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
    Mouridsen et al., NeuroImage 33:570-579 (2006), doi:10.1016/j.neuroimage.2006.06.015

    Mouridsen et al., J Cereb Blood Flow Metab 34:1511-1521 (2014), doi:10.1038/jcbfm.2014.111

    Notes
    -----
    The papers find the maximum of the posterior by iteration; here all of it is summed on a grid.
    """
    problem = pose(curves, aif, dt)
    atoms = make_atoms(problem.aif, problem.dt, SHAPES, require_count(baseline))
    seen = whitened(problem.curves, baseline)
    spread = _heterogeneity(atoms)
    table = np.concatenate([averaged(atoms), [spread, spread**2]])
    mixture = Mixture.of(atoms, shape_weights(shapes, SHAPES), table, late_after(leaning))
    belief = believe(seen, mixture, independence=require_part(independence), leaning=leaning)
    estimate = estimated(belief, problem, peaks=require_switch(peaks, "peaks"))
    mean, of_squares = belief.means.T[7:9]
    estimate = replace(
        estimate,
        sd={**estimate.sd, "CTH": deviation(mean, of_squares)},
        extra={"CTH": np.ascontiguousarray(mean), **estimate.extra},
    )
    if not residues:
        return estimate
    return with_residues(
        estimate, seen, (mixture, independence, leaning), residue_table(atoms, problem, SHAPES)
    )


def learn_alphas(curves: Floats, aif: Curve, dt: float, options: Mapping[str, Any], /) -> Mapping[str, Any]:
    """Learn from the scan how likely each alpha is; see `bolus.deconvolve.posterior.learn_shapes`."""
    return learn(curves, aif, dt, options, SHAPES)


def _heterogeneity(atoms: Atoms) -> Floats:
    return np.asarray(atoms.mtt / np.sqrt(np.array(ALPHAS))[atoms.shape])
