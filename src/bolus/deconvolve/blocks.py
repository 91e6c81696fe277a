"""Many voxels, little memory: a method applied block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from inspect import Parameter, signature
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Floats
from bolus.core.errors import BadRecipe, ShapeMismatch
from bolus.core.finding import Progress
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.method import Deconvolve
from bolus.deconvolve.place import Place
from bolus.deconvolve.problem import MIN_FRAMES

ROWS: Final = 16_384
"""Voxels in a block, where memory allows; larger blocks were no faster."""
BLOCK_BYTES: Final = 64 * 2**20
"""What the temporary arrays of one block may take."""
NO_CHOICE: Final = frozenset({"leaning"})
"""What methods are told voxel by voxel by `bolus.deconvolve.deconvolve` itself."""


def check_options(method: Deconvolve, options: Mapping[str, Any]) -> None:
    """Raise `BadRecipe` if a method does not know an option."""
    asked = [p.name for p in signature(method).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    known = [name for name in asked if name not in NO_CHOICE]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise BadRecipe(
            f"the deconvolution method has no option {unknown[0]}", wanted=" or ".join(known) or "no options"
        )


def check_clocks(concentration: Concentration, aif: VesselCurve) -> None:
    """Raise `ShapeMismatch` unless tissue and artery share one clock, within a twentieth of a frame."""
    times = concentration.times
    if aif.times.shape != times.shape or np.abs(aif.times - times).max() > 0.05 * concentration.dt:
        raise ShapeMismatch(
            "the arterial curve is on another clock than the tissue",
            wanted=f"{times.size} samples, {times[0]:g}-{times[-1]:g} s",
            found=f"{aif.times.size} samples, {aif.times[0]:g}-{aif.times[-1]:g} s",
            remedy="Interpolate it at the times of the concentration first.",
        )


def steady(concentration: Concentration, aif: VesselCurve) -> tuple[Concentration, VesselCurve]:
    """Leave the frames before the baseline out of tissue and artery, as long as 8 others remain.

    They hold no contrast, but the way of the magnetisation to its steady state, many times the noise.
    """
    check_clocks(concentration, aif)
    first, last = concentration.baseline
    if not first or concentration.times.size - first < MIN_FRAMES:
        return concentration, aif
    later = replace(
        concentration,
        curves=concentration.curves[:, first:],
        times=concentration.times[first:],
        baseline=(0, last - first),
    )
    return later, replace(aif, times=aif.times[first:], values=aif.values[first:])


def split(curves: Floats) -> Iterator[Floats]:
    """Yield consecutive rows of the curves, few enough for the memory of a block; at least one block."""
    # residues over twice the frames, their weights and a copy of the search window, in float64 at worst
    row_bytes = 8 * 6 * curves.shape[1]
    step = max(1, min(ROWS, BLOCK_BYTES // row_bytes))
    for first in range(0, max(len(curves), 1), step):
        yield curves[first : first + step]


def solve_in_blocks(  # noqa: PLR0913  options, by keyword
    method: Deconvolve,
    concentration: Concentration,
    aif: VesselCurve,
    options: Mapping[str, Any],
    progress: Progress,
    *,
    leaning: Float32s | None = None,
    place: Place | None = None,
) -> Estimate:
    """Apply a method to all voxels, one block after another.

    `leaning` holds a row a voxel; `place` puts each block where it is to be solved.
    """
    total, parts, done = len(concentration.curves), [], 0
    for block in split(concentration.curves):
        own = {} if leaning is None else {"leaning": leaning[done : done + len(block)]}
        there = block if place is None else place(block)
        parts.append(method(there, aif.values, concentration.dt, **options, **own))
        done += len(block)
        progress("deconvolve", done, total)
    return joined(parts)


def joined(parts: list[Estimate]) -> Estimate:
    """Join the estimates of consecutive blocks into one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    values: dict[str, Any] = {}
    for name in (f.name for f in fields(Estimate) if f.name not in {"sd", "extra", "lags"}):
        if getattr(first, name) is not None:
            values[name] = np.concatenate([getattr(part, name) for part in parts])
    sd = {name: np.concatenate([part.sd[name] for part in parts]) for name in first.sd}
    extra = {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra}
    return Estimate(**values, sd=sd, extra=extra, lags=first.lags)
