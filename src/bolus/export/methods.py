"""The methods paragraph: what was done, in plain sentences, and where each method is published."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.core.units import KAPPA_H, TISSUE_DENSITY_G_ML, Modality, Unit
from bolus.export import words

_WU: Final = "Wu et al. 2003, doi:10.1002/mrm.10522"
_CENTRAL_VOLUME: Final = "Meier and Zierler 1954, doi:10.1152/jappl.1954.6.12.731"
_PERFUSION_DSA: Final = "Su et al. 2023, doi:10.1002/mp.16473"
_SOLVERS: Final = {
    "ssvd": ("truncated singular value decomposition", "Østergaard et al. 1996, doi:10.1002/mrm.1910360510"),
    "csvd": ("block-circulant, delay-insensitive singular value decomposition", _WU),
    "osvd": (
        "block-circulant singular value decomposition, truncated for each voxel by the oscillation of its "
        "residue",
        _WU,
    ),
    "posterior": (
        "posterior means over delay, transit time and shape of the residue, with flow integrated out",
        "Boutelier et al. 2012, doi:10.1109/TMI.2012.2189890",
    ),
    "vascular": (
        "posterior means of the vascular model of gamma-distributed transit times",
        "Mouridsen et al. 2014, doi:10.1038/jcbfm.2014.111",
    ),
    "tikhonov": (
        "block-circulant deconvolution with Tikhonov regularisation",
        "Fieselmann et al. 2011, doi:10.1155/2011/467563",
    ),
    "box": ("non-linear fit of a box-shaped residue", "Bennink et al. 2016, doi:10.1117/1.JMI.3.2.026003"),
    "slope": ("the maximum slope of tissue", "Klotz and König 1999, Eur J Radiol 30:170-184"),
    "moment": ("first moments of tissue and artery", _CENTRAL_VOLUME),
    "unet": (
        "a U-Net that sees the frames of a slice and no arterial curve, trained on simulated patients",
        "Gava et al. 2023, doi:10.3389/fninf.2023.852105",
    ),
    "temp-pix2pix": (
        "a network that sees the frames of a slice and no arterial curve, trained on simulated patients",
        "Kossen et al. 2023, doi:10.3389/fneur.2022.1051397",
    ),
    "net": (
        "a network that was trained on simulated tissue to deconvolve, or, where the findings say so, by "
        "posterior means",
        "",
    ),
}
_WITHOUT_ARTERY: Final = ("unet", "temp-pix2pix")
"""Networks that use no arterial curve; the report shows one for what else it tells."""
_LEANING: Final = ("posterior", "vascular")
"""Methods whose voxels can lean on their neighbours; Tmax is then read from `osvd`."""


@dataclass(frozen=True, slots=True)
class Methods:
    """What was done.

    Parameters
    ----------
    sentences
        In the order of the steps.
    references
        Where the methods are published.
    """

    sentences: tuple[str, ...]
    references: tuple[str, ...]


def describe_methods(result: Result) -> Methods:
    """Write the methods of a run from its recipe, its steps and its lesions."""
    sentences = (
        _series(result),
        *_steps(result),
        _vessels(result),
        _deconvolution(result),
        *_lesions(result),
    )
    return Methods(tuple(words.clean(s) for s in sentences if s), _references(result))


def _series(result: Result) -> str:
    times = result.times
    dt = float(np.median(np.diff(times, axis=-1))) if times.shape[-1] > 1 else float("nan")
    spacing = " x ".join(f"{s:.3g}" for s in result.grid.spacing_mm)
    version = result.versions.get("bolus", "")
    own = ", each slice with its own clock" if times.ndim == 2 else ""
    xray = result.modality is Modality.XA
    what = f"{'An' if xray else 'A'} {words.MODALITIES[result.modality]} series of {times.shape[-1]} frames"
    slices = "" if xray else f"{result.grid.shape[2]} slices, "
    return (
        f"{what} (median interval {words.number(dt, 2, 's')}{own}; {slices}voxels {spacing} mm) was "
        f"processed with bolus {version}."
    )


def _steps(result: Result) -> tuple[str, ...]:
    if not result.steps:
        return ()
    listed = "; ".join(step.rstrip(".") for step in result.steps)
    unit = result.curves.unit
    noise = words.number(result.noise, 4 if unit is Unit.NAT else 2, unit.value)
    return (f"Steps on the images, in order: {listed}.", f"Noise of one sample before the bolus: {noise}.")


def _vessels(result: Result) -> str:
    vessels = result.vessels
    aif = vessels.aif
    text = f"Arterial input: {aif.origin.rstrip('.')}"
    n_voxels = int(aif.quality.get("n_voxels", aif.voxels.shape[0]))
    text += f" (mean of {n_voxels} voxels)" if aif.voxels.size else ""
    if vessels.vof is not None:
        text += f"; venous output: {vessels.vof.origin.rstrip('.')}"
    if vessels.partial_volume != 1:
        text += f"; the arterial curve was scaled by {vessels.partial_volume:.2f} for partial volume"
    if result.recipe.method in _WITHOUT_ARTERY:
        text += "; it was not used to make the maps"
    return text + "."


def _deconvolution(result: Result) -> str:
    recipe = result.recipe
    name, _ = _SOLVERS.get(recipe.method, (recipe.method, ""))
    options = ", ".join(f"{k} {v}" for k, v in sorted(recipe.method_options.items()))
    text = f"Maps were made by {name} ({recipe.method}{', ' + options if options else ''})"
    if recipe.neighbours and recipe.method in _LEANING:
        text += ", each voxel leaning on its neighbours for delay, transit time and Tmax"
    if recipe.method in _LEANING:
        text += "; Tmax was read from the residue of oSVD, near to what the posterior expects"
    if recipe.method in _WITHOUT_ARTERY:
        tmax = "; Tmax is the middle of a box-shaped residue" if result.modality is Modality.CT else ""
        return f"{text}{tmax}."
    if result.modality is Modality.XA:
        return f"{text}; volume is relative to the artery's, and MTT is volume over flow."
    return (
        f"{text}, with a haematocrit factor of {KAPPA_H:.3f} and a tissue density of "
        f"{TISSUE_DENSITY_G_ML:g} g/mL; MTT is CBV over CBF where the method fits none, and TTP counts from "
        f"the {_origin(recipe)}."
    )


def _origin(recipe: Recipe) -> str:
    names = {
        "scan": "first frame",
        "arrival": "arrival of the arterial curve",
        "peak": "peak of the arterial curve",
    }
    return names.get(recipe.ttp_origin, recipe.ttp_origin)


def _lesions(result: Result) -> tuple[str, ...]:
    if result.modality is Modality.XA:
        return ()
    if result.lesions is None:
        return ("Lesions were withheld because a finding of severity fail makes their volumes unreliable.",)
    return result.lesions.methods


def _references(result: Result) -> tuple[str, ...]:
    """Return the sources of the choices that were in use, each once."""
    recipe = result.recipe
    unused = _unused(result)
    chosen = [c.metadata["source"] for c in fields(Recipe) if c.name not in unused]
    solver = _SOLVERS.get(recipe.method, ("", ""))[1]
    of_tmax = _WU if recipe.method in _LEANING else ""
    of_xray = _PERFUSION_DSA if result.modality is Modality.XA else ""
    sources = (*chosen, _CENTRAL_VOLUME, of_xray, solver, of_tmax)
    return tuple(dict.fromkeys(source for source in sources if source))


def _unused(result: Result) -> set[str]:
    """Name the choices that had no part in this run; a method's source is added by its own name."""
    recipe = result.recipe
    unused = {"method"}
    if result.motion is None or result.modality is Modality.XA:
        unused |= {"motion", "motion_reference"}
    if recipe.filter != "bilateral":
        unused |= {"filter", "filter_sigma_mm", "filter_range_hu"}
    if not recipe.bootstrap:
        unused.add("bootstrap")
    if not recipe.leakage:
        unused.add("leakage")
    if result.lesions is None:
        unused.add("rule")
    return unused
