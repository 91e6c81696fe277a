"""Images over time: the dense series as read, and its voxels inside a mask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Float32s, Float64s, Frames, Mask, Times, Volume, locked
from bolus.core.errors import BadTimes, ShapeMismatch
from bolus.core.finding import Finding
from bolus.core.grid import Grid
from bolus.core.units import Modality, Unit
from bolus.core.xray import XRay


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How and by what the series was acquired, as far as the files say.

    Parameters
    ----------
    description
        Series description, cleaned of control characters. It may hold identifying text: it is shown
        in the user's own report, and never logged.
    source
        `dicom`, `nifti` or `phantom`.
    te_ms, tr_ms
        Echo and repetition time [ms].
    kvp
        Tube voltage [kV].
    thickness_mm
        Slice thickness [mm]; the spacing of slices is in the grid.
    study_uid, series_uid, frame_uid
        UIDs of the study, the series and the frame of reference.
    clock
        Which attribute the frame times came from.
    xray
        How pixels relate to the beam, for X-ray runs.
    """

    description: str = ""
    source: str = ""
    manufacturer: str = ""
    model: str = ""
    te_ms: float | None = None
    tr_ms: float | None = None
    kvp: float | None = None
    thickness_mm: float | None = None
    study_uid: str = ""
    series_uid: str = ""
    frame_uid: str = ""
    clock: str = ""
    n_files: int = 0
    xray: XRay | None = None


def check_times(times: Any, n_frames: int, n_slices: int) -> Times:
    """Return times as a locked float64 array, or say why they cannot be frame times.

    Parameters
    ----------
    times
        Seconds, shape `(t,)` or `(z, t)`.

    Raises
    ------
    ShapeMismatch
        If the shape does not fit the frames.
    BadTimes
        If a time is not finite or the times of a slice do not increase.
    """
    array = np.array(times, dtype=np.float64)
    if array.shape not in {(n_frames,), (n_slices, n_frames)}:
        raise ShapeMismatch(
            "frame times do not fit the frames",
            wanted=f"shape ({n_frames},) or ({n_slices}, {n_frames})",
            found=str(array.shape),
        )
    if not np.isfinite(array).all():
        raise BadTimes("a frame time is not a finite number", remedy="Give the frame interval with --dt.")
    steps = np.diff(array, axis=-1)
    if (steps <= 0).any():
        raise BadTimes(
            "frame times do not increase",
            wanted="each frame later than the one before",
            found=f"a step of {steps.min():g} s",
            remedy="Give the frame interval with --dt.",
        )
    return locked(array)


