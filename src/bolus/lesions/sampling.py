"""Maps drawn anew: their values plus errors with their standard deviations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from scipy import ndimage, special

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.maps import Map
from bolus.lesions.median import Neighbourhoods

Box: TypeAlias = tuple[slice, ...]
"""The part of the volume that holds the brain."""


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """How the errors of a map hang together; the defaults are what fits simulated patients.

    Parameters
    ----------
    common_flow
        Part of the variance of each voxel's CBF, CBV and MTT that all voxels share: the arterial curve, the
        model of tissue, the blur of edges. It does not average out.
    common_time
        The same of Tmax and delay.
    reach_mm
        Errors that are not shared are alike among neighbours, as noise filters make them: SD of the Gaussian
        that white noise is smoothed with [mm].
    """

    common_flow: float = 0.05
    common_time: float = 0.05
    reach_mm: float = 3.0


CALIBRATED: Final = ErrorModel()
"""As `benchmarks/intervals.py` found it."""
N_FIELDS: Final = 16
"""Fields of noise; each serves many samples, rolled about and with either sign."""
KINDS: Final[Mapping[str, tuple[str, float]]] = MappingProxyType(
    {
        "CBF": ("flow", 1.0),
        "MTT": ("flow", -1.0),
        "CBV": ("volume", 1.0),
        "Tmax": ("time", 1.0),
        "delay": ("time", 1.0),
    }
)
"""Which errors go together, and which way: a transit time is volume over flow, Tmax follows the delay."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw of errors by kind of map, all of unit variance.

    Parameters
    ----------
    shared
        What all voxels share.
    own
        Which field is what each voxel has by itself, by how many voxels it is rolled, and its sign.
    """

    shared: Mapping[str, float]
    own: Mapping[str, tuple[int, tuple[int, ...], float]]


def draw_errors(shape: tuple[int, ...], n_samples: int, rng: np.random.Generator) -> Iterator[Draw]:
    """Draw errors; the shared ones are evenly spread quantiles in random order, which need fewer samples."""
    even = special.ndtri((np.arange(n_samples) + 0.5) / n_samples)
    kinds = tuple(dict.fromkeys(kind for kind, _ in KINDS.values()))
    shared = {kind: rng.permutation(even) for kind in kinds}
    for i in range(n_samples):
        own = {}
        for kind in kinds:
            by = tuple(int(rng.integers(n)) for n in shape)
            own[kind] = int(rng.integers(N_FIELDS)), by, float(rng.choice([-1.0, 1.0]))
        yield Draw({kind: float(values[i]) for kind, values in shared.items()}, own)


def smooth_noise(shape: tuple[int, ...], sigma: list[float], rng: np.random.Generator) -> Volume:
    """Return smooth noise of unit variance that goes on over the edges, so that it can be rolled.

    Parameters
    ----------
    sigma
        SD of the Gaussian along each axis [voxels].
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Uncertain:
    """A map that can be drawn anew, as values of the tissue `(voxels,)`.

    Parameters
    ----------
    name
        Of the map.
    values
        As found.
    shared, own
        What errors of unit variance are multiplied with, on a logarithmic scale for CBF, CBV and MTT.
    around
        Neighbours that smoothing looks at.
    """

    name: str
    values: Float32s
    shared: Float32s
    own: Float32s
    around: Neighbourhoods

    @classmethod
    def of(cls, one: Map, box: Box, tissue: Mask, model: ErrorModel) -> Uncertain:
        """Make a map ready, whose voxels of `tissue` in a part of the volume will be drawn."""
        values = one.values[box][tissue]
        sd = np.nan_to_num(np.zeros_like(values) if one.sd is None else one.sd[box][tissue])
        kind, sign = KINDS[one.name]
        if kind != "time":
            with np.errstate(divide="ignore", over="ignore"):
                part = np.where(values > 0, sd / np.maximum(values, np.float32(1e-12)), 0.0)
            sd = np.sqrt(np.log1p(np.minimum(part, 1e6).astype(np.float64) ** 2))
        common = model.common_time if kind == "time" else model.common_flow
        known = np.zeros(tissue.shape, dtype=np.bool_)
        known[tissue] = np.isfinite(values)
        scale = (sign * sd).astype(np.float32)
        shared, own = (scale * np.float32(np.sqrt(part)) for part in (common, 1.0 - common))
        return cls(one.name, values, shared, own, Neighbourhoods.of(tissue, known))

    def drawn(self, draw: Draw, fields: list[Volume], tissue: Mask) -> Volume:
        """Draw the map and smooth it, shape `(x, y, z)`; NaN outside tissue."""
        kind, _ = KINDS[self.name]
        number, by, sign = draw.own[kind]
        own = np.roll(fields[number], by, axis=(0, 1, 2))[tissue] * np.float32(sign)
        error = self.shared * np.float32(draw.shared[kind]) + self.own * own
        values = self.values + error if kind == "time" else self.values * np.exp(error)
        smooth = np.full(tissue.shape, np.nan, dtype=np.float32)
        smooth[tissue] = self.around.medians(values)
        return smooth
