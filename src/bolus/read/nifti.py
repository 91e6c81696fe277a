"""NIfTI series, turned the way `bolus` works."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.arrays import Frames, Times
from bolus.core.errors import BadInput, NoSeries
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.read.options import ReadOptions
from bolus.read.placement import place
from bolus.read.sidecar import Clock, acquisition_of, clock_of, modality_of, read_sidecar
from bolus.read.stored import StoredImage, is_pair, read_header, read_values, require_axes

_BACKGROUND: Final = {Modality.CT: -1024.0, Modality.MR: 0.0, Modality.XA: 0.0}
_AIR_HU: Final = -500.0
_UNITS: Final = {Modality.CT: Unit.HU, Modality.MR: Unit.SIGNAL, Modality.XA: Unit.SIGNAL}


def is_nifti(path: Path) -> bool:
    """Tell whether a file claims to be NIfTI: `.nii`, `.nii.gz`, or half of an `.hdr`/`.img` pair."""
    return path.name.lower().endswith((".nii", ".nii.gz")) or is_pair(path)


def load_nifti(path: Path, options: ReadOptions = ReadOptions()) -> Series:  # noqa: B008 - frozen
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
    image = read_header(path)
    require_axes(
        image,
        4,
        "a perfusion series needs four axes",
        "Give the 4-D series: one frame or a map is not enough.",
    )
    sidecar = read_sidecar(path)
    clock = clock_of(image, sidecar, options)
    grid, times, more = _placed(image, clock)
    frames, trailing = read_values(image, grid)
    kept_integers = frames.dtype.kind in "iu"
    slope, intercept = (image.slope, image.intercept) if kept_integers else (1.0, 0.0)
    named = _agreed(modality_of(sidecar), options.modality, path)
    modality, guessed = (
        (named, ()) if named else _guessed(frames[..., 0] * np.float32(slope) + np.float32(intercept))
    )
    frames, missing = _without_gaps(frames, _BACKGROUND[modality], path)
    return Series(
        frames=frames,
        times=times,
        grid=grid,
        modality=modality,
        unit=_UNITS[modality],
        slope=slope,
        intercept=intercept,
        acquisition=acquisition_of(sidecar, options, clock.source),
        findings=(*image.findings, *clock.findings, *more, *trailing, *guessed, *missing),
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


def _guessed(first: Frames) -> tuple[Modality, tuple[Finding, ...]]:
    """Tell CT from MR by air: at least one voxel in a hundred far below zero means Hounsfield units."""
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
