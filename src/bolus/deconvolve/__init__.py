"""Tissue and arterial curves to flow and times: by truncated SVD, by fits, and by slopes and moments.

Every method has the form of `Deconvolve` and is listed in `METHODS`; `deconvolve` runs one over a
whole scan, block by block. All give the peak of `k(t) = (rho / kappa_H) F R(t)` in 1/s: `bolus.quantify`
makes maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.errors import BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.blocks import check_clocks, check_options, solve_in_blocks
from bolus.deconvolve.box import box
from bolus.deconvolve.csvd import csvd
from bolus.deconvolve.method import Deconvolve, Tune
from bolus.deconvolve.moment import moment
from bolus.deconvolve.neighbours import lean_on_neighbours
from bolus.deconvolve.osvd import osvd
from bolus.deconvolve.posterior import learn_shapes, posterior
from bolus.deconvolve.slope import slope
from bolus.deconvolve.ssvd import ssvd
from bolus.deconvolve.tikhonov import choose_strength, settle_strength, tikhonov
from bolus.deconvolve.vascular import learn_alphas, vascular

__all__ = [
    "METHODS",
    "TUNING",
    "Deconvolve",
    "Tune",
    "box",
    "choose_strength",
    "csvd",
    "deconvolve",
    "learn_shapes",
    "method_of",
    "moment",
    "osvd",
    "posterior",
    "slope",
    "ssvd",
    "tikhonov",
    "vascular",
]

METHODS: Final[Mapping[str, Deconvolve]] = MappingProxyType(
    {
        "ssvd": ssvd,
        "csvd": csvd,
        "osvd": osvd,
        "tikhonov": tikhonov,
        "box": box,
        "slope": slope,
        "moment": moment,
        "posterior": posterior,
        "vascular": vascular,
    }
)
"""Methods by name."""
TUNING: Final[Mapping[str, Tune]] = MappingProxyType(
    {"tikhonov": settle_strength, "posterior": learn_shapes, "vascular": learn_alphas}
)
"""What a method settles once for a scan, before its blocks, by name of the method."""

LEANING: Final = ("posterior", "vascular")
"""Methods whose voxels can lean on their neighbours."""


def deconvolve(
    concentration: Concentration,
    aif: VesselCurve,
    *,
    method: str | Deconvolve = "posterior",
    options: Mapping[str, Any] = MappingProxyType({}),
    neighbours: bool = False,
    progress: Progress = silent,
) -> Estimate:
    """Deconvolve all voxels of a scan with its arterial curve.

    Parameters
    ----------
    concentration
        Contrast over time; voxels are its rows.
    aif
        Arterial curve on the same clock, in the same unit.
    method
        A name in `METHODS`, or any function like them. `posterior` is the default because it finds flow,
        transit time and delay most accurately, whatever the residue, at the noise of filtered CT
        (documentation, Accuracy).
    options
        Keyword options of the method.
    neighbours
        Whether voxels lean on their neighbours, for methods that can (`LEANING`): they are solved twice,
        the second time with what those around them say of delay and MTT.
    progress
        Called as `progress("deconvolve", voxels done, voxels)` after each block.

    Returns
    -------
    One value a voxel and parameter, shape `(voxels,)`; NaN where no flow could be found.

    Raises
    ------
    BadRecipe
        If the method or an option is unknown, or a value out of range.
    ShapeMismatch
        If the arterial curve is on another clock.
    BadTimes
        If there are fewer than 8 frames.
    NoBolus
        If the arterial curve holds no bolus.

    Notes
    -----
    Besides the result, at most 64 MiB are in use at a time, unless residues are asked for.
    """
    solve = method_of(method)
    check_options(solve, options)
    check_clocks(concentration, aif)
    if isinstance(method, str) and method in TUNING:
        options = TUNING[method](concentration.curves, aif.values, concentration.dt, options)
    if not neighbours or method not in LEANING:
        return solve_in_blocks(solve, concentration, aif, options, progress)
    undecided = np.zeros((len(concentration.curves), 4), dtype=np.float32)
    first = solve_in_blocks(solve, concentration, aif, options, progress, leaning=undecided)
    leaning = lean_on_neighbours(first, concentration.mask, concentration.grid)
    return solve_in_blocks(solve, concentration, aif, options, progress, leaning=leaning)


def method_of(name: str | Deconvolve) -> Deconvolve:
    """Return the method of a name, or a function as it is; raise `BadRecipe` for an unknown name."""
    if not isinstance(name, str):
        return name
    if name not in METHODS:
        raise BadRecipe("unknown deconvolution method", wanted=" or ".join(METHODS), found=repr(name))
    return METHODS[name]
