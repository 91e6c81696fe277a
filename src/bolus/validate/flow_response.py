"""Whether maps follow flow: tissue that enhances more must show more flow, whoever makes the maps.

A network that has learned what anatomy usually looks like can print the flow that it expects there. Scaling
the enhancement of tissue, and of nothing else, tells: flow and volume must scale with it, times must stay.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from bolus import pipeline
from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.maps import Maps
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.pipeline import Mappers
from bolus.pipeline.mapper import NO_MAPPERS

FACTORS: Final = (0.5, 0.75, 1.25, 1.5)
FAITHFUL: Final = (0.9, 1.1)
"""Slopes of flow and volume that count as following."""
_VESSEL: Final = 3.0
"""Voxels whose volume exceeds the median by this factor are vessels and are not scaled."""
_SCALED: Final = ("CBF", "CBV")
_DARKEST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class FlowResponse:
    """How maps answer to scaled tissue.

    Parameters
    ----------
    method
        Of the recipe.
    slopes
        Of ``ln(map)`` against ``ln(k)`` by map, median over tissue: 1 is right for CBF and CBV, 0 for MTT.
    shifts
        Largest median change of Tmax and TTP over the factors, where there are such maps [s]; 0 is right.
    factors
        What enhancement was multiplied with.
    """

    method: str
    slopes: Mapping[str, float]
    shifts: Mapping[str, float]
    factors: tuple[float, ...]

    @property
    def faithful(self) -> bool:
        """Whether flow and volume follow within 10 %."""
        low, high = FAITHFUL
        return all(low <= self.slopes[name] <= high for name in _SCALED)


def flow_response(
    series: Series,
    recipe: Recipe,
    *,
    factors: Sequence[float] = FACTORS,
    mappers: Mappers = NO_MAPPERS,
    progress: Progress = silent,
) -> FlowResponse:
    """Scale the enhancement of tissue in a study, vessels untouched, and see what the maps make of it.

    Parameters
    ----------
    series
        CT or MR, as `bolus.load` gives it; any patient's.
    recipe
        Of the runs: `method` may be a deconvolution or a name of `mappers`. Heads are taken as they lie.
    factors
        What enhancement is multiplied with; the study itself is run as well. MR signals are scaled in their
        logarithm.
    mappers
        As `bolus.pipeline.run` takes them.
    progress
        Called as `progress("flow response", runs done, runs)`.

    Raises
    ------
    BadInput
        If there are no maps of flow and volume in tissue.
    BadRecipe
        If the series is an X-ray run, or a factor is not positive or 1.
    """
    _check(series, factors)
    recipe = replace(recipe, motion="none", vof="none", partial_volume=False)
    done, total = 0, len(factors) + 1
    with TemporaryDirectory() as folder:
        usual = pipeline.run(series, recipe, mappers=mappers)
        progress("flow response", 1, total)
        tissue = _tissue(usual)
        fixed = replace(recipe, aif=str(_written(usual, Path(folder) / "aif.csv")))
        found: dict[float, Maps] = {}
        for done, factor in enumerate(factors, 2):
            scaled = _scaled(series, usual, tissue, factor)
            found[factor] = pipeline.run(scaled, fixed, mappers=mappers).maps
            progress("flow response", done, total)
    slopes = {
        name: _slope(usual.maps, found, name, tissue) for name in (*_SCALED, "MTT") if name in usual.maps
    }
    shifts = {name: _shift(usual.maps, found, name, tissue) for name in ("Tmax", "TTP") if name in usual.maps}
    return FlowResponse(recipe.method, slopes, shifts, tuple(factors))


def _check(series: Series, factors: Sequence[float]) -> None:
    if series.modality is Modality.XA:
        raise BadRecipe("tissue of X-ray runs cannot be scaled", wanted="a CT or MR study")
    if not factors or any(not k > 0 or k == 1 for k in factors):
        raise BadRecipe(
            "factors of the flow response are out of range",
            wanted="positive numbers other than 1",
            found=str(tuple(factors)),
        )


def _tissue(usual: Result) -> Mask:
    """Return tissue that is no vessel and has flow and volume."""
    volume, flow = (np.asarray(usual.maps[name].values) for name in _SCALED)
    known = usual.brain.tissue & (np.nan_to_num(volume) > 0) & (np.nan_to_num(flow) > 0)
    if not known.any():
        raise BadInput("there is no tissue with flow", remedy="Run the study first and read its findings.")
    vessel = np.zeros_like(known)
    for curve in (usual.vessels.aif, usual.vessels.vof):
        if curve is not None and curve.voxels.size:
            vessel[tuple(curve.voxels.T)] = True
    return np.asarray(known & ~vessel & (volume < _VESSEL * np.median(volume[known])))


def _written(usual: Result, path: Path) -> Path:
    """Write the arterial curve, so that all runs have the same one."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("time_s", "value"))
        rows.writerows(zip(usual.vessels.aif.times, usual.vessels.aif.values, strict=True))
    return path


def _scaled(series: Series, usual: Result, tissue: Mask, factor: float) -> Series:
    """Return the study with the enhancement of tissue multiplied by a factor."""
    n_before = max(usual.baseline[1], 1)
    before = series.mean(usual.baseline[0], n_before)[tissue][:, None]
    curves = series.curves(tissue)
    changed = _enhanced(curves, before, factor, series.modality)
    frames: Any = np.empty(series.frames.shape, dtype=np.float32)
    for i in range(series.n_frames):
        frames[..., i] = series.frame(i)
    frames[tissue] = changed
    return series.with_frames(frames, f"enhancement of tissue times {factor:g}")


def _enhanced(curves: Float32s, before: Float32s, factor: float, modality: Modality) -> Float32s:
    if modality is Modality.CT:
        return np.asarray(before + np.float32(factor) * (curves - before), dtype=np.float32)
    base = np.maximum(before, _DARKEST)
    return np.asarray(base * np.maximum(curves / base, _DARKEST) ** np.float32(factor), dtype=np.float32)


def _slope(usual: Maps, found: Mapping[float, Maps], name: str, tissue: Mask) -> float:
    """Return the slope of ``ln(map)`` against ``ln(k)``, the median over tissue."""
    x = np.log(np.array([1.0, *found]))
    rows = np.stack([np.asarray(m[name].values)[tissue] for m in (usual, *found.values())]).astype(np.float64)
    there = (np.isfinite(rows) & (rows > 0)).all(axis=0)
    logs: Float64s = np.log(rows[:, there])
    x = x - x.mean()
    return float(np.median((x[:, None] * logs).sum(axis=0) / np.sum(x**2)))


def _shift(usual: Maps, found: Mapping[float, Maps], name: str, tissue: Mask) -> float:
    before = np.asarray(usual[name].values)[tissue]
    return float(max(abs(np.nanmedian(np.asarray(m[name].values)[tissue] - before)) for m in found.values()))