def _is_even(times: Times, tolerance: float = 0.01) -> bool:
    if times.ndim != 1 or times.size < 2:
        return False
    steps = np.diff(times)
    return bool(np.ptp(steps) <= tolerance * steps.mean() + 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Images of one bolus passage, all slices and all times.

    Parameters
    ----------
    frames
        Shape `(x, y, z, t)`, C order: float32 values, or the stored integers.
    times
        Seconds since the first sample, shape `(t,)`, or `(z, t)` where each slice has its own clock
        (shuttle and interleaved scans); strictly increasing, not assumed even.
    grid, modality, unit
        Where the voxels are, what machine made them, what the values mean.
    slope, intercept
        Stored integer to value, each a number or an array that broadcasts to `(z, t)`.
    steps
        What was done to the values so far, in order, in words for the report.
    findings
        What the stages so far noticed.
    """

    frames: Frames
    times: Times
    grid: Grid
    modality: Modality
    unit: Unit
    slope: float | Float32s = 1.0
    intercept: float | Float32s = 0.0
    acquisition: Acquisition = field(default_factory=Acquisition)
    steps: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or not self.frames.shape[3]:
            raise ShapeMismatch(
                "frames must have four axes", wanted="(x, y, z, t)", found=str(self.frames.shape)
            )
        self.grid.require_shape(self.frames.shape, "the series")
        object.__setattr__(self, "frames", locked(self.frames))
        object.__setattr__(self, "times", check_times(self.times, self.n_frames, self.grid.shape[2]))

    def __repr__(self) -> str:
        return (
            f"<{self.modality} series, {self.grid.size_words} voxels, {self.n_frames} frames "
            f"over {np.ptp(self.times):.1f} s [{self.unit}]>"
        )

    @property
    def n_frames(self) -> int:
        """Number of time points."""
        return int(self.frames.shape[3])

    @property
    def is_even(self) -> bool:
        """Whether all slices share one evenly stepped clock (1 % tolerance)."""
        return _is_even(self.times)

    @property
    def median_dt(self) -> float:
        """Median interval between frames [s]."""
        return float(np.median(np.diff(self.times, axis=-1))) if self.n_frames > 1 else float("nan")

    def _scaled(self, values: NDArray[Any], slope: Any, intercept: Any) -> Float32s:
        scaled = values.astype(np.float32)
        if not (np.isscalar(slope) and slope == 1.0):
            scaled *= np.asarray(slope, dtype=np.float32)
        if not (np.isscalar(intercept) and intercept == 0.0):
            scaled += np.asarray(intercept, dtype=np.float32)
        return scaled

    def frame(self, index: int) -> Volume:
        """Return one frame as float32 values, shape `(x, y, z)`."""
        return self._scaled(
            self.frames[..., index], self._scale(self.slope)[:, index], self._scale(self.intercept)[:, index]
        )

    def _scale(self, factor: float | Float32s) -> Float32s:
        return np.broadcast_to(np.asarray(factor, dtype=np.float32), (self.grid.shape[2], self.n_frames))

    def curves(self, mask: Mask) -> Curves:
        """Return the time curves inside a mask as float32 values, shape `(voxels, t)`."""
        self.grid.require_shape(mask.shape, "the mask")
        curves = np.empty((int(np.count_nonzero(mask)), self.n_frames), dtype=np.float32)
        last = 0
        for x in np.flatnonzero(mask.any(axis=(1, 2))):  # plane by plane, to hold no second copy of all
            slices = np.nonzero(mask[x])[1]
            first, last = last, last + slices.size
            slope, intercept = (
                factor if np.ndim(factor) == 0 else self._scale(factor)[slices]
                for factor in (self.slope, self.intercept)
            )
            curves[first:last] = self._scaled(self.frames[x][mask[x]], slope, intercept)
        return curves

    def mean(self, first: int = 0, last: int | None = None) -> Volume:
        """Return the mean of the frames `first` to `last` (exclusive), shape `(x, y, z)`."""
        picked = range(self.n_frames)[first:last]
        total = np.zeros(self.grid.shape, dtype=np.float64)
        for index in picked:
            total += self.frame(index)
        return (total / len(picked)).astype(np.float32)

    def with_frames(self, frames: Frames, step: str, **changes: Any) -> Series:
        """Return the same series with other float32 values, and the step that made them."""
        return replace(self, frames=frames, slope=1.0, intercept=0.0, steps=(*self.steps, step), **changes)

    def within(self, mask: Mask) -> Voxels:
        """Return the voxels inside a mask, one time curve a row."""
        return Voxels(
            self.curves(mask),
            self.times,
            mask,
            self.grid,
            self.modality,
            self.unit,
            self.acquisition,
            self.steps,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Voxels:
    """The voxels of a series inside a mask: what most of the computing is done on.

    Curves of masked voxels are a third of a brain study's memory and lie as matrices want them.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`, float32, in the C order of `mask`.
    times
        Seconds, shape `(t,)` or `(z, t)`.
    mask
        Shape `(x, y, z)`; its true voxels are the rows of `curves`.
    """

    curves: Curves
    times: Times
    mask: Mask
    grid: Grid
    modality: Modality
    unit: Unit
    acquisition: Acquisition = field(default_factory=Acquisition)
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.grid.require_shape(self.mask.shape, "the mask")
        n_voxels = int(np.count_nonzero(self.mask))
        if self.curves.ndim != 2 or self.curves.shape[0] != n_voxels:
            raise ShapeMismatch(
                "curves do not fit the mask", wanted=f"({n_voxels}, t)", found=str(self.curves.shape)
            )
        object.__setattr__(self, "curves", locked(self.curves))
        object.__setattr__(self, "mask", locked(self.mask))
        object.__setattr__(self, "times", check_times(self.times, self.curves.shape[1], self.grid.shape[2]))

    @property
    def is_even(self) -> bool:
        """Whether all voxels share one evenly stepped clock (1 % tolerance)."""
        return _is_even(self.times)

    @property
    def slices(self) -> NDArray[np.intp]:
        """Slice index of each row, shape `(voxels,)`."""
        return np.nonzero(self.mask)[2]

    def within(self, mask: Mask) -> Voxels:
        """Return those voxels that are inside another mask `(x, y, z)` as well."""
        both = self.mask & mask
        return replace(self, curves=self.curves[both[self.mask]], mask=both)

    def with_curves(self, curves: Curves, step: str, **changes: Any) -> Voxels:
        """Return the same voxels with other values, and the step that made them."""
        return replace(self, curves=curves, steps=(*self.steps, step), **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Concentration:
    """Contrast over time inside a mask: the only thing that may be deconvolved.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`, float32, zero before the bolus: HU above baseline (CT), dR2* [1/s] (MR) or
        optical density [nat] (XA), all proportional to contrast.
    times
        Evenly stepped seconds, shape `(t,)`.
    mask, grid
        As in `Voxels`.
    baseline
        Frames `[first, last)` that were taken as pre-contrast.
    noise
        Standard deviation of one sample of one voxel, in `unit`.
    """

    curves: Curves
    times: Times
    mask: Mask
    grid: Grid
    modality: Modality
    unit: Unit
    baseline: tuple[int, int]
    noise: float
    steps: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        self.grid.require_shape(self.mask.shape, "the mask")
        if self.curves.shape[0] != int(np.count_nonzero(self.mask)):
            raise ShapeMismatch("curves do not fit the mask", found=str(self.curves.shape))
        object.__setattr__(self, "curves", locked(self.curves))
        object.__setattr__(self, "mask", locked(self.mask))
        object.__setattr__(self, "times", check_times(self.times, self.curves.shape[1], self.grid.shape[2]))
        if self.times.size > 1 and not _is_even(self.times):
            raise BadTimes(
                "concentration needs an even time grid", remedy="Resample with bolus.prepare first."
            )

    @property
    def dt(self) -> float:
        """Frame interval [s]."""
        return float(np.diff(self.times).mean())

    def image(self, values: NDArray[Any], fill: float = float("nan")) -> Volume:
        """Put one value a voxel, shape `(voxels,)`, back into a volume `(x, y, z)`."""
        return scatter(values, self.mask, fill)

    def emptied(self) -> Concentration:
        """Return the same without voxels: noise and findings stay, the curves can be let go."""
        curves = np.empty((0, self.times.size), dtype=np.float32)
        return replace(self, curves=curves, mask=np.zeros_like(self.mask))

    def rows(self, where: Mask) -> NDArray[np.intp]:
        """Return the rows of `curves` whose voxels are also inside `where`, shape `(n,)`."""
        return np.flatnonzero(where[self.mask])


def scatter(values: NDArray[Any], mask: Mask, fill: float = float("nan")) -> Volume:
    """Put one value a masked voxel, shape `(voxels,)`, into a volume `(x, y, z)` filled elsewhere."""
    volume = np.full(mask.shape, fill, dtype=np.float32)
    volume[mask] = values
    return volume


def positions(mask: Mask, grid: Grid) -> Float64s:
    """Return patient coordinates (RAS) [mm] of the voxels of a mask, shape `(voxels, 3)`."""
    return grid.position_mm(np.argwhere(mask))
