"""What a trained network is to a run: a function that makes the maps of a scan in place of deconvolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from bolus import deconvolve
from bolus.core.arrays import Float64s, Volume
from bolus.core.brain import Brain
from bolus.core.errors import BadRecipe
from bolus.core.finding import Finding, Progress
from bolus.core.maps import Maps
from bolus.core.recipe import Recipe
from bolus.core.result import MotionTrace
from bolus.core.series import Concentration, Series
from bolus.core.units import Modality
from bolus.core.vessel import VesselCurve


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What vessels, maps and lesions are made from.

    Parameters
    ----------
    raw, contrast
        Contrast over time inside the brain, before and after the noise filter.
    brain
        Masks of the head.
    underlay
        Mean of the frames before contrast, shape `(x, y, z)`.
    motion
        What was found and undone.
    way_mm
        How far the head lay from its place at the times of the contrast, see `MotionTrace.way_mm`; None where
        nobody looked for motion, or what it leaves in the curves is to stay.
    frames
        The images themselves, aligned; None unless the run's mapper asks for them (`Mapper.takes_frames`).
    place
        What puts curves on a device; None: in memory.
    """

    raw: Concentration
    contrast: Concentration
    brain: Brain
    underlay: Volume
    motion: MotionTrace | None
    way_mm: Float64s | None = None
    frames: Series | None = None
    place: deconvolve.Place | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """What a mapper gives: maps by name, with standard deviations where it has them, and what it noticed."""

    maps: Maps
    findings: tuple[Finding, ...] = ()


MakeMaps: TypeAlias = Callable[[Scan, VesselCurve, Recipe, Progress], Mapped]
"""`make(scan, aif, recipe, progress)`; lesions need `CBF` and `Tmax` at least, and what their rule names."""


@dataclass(frozen=True, slots=True)
class Mapper:
    """Makes the maps of a scan in place of deconvolution.

    Parameters
    ----------
    make
        Does it; loads its network when it is first called.
    takes_frames
        Whether it reads the aligned images (`Scan.frames`), which are let go otherwise.
    modalities
        What it is for.
    needs_artery
        Whether it uses the arterial curve; else a run goes on where no artery can be found.
    """

    make: MakeMaps
    takes_frames: bool = False
    modalities: tuple[Modality, ...] = (Modality.CT, Modality.MR)
    needs_artery: bool = True


Mappers: TypeAlias = Mapping[str, Mapper]
"""Mappers by the name that a recipe's `method` calls them."""
NO_MAPPERS: Final[Mappers] = MappingProxyType({})


def require_mapper(recipe: Recipe, modality: Modality, mappers: Mappers) -> Mapper | None:
    """Return the mapper that a recipe names; None where its method is a deconvolution.

    Raises
    ------
    BadRecipe
        If the method is neither, is for another modality, or has no bootstrap or options.
    """
    if recipe.method in deconvolve.METHODS:
        return None
    if recipe.method not in mappers:
        raise BadRecipe(
            "unknown deconvolution method",
            wanted=", ".join((*deconvolve.METHODS, *mappers)),
            found=recipe.method,
            remedy="From Python, trained networks such as net are handed in: "
            "bolus.run(series, recipe, mappers=bolus.learn.MAPPERS).",
        )
    found = mappers[recipe.method]
    if modality not in found.modalities:
        wanted = " or ".join(found.modalities)
        raise BadRecipe(f"the method {recipe.method} is for other scans", wanted=wanted, found=modality)
    if recipe.bootstrap or recipe.method_options:
        raise BadRecipe(
            f"the method {recipe.method} takes no options and no bootstrap",
            found="bootstrap" if recipe.bootstrap else ", ".join(recipe.method_options),
            remedy="Leave them out.",
        )
    return found
