"""A simulated X-ray run from two sides, and all that is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Float64s, Mask, Volume, locked
from bolus.core.errors import ShapeMismatch
from bolus.core.maps import Map
from bolus.core.series import Series
from bolus.core.vessel import VesselCurve


@dataclass(frozen=True, slots=True, eq=False)
class ViewTruth:
    """What a perfect analysis of one view would find.

    Parameters
    ----------
    masks
        Shape `(x, y, 1)` each: `ica`, the internal carotid artery from the lower edge to its end, where
        it shows; `ica_top`, its part above the dura; `vessels`, `arteries` and `veins`, where their contrast
        exceeds 0.05 nat; `field`, what the shutters leave open.
    segments, names
        Number of the vessel that a pixel shows, the widest where several do, 0 where none; shape
        `(x, y, 1)`, int16. `names[number]` is its name.
    arrival
        When contrast arrives [s after the first frame], shape `(x, y, 1)`: in the earliest artery that
        shows, else in the earliest vein, else on average in tissue; NaN where there is none.
    density
        Line integrals of contrast without noise [nat], shape `(x, y, 1, t)`, float32.
    aif
        Mean of `density` over the mask `ica` [nat]; NaN where that is empty.
    maps
        `CBV`: area of `density` over that of `aif`, within the run [no unit]; NaN without contrast.
    clot_px
        Where the clot begins, x and y [pixels]; None without one, or outside of the field.
    motion
        Shift along a row and down [mm] and turn [degrees] of each frame, shape `(t, 3)`; see
        `bolus.phantom.angiogram.motion.Hold`.
    noise
        Standard deviation of one sample behind the middle of the head [nat], before subtraction.
    mu, pixel_mm
        Attenuation of undiluted contrast [nat/mm] and size of a pixel in the plane of the head [mm].
    photometric
        `MONOCHROME1` or `MONOCHROME2`.
    to_linear
        Table from stored values to values proportional to the beam that the file brings, shape
        `(values,)`; empty if it brings none.
    """

    masks: Mapping[str, Mask]
    segments: NDArray[np.int16]
    names: tuple[str, ...]
    arrival: Volume
    density: Float32s
    aif: VesselCurve
    maps: Mapping[str, Map]
    clot_px: tuple[float, float] | None
    motion: Float64s
    noise: float
    mu: float
    pixel_mm: float
    photometric: str
    to_linear: NDArray[np.uint16]

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", {name: locked(mask) for name, mask in self.masks.items()})
        for name in ("segments", "arrival", "density", "motion", "to_linear"):
            object.__setattr__(self, name, locked(getattr(self, name)))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One side of a run and its truth.

    Raises
    ------
    ShapeMismatch
        If truth and series differ in shape.
    """

    series: Series
    truth: ViewTruth

    def __post_init__(self) -> None:
        for name, mask in self.truth.masks.items():
            self.series.grid.require_shape(mask.shape, f"the true {name} mask")
        if self.truth.density.shape != self.series.frames.shape:
            raise ShapeMismatch(
                "the true contrast does not fit the frames", found=str(self.truth.density.shape)
            )


@dataclass(frozen=True, slots=True, eq=False)
class Angiogram:
    """A simulated X-ray run after one injection, seen from the front and from the side.

    Parameters
    ----------
    views
        `AP` and `LAT`.
    side
        Side that was injected: `left` or `right`.
    vessel
        Artery that was injected.
    clot
        Artery with the clot, or `none`.
    tici_fraction
        Part of the territory that got no antegrade contrast, 0-1.
    tici
        What that would be called: 0, 1, 2a, 2b, 2c or 3.
    injection_s
        When the injection began [s after the first frame].
    layered, external
        Whether the internal carotid is unevenly filled, and whether the external carotid fills too.
    """

    views: Mapping[str, View]
    side: str
    vessel: str
    clot: str
    tici_fraction: float
    tici: str
    injection_s: float
    layered: bool
    external: bool
    setting: str
    seed: int


def tici(lost: float) -> str:
    """Return the grade of reperfusion for a part of the territory without antegrade flow.

    References
    ----------
    Goyal et al., J Neurointerv Surg 6:83-86 (2014), doi:10.1136/neurintsurg-2013-010665
    """
    for grade, least in (("0", 0.999), ("1", 0.9), ("2a", 0.5), ("2b", 0.1), ("2c", 1e-6)):
        if lost >= least:
            return grade
    return "3"
