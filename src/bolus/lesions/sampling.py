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
    common
        Part of the variance of each voxel that all voxels of a map share, by what the noise of the arterial
        curve makes of them. It does not average out.
    bias_flow
        What all voxels share beyond that, however little noise there is: standard deviation of the logarithm
        of CBF, CBV and MTT. The model of tissue and the blur of edges.
    bias_time_s
        The same of Tmax and delay [s].
    reach_mm
        Errors that are not shared are alike among neighbours, as noise filters make them: SD of the Gaussian
        that white noise is smoothed with [mm].
    """

    common: float = 0.03
    bias_flow: float = 0.04
    bias_time_s: float = 0.5
    reach_mm: float = 3.0


CALIBRATED: Final = ErrorModel()
"""Chosen on 71 simulated scans, CT and MR, so that 85-95 % of intervals hold the truth."""
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
    """Draw errors; the shared ones are evenly spread quantiles in random order, which need fewer samples.

    Those of flow and of times go together: on simulated patients a core that comes out too large goes with
    too little hypoperfused tissue, so that errors of the mismatch add up.
    """
    even = special.ndtri((np.arange(n_samples) + 0.5) / n_samples)
    kinds = tuple(dict.fromkeys(kind for kind, _ in KINDS.values()))
    together, apart = rng.permutation(even), rng.permutation(even)
    shared = {kind: apart if kind == "volume" else together for kind in kinds}
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
        bias = np.where(sd > 0, model.bias_time_s if kind == "time" else model.bias_flow, 0.0)
        known = np.zeros(tissue.shape, dtype=np.bool_)
        known[tissue] = np.isfinite(values)
        shared = (sign * np.sqrt(model.common * sd**2 + bias**2)).astype(np.float32)
        own = (sign * np.sqrt(1.0 - model.common) * sd).astype(np.float32)
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
