"""What a method makes of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bolus.core.arrays import Float64s, Volume
from bolus.core.errors import BadInput
from bolus.core.maps import Map
from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import deconvolve
from bolus.quantify import make_maps
from bolus.validate.candidate import Candidate
from bolus.validate.curves import Sample, Tissues


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Estimates beside their truth.

    Parameters
    ----------
    tissues
        What the rows are of.
    truth
        By quantity, shape `(tissues,)` each.
    values
        Estimates by quantity, shape `(tissues, voxels)` each; NaN where there is none. Quantities that
        the method has nothing to say about are missing.
    sd
        The method's own standard deviations of them, by quantity.
    """

    tissues: Tissues
    truth: Mapping[str, Float64s]
    values: Mapping[str, Float64s]
    sd: Mapping[str, Float64s]


def solve(candidate: Candidate, sample: Sample) -> Outcome:
    """Run a method on a sample, as a run of `bolus` would, and make maps of what it gives.

    A method that refuses the sample (`BadInput`) has failed in all its voxels.

    Raises
    ------
    BadRecipe
        If an option of the method is out of range.
    """
    try:
        estimate = deconvolve(sample.scan, sample.artery, method=candidate.method, options=candidate.options)
        maps = make_maps(estimate, sample.scan, sample.artery)
    except BadInput:
        nothing = np.full((len(sample.tissues.names), _n_voxels(sample)), np.nan)
        return Outcome(
            sample.tissues, sample.truth, dict.fromkeys(("CBF", "CBV", "MTT", "Tmax"), nothing), {}
        )
    known = {name: made for name, made in maps.items() if name in sample.truth}
    return Outcome(
        sample.tissues,
        sample.truth,
        {name: _rows(made, made.values, sample) for name, made in known.items()},
        {name: _rows(made, made.sd, sample) for name, made in known.items() if made.sd is not None},
    )


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Put the voxels of the same tissues, with different arterial curves, side by side."""
    first = outcomes[0]
    return Outcome(
        first.tissues, first.truth, _beside([o.values for o in outcomes]), _beside([o.sd for o in outcomes])
    )


def _beside(parts: list[Mapping[str, Float64s]]) -> Mapping[str, Float64s]:
    common = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in common}


def _n_voxels(sample: Sample) -> int:
    return len(sample.scan.curves) // len(sample.tissues.names)


def _rows(made: Map, values: Volume, sample: Sample) -> Float64s:
    """Return a map's voxels, shape `(tissues, voxels)`, on the scale of the truth."""
    is_scaled = sample.is_per_volume and made.name in {"CBF", "CBV"}
    scale = TISSUE_SCALE if is_scaled else 1.0
    return values.reshape(len(sample.tissues.names), -1).astype(np.float64) / scale
