"""NIfTI series, turned the way `bolus` works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.arrays import Frames, Times
from bolus.core.errors import BadInput, NoSeries
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.read.nifti.clock import Clock, clock_of
from bolus.read.nifti.header import StoredImage, read_header
from bolus.read.nifti.sidecar import acquisition_of, modality_of, read_sidecar
from bolus.read.nifti.values import read_values
from bolus.read.options import ReadOptions
from bolus.read.placement import place

_AXES: Final = 4
_DEFAULT: Final = ReadOptions()
_BACKGROUND: Final = {Modality.CT: -1024.0, Modality.MR: 0.0, Modality.XA: 0.0}
_AIR_HU: Final = -500.0
_UNITS: Final = {Modality.CT: Unit.HU, Modality.MR: Unit.SIGNAL, Modality.XA: Unit.SIGNAL}


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Everything of a NIfTI series but its voxels.

    Parameters
    ----------
    image
        The checked header.
    grid
        Canonical axes.
    times
        Seconds, shape `(t,)` or `(z, t)`.
    findings
        What was guessed so far.
    """

    image: StoredImage
    grid: Grid
    times: Times
    modality: Modality
    acquisition: Acquisition
    findings: tuple[Finding, ...]


def outline(path: Path, options: ReadOptions = _DEFAULT) -> Outline:
    """Read header and sidecar, and no voxels but a first frame where nothing names the modality.

    Raises
    ------
    BadInput
        If the file is damaged or holds one frame, or no usable clock.
    """
    image = read_header(path)
    if len(image.shape) != _AXES:
        raise BadInput(
            "a perfusion series needs four axes",
            wanted="sizes along x, y, z, t",
            found=" x ".join(map(str, image.shape)),
            where=path,
            remedy="Give the 4-D series: one frame or a map is not enough.",
        )
    sidecar = read_sidecar(path)
    clock = clock_of(image, sidecar, options)
    grid, times, more = _placed(image, clock)
    named = _agreed(modality_of(sidecar), options.modality, path)
    modality, guessed = (named, ()) if named else _guessed(image, grid)
    return Outline(
        image=image,
        grid=grid,
        times=times,
        modality=modality,
        acquisition=acquisition_of(sidecar, options, clock.source),
        findings=(*image.findings, *clock.findings, *more, *guessed),
    )


def load_nifti(path: Path, options: ReadOptions = _DEFAULT) -> Series:
    """Read a 4-D NIfTI file and the JSON sidecar beside it.

    Parameters
    ----------
    path
        `.nii` or `.nii.gz`, stored in any of the 48 orientations.
    options
        What the files do not say: `dt_s`, `te_ms`, `modality`.

    Returns
    -------
    The series in canonical axes; stored integers stay integers with their slope and intercept.
    `series.grid.stored` gives back the stored order.

    Raises
    ------
    BadInput
        If the file is damaged, holds one frame, no numbers or one single number, or no usable clock.

    Notes
    -----
    A voxel that is not a finite number in some frame is set to background (-1024 HU, or signal 0) in
    all of them, so that nothing later meets a NaN; the finding `NAN_VALUES` counts them.
    """
    known = outline(path, options)
    frames, trailing = read_values(known.image, known.grid)
    slope, intercept = known.image.scale_of(frames)
    frames, missing = _without_gaps(frames, _BACKGROUND[known.modality], path)
    return Series(
        frames=frames,
        times=known.times,
        grid=known.grid,
        modality=known.modality,
        unit=_UNITS[known.modality],
        slope=slope,
        intercept=intercept,
        acquisition=known.acquisition,
        findings=(*known.findings, *trailing, *missing),
    )


def _placed(image: StoredImage, clock: Clock) -> tuple[Grid, Times, tuple[Finding, ...]]:
    """Return the canonical grid and the times in its slice order.

    Slices with their own clocks must stay the third axis; where they are stored along another one that
    does not become the third, their offsets are dropped.
    """
    grid = place(image.shape, image.affine, keep_slices=clock.axis == 2, where=image.path)
    if clock.axis is None:
        return grid, clock.times, ()
    if grid.axes[clock.axis] == 2:
        return grid, clock.times[::-1] if grid.flips[clock.axis] else clock.times, ()
    text = "Slices run along an in-plane axis: their separate times were averaged into one clock."
    finding = Finding("SLICE_TIMES_UNUSED", Severity.WARN, text)
    return grid, clock.times.mean(axis=0) - clock.times[:, 0].mean(), (finding,)


def _agreed(told: Modality | None, wanted: Modality | None, path: Path) -> Modality | None:
    if told and wanted and told is not wanted:
        raise NoSeries(
            f"the file holds no {wanted} series",
            found=f"{told} by its JSON sidecar",
            where=path,
            remedy="Leave --modality away, or correct the sidecar.",
        )
    return wanted or told


def _guessed(image: StoredImage, grid: Grid) -> tuple[Modality, tuple[Finding, ...]]:
    """Tell CT from MR by air: at least one voxel in a hundred far below zero means Hounsfield units."""
    stored, _ = read_values(image, grid, only_first=True)
    slope, intercept = image.scale_of(stored)
    first = stored * np.float32(slope) + np.float32(intercept)
    with np.errstate(invalid="ignore"):
        share = float(np.mean(first < _AIR_HU))
    modality = Modality.CT if share >= 0.01 else Modality.MR
    text = (
        f"Taken as {modality}: {100 * share:.0f} % of voxels lie below {_AIR_HU:g}; give --modality if not."
    )
    return modality, (Finding("MODALITY_GUESSED", Severity.WARN, text, share),)


def _without_gaps(frames: Frames, background: float, path: Path) -> tuple[Frames, tuple[Finding, ...]]:
    """Replace voxels without numbers, and refuse images without information."""
    findings: tuple[Finding, ...] = ()
    if frames.dtype.kind == "f":
        gaps = np.stack([~np.isfinite(slab).all(axis=-1) for slab in frames])
        n_gaps = int(np.count_nonzero(gaps))
        if n_gaps == gaps.size:
            empty = [str(t) for t in range(frames.shape[3]) if not np.isfinite(frames[..., t]).any()]
            found = f"no number at all in frames {', '.join(empty[:5])}" if empty else "NaN or Inf everywhere"
            raise BadInput(
                "no voxel has a value in every frame", found=found, where=path, remedy="Convert it again."
            )
        if n_gaps:
            frames[gaps] = background
            text = f"{n_gaps} voxels are NaN or infinite in some frame and were taken as background."
            findings = (Finding("NAN_VALUES", Severity.WARN, text, float(n_gaps)),)
    if frames.min() == frames.max():
        raise BadInput(
            "the image is constant",
            found=f"{frames.flat[0]:g} everywhere",
            where=path,
            remedy="Convert it again.",
        )
    return frames, findings
