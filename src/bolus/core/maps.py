"""What deconvolution gives, and the maps made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

from bolus.core.arrays import Float32s, Mask, Volume, locked
from bolus.core.grid import Grid
from bolus.core.units import Modality, Unit


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a deconvolution method finds in each voxel; arrays are float32, shape `(voxels,)`.

    Parameters
    ----------
    flow
        Peak of the flow-scaled residue `k` [1/s]; multiply by 6000 `TISSUE_SCALE` for CBF.
    tmax
        Time of that peak after the arterial curve [s]; may be negative.
    mtt
        Mean transit time [s], from methods that fit one; None leaves it to the central volume theorem.
    delay
        Arrival after the arterial curve [s], from methods that fit one.
    expected
        Where `tmax` should lie by what was fitted [s], from methods that fit a residue and read it elsewhere.
    sd
        Standard deviations of fields above and of `extra`, by name, and of `volume` (flow times MTT), from
        methods that have them.
    extra
        What else a method finds, by name of the map: `CTH` [s], `PTmax6` [no unit].
    index
        Method's own figure a voxel, such as the truncation that oSVD chose; for inspection.
    residues
        `k` [1/s], shape `(voxels, lags)`, only on request.
    lags
        Times of the columns of `residues` [s].
    """

    flow: Float32s
    tmax: Float32s
    mtt: Float32s | None = None
    delay: Float32s | None = None
    expected: Float32s | None = None
    sd: Mapping[str, Float32s] = field(default_factory=dict)
    extra: Mapping[str, Float32s] = field(default_factory=dict)
    index: Float32s | None = None
    residues: Float32s | None = None
    lags: Float32s | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """One quantity over the volume.

    Parameters
    ----------
    name
        `CBF`, `CBV`, `MTT`, `Tmax`, `TTP`, ...
    values
        Shape `(x, y, z)`, float32; NaN outside the mask and where a fit failed.
    unit, grid
        What a value means and where it is.
    sd
        Standard deviation of each value, same shape and unit, where the method gives it.
    """

    name: str
    values: Volume
    unit: Unit
    grid: Grid
    sd: Volume | None = None

    def __post_init__(self) -> None:
        self.grid.require_shape(self.values.shape, f"the {self.name} map")
        object.__setattr__(self, "values", locked(self.values))

    def __repr__(self) -> str:
        known = self.values[np.isfinite(self.values)]
        middle = f", median {np.median(known):.3g}" if known.size else ""
        return (
            f"<{self.name} [{self.unit}], {self.grid.size_words} voxels, {known.size} with a value{middle}>"
        )

    def n_failed(self, mask: Mask) -> int:
        """Count voxels of a mask that hold no number."""
        return int(np.count_nonzero(~np.isfinite(self.values[mask])))


Maps: TypeAlias = Mapping[str, Map]
"""Maps by name."""

WINDOWS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "CBF": (0.0, 80.0),
        "CBV": (0.0, 8.0),
        "MTT": (0.0, 20.0),
        "Tmax": (0.0, 12.0),
        "TTP": (0.0, 25.0),
        "CTH": (0.0, 20.0),
        "PTmax6": (0.0, 1.0),
    }
)
"""Fixed display windows in each map's own unit: a patient never sets his own scale."""
PROJECTION_WINDOWS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "CBF": (0.0, 0.2),
        "CBV": (0.0, 1.0),
        "MTT": (0.0, 10.0),
        "Tmax": (0.0, 10.0),
        "TTP": (0.0, 10.0),
        "BAT": (0.0, 10.0),
        "FM": (0.0, 10.0),
    }
)
"""The same for X-ray runs, whose flow [1/s] and volume are relative to the artery."""


def window_of(name: str, modality: Modality) -> tuple[float, float] | None:
    """Return the fixed display window of a map, in its own unit; None where it has none."""
    return (PROJECTION_WINDOWS if modality is Modality.XA else WINDOWS).get(name)
