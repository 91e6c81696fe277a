"""Tissue and arterial curves to flow and times: by truncated SVD, by fits, and by slopes and moments.

Every method has the form of `Deconvolve` and is listed in `METHODS`; `deconvolve` runs one over a
whole scan, block by block. All give the peak of `k(t) = (rho / kappa_H) F R(t)` in 1/s: `bolus.quantify`
makes maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from inspect import signature
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.errors import BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.blocks import check_options, solve_in_blocks, steady
from bolus.deconvolve.bootstrap import resample
from bolus.deconvolve.box import box
from bolus.deconvolve.csvd import csvd
from bolus.deconvolve.method import Deconvolve, Tune
from bolus.deconvolve.moment import moment
from bolus.deconvolve.neighbours import allow_for_blur, lean_on_neighbours, read_with_neighbours
from bolus.deconvolve.osvd import osvd
from bolus.deconvolve.place import Place
from bolus.deconvolve.posterior import learn_shapes, posterior
from bolus.deconvolve.residual_motion import without_motion
from bolus.deconvolve.slope import slope
from bolus.deconvolve.ssvd import ssvd
from bolus.deconvolve.tikhonov import choose_strength, settle_strength, tikhonov
from bolus.deconvolve.vascular import learn_alphas, vascular

__all__ = [
    "BOOTSTRAPPED",
    "METHODS",
    "TUNING",
    "Deconvolve",
    "Place",
    "Tune",
    "bootstrap",
    "box",
    "check_options",
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
    "steady",
    "tikhonov",
    "vascular",
    "without_motion",
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

BOOTSTRAPPED: Final = ("osvd", "csvd", "ssvd", "tikhonov")
"""Methods without standard deviations that `bootstrap` can give some."""
LEANING: Final = ("posterior", "vascular")
"""Methods whose voxels can lean on their neighbours."""
_FIRST_LOOK: Final[Mapping[str, Any]] = MappingProxyType({"peaks": False, "residues": False})
"""Of the first of two solutions nothing is asked but what neighbours are told: MTT and delay."""


def deconvolve(  # noqa: PLR0913  options, by keyword
    concentration: Concentration,
    aif: VesselCurve,
    *,
    method: str | Deconvolve = "posterior",
    options: Mapping[str, Any] = MappingProxyType({}),
    neighbours: bool = False,
    place: Place | None = None,
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
        the second time with what those around them say of delay and MTT, and Tmax is read with them.
    place
        What puts curves on a device, such as `bolus.learn.on_device("cuda")`; None solves them in memory.
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
    concentration, aif = steady(concentration, aif)
    solve, settled = _settled(concentration, aif, method, options)
    run = partial(solve_in_blocks, solve, concentration, aif, progress=progress, place=place)
    if not neighbours or method not in LEANING:
        return run(settled)
    undecided = np.zeros((len(concentration.curves), 4), dtype=np.float32)
    first = run({**settled, **_FIRST_LOOK}, leaning=undecided)
    mask, grid = concentration.mask, concentration.grid
    second = run(settled, leaning=lean_on_neighbours(first, mask, grid))
    return allow_for_blur(read_with_neighbours(second, mask, grid), mask, grid)


def _settled(
    concentration: Concentration, aif: VesselCurve, method: str | Deconvolve, options: Mapping[str, Any]
) -> tuple[Deconvolve, Mapping[str, Any]]:
    """Return the method and its options, checked and settled for the scan."""
    solve = method_of(method)
    check_options(solve, options)
    if method in LEANING:
        first, last = concentration.baseline
        options = {"baseline": float(last - first), **options}
    if isinstance(method, str) and method in TUNING:
        options = TUNING[method](concentration.curves, aif.values, concentration.dt, options)
    return solve, options


def bootstrap(
    concentration: Concentration,
    aif: VesselCurve,
    *,
    repeats: int,
    method: str | Deconvolve = "osvd",
    options: Mapping[str, Any] = MappingProxyType({}),
    progress: Progress = silent,
) -> Estimate:
    """Deconvolve as `deconvolve` does, by a method without standard deviations, and give it some.

    Parameters
    ----------
    concentration, aif, method, options, progress
        As `deconvolve` takes them; a method by name is one of `BOOTSTRAPPED`.
    repeats
        How often residuals are drawn and solved again, 2 or more; 30 make a deviation sure to 13 %.

    Returns
    -------
    As `deconvolve`, with `sd` of `flow`, `tmax`, `volume` and `mtt`, see `resample`. Equal inputs give equal
    deviations.

    Raises
    ------
    BadRecipe
        If the method gives no residues or has deviations of its own, an option is unknown, or there are
        fewer than 2 repeats.
    ShapeMismatch
        If the arterial curve is on another clock.
    """
    check_bootstrap(method, repeats)
    concentration, aif = steady(concentration, aif)
    solve, settled = _settled(concentration, aif, method, options)
    rng = np.random.default_rng(0)
    return resample(solve, concentration, aif, options=settled, repeats=repeats, rng=rng, progress=progress)


def check_bootstrap(method: str | Deconvolve, repeats: int) -> None:
    """Raise `BadRecipe` if a method cannot be resampled or there are fewer than 2 repeats."""
    if repeats < 2:
        raise BadRecipe("too few repeats of the bootstrap", wanted="2 or more", found=str(repeats))
    if "residues" not in signature(method_of(method)).parameters or (
        isinstance(method, str) and method not in BOOTSTRAPPED
    ):
        raise BadRecipe(
            "the bootstrap is for methods that give residues and no standard deviations",
            wanted=" or ".join(BOOTSTRAPPED),
            found=str(method),
        )


def method_of(name: str | Deconvolve) -> Deconvolve:
    """Return the method of a name, or a function as it is; raise `BadRecipe` for an unknown name."""
    if not isinstance(name, str):
        return name
    if name not in METHODS:
        raise BadRecipe("unknown deconvolution method", wanted=" or ".join(METHODS), found=repr(name))
    return METHODS[name]
