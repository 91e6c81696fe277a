"""A simulated study and all that is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bolus.core.arrays import Float64s, Mask, Volume, locked
from bolus.core.brain import Midline
from bolus.core.errors import ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.maps import Map
from bolus.core.series import Series
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve

MAP_UNITS: Mapping[str, Unit] = {
    "CBF": Unit.FLOW,
    "CBV": Unit.VOLUME,
    "MTT": Unit.SECOND,
    "delay": Unit.SECOND,
    "Tmax": Unit.SECOND,
}
"""The true maps and their units."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a perfect analysis of a simulated study would find.

    Parameters
    ----------
    maps
        `CBF`, `CBV`, `MTT`, `delay` and `Tmax`, each NaN outside `masks["tissue"]`. `delay` is the
        arrival after the arterial curve. `Tmax` is the lag of the peak of the true residue as a
        regularised deconvolution would resolve it; see `bolus.physics.transport.ideal_tmax`.
    masks
        Shape `(x, y, z)` each: `brain` (all inside the skull), `tissue`, `gm`, `wm`, `csf`, `artery`,
        `vein`, `hypoperfused` (tissue with Tmax > 6 s), `core` (see `bolus.phantom.lesion`) and
        `penumbra` (hypoperfused without core).
    aif, vof
        Arterial and venous curves without noise at the frame times (of the sweeps, where slices have
        their own clocks), in the unit that `bolus.tracer` gives: HU or dR2* [1/s].
    aif_fine, vof_fine
        The same every 0.1 s.
    motion
        Head pose a frame: translations along x, y, z (RAS) [mm], then rotations about x, y, z
        [degrees], shape `(t, 6)`; see `bolus.phantom.motion.pose_matrix`.
    motion_centre_mm
        Point (RAS) [mm] that the rotations turn about.
    midline
        Plane of symmetry of the head in the pose of the first frame.
    noise
        Standard deviation of one sample, in the unit of the series.
    volumes_ml
        Volumes of the masks `core`, `hypoperfused` and `penumbra` [mL].
    side
        `left`, `right` or `none`.
    flow_scale
        How many times the true CBF and CBV a perfect analysis finds: 1 for CT; for MR the relaxivity
        of tissue over that of arterial blood.
    """

    maps: Mapping[str, Map]
    masks: Mapping[str, Mask]
    aif: VesselCurve
    vof: VesselCurve
    aif_fine: VesselCurve
    vof_fine: VesselCurve
    motion: Float64s
    motion_centre_mm: tuple[float, float, float]
    midline: Midline | None
    noise: float
    seed: int
    side: str = "none"
    flow_scale: float = 1.0
    volumes_ml: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", {name: locked(mask) for name, mask in self.masks.items()})
        object.__setattr__(self, "motion", locked(np.asarray(self.motion, dtype=np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A simulated series and its truth.

    Raises
    ------
    ShapeMismatch
        If a mask does not fit the series.
    """

    series: Series
    truth: Truth

    def __post_init__(self) -> None:
        for name, mask in self.truth.masks.items():
            self.series.grid.require_shape(mask.shape, f"the true {name} mask")
        if self.truth.motion.shape != (self.series.n_frames, 6):
            raise ShapeMismatch("the true motion does not fit the frames", found=str(self.truth.motion.shape))


def true_maps(values: Mapping[str, Volume], tissue: Mask, grid: Grid) -> dict[str, Map]:
    """Make maps of volumes `(x, y, z)` by name, NaN outside tissue."""
    return {
        name: Map(name, np.where(tissue, volume, np.nan).astype(np.float32), MAP_UNITS[name], grid)
        for name, volume in values.items()
    }


def lesion_volumes(masks: Mapping[str, Mask], grid: Grid) -> dict[str, float]:
    """Measure the lesion masks [mL]."""
    names = ("core", "hypoperfused", "penumbra")
    return {name: float(np.count_nonzero(masks[name])) * grid.voxel_ml for name in names if name in masks}
