"""Head motion between frames: found, undone, and kept on record."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float64s, Frames, Mask, Times, Volume
from bolus.core.errors import BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.grid import Grid
from bolus.core.result import MotionTrace
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.prepare.align import refine, search, similarity, splined
from bolus.prepare.cranium import BONE_HU
from bolus.prepare.early import n_early
from bolus.prepare.pose import (
    STILL,
    about_centre,
    displacement_mm,
    from_parameters,
    inverted,
    numbered,
    parameters,
)
from bolus.prepare.resample import ANY, resampled
from bolus.prepare.scalp import tissue_level
from bolus.prepare.shapes import dilated, filled, largest, opened
from bolus.prepare.template import Template, levels, make_template

NEGLIGIBLE_MM = 0.1
"""Frames that moved less stay untouched: to resample them would blur more than it mends."""
MAX_SHIFT_MM, MAX_TURN_DEG = 40.0, 20.0
MIN_SIMILARITY = 0.5
STEADY_S = 10.0
"""The pose of a frame is the median over this time before and after it, as long as the head does not jump."""
BEYOND_SLICE = 0.25
"""How far beyond the outer slices [slices] an interpolated value still counts as imaged."""
_LOST = 0.9
"""A fit is doubted when its similarity falls below this part of that of the early frames."""
_STILL_RATIO = 1.5
_WORKERS = 2
_HEAD_HU, _OPENING_MM, _EDGE_MM = -300.0, 4.0, 5.0
_AIR_HU = -1024.0
CT_STEP_HU: Final = 0.125
"""Step that corrected CT frames are stored in."""
_SMOOTH: Final = {Modality.CT: (0.0, 100.0), Modality.MR: ANY}
"""Values that frames are moved by splines in: those swing next to the skull of CT, which is 900 HU away."""


def correct_motion(
    series: Series,
    *,
    method: str = "rigid",
    reference: str | int = "baseline",
    progress: Progress = silent,
) -> tuple[Series, MotionTrace | None]:
    """Move every frame to where the head was before the bolus.

    Parameters
    ----------
    series
        CT or MR frames, shape `(x, y, z, t)`; a head.
    method
        `rigid`, or `none` to leave the frames as they are.
    reference
        `baseline`: mean of those early frames between which the head lay still; `first`; or the number
        of a frame, from 0.
    progress
        Called after every frame, first as `motion`, then as `resampling`.

    Returns
    -------
    The series with new frames (CT: integers of an eighth of a HU), each resampled once from the original
    by cubic splines; where no frame moved 0.1 mm, the frames are the very same.
    And what was found: `parameters` of the transform that moves a frame's points onto the reference,
    ``p_ref = R (p - c) + c + t`` with `c` the centre of the volume and R = Rz Rx Ry (RAS), so a head that
    went 2 mm to the right is recorded as -2 mm along x. None for method `none` and for a single frame.

    Raises
    ------
    BadRecipe
        If the method or the reference is unknown, or the series is an X-ray projection.
    NoBrain
        If the frames show no head to align.

    References
    ----------
    Gava et al., Front Neuroinform 17:852105 (2023), doi:10.3389/fninf.2023.852105.
    Baker & Matthews, Int J Comput Vis 56:221-255 (2004), doi:10.1023/B:VISI.0000011205.11775.fd

    Notes
    -----
    As in Gava 2023: rigid, two levels (8 times down-sampled, then full), mean squared difference.
    Departures: frames are read by splines; slices are not thinned out, and those of a tilted gantry are put
    upright first; CT is cropped to 0-100 HU and bone so that the bolus does not drive the fit, and MR may
    change its gain; the least squares are solved by Gauss-Newton steps on up to 40 000 of the strongest
    edges instead of stochastic gradient descent on 8 000 random samples, which is kept (SimpleITK) for
    frames that are lost; a pose is the median of like poses within 10 s; up to four slices only move in
    their plane.
    """
    _check(series, method, reference)
    if method == "none" or series.n_frames < 2:
        return series, None
    target, name = _reference(series, reference)
    aligner = _Aligner.of(series, target)
    fits = list(aligner.all_fits(series, progress))
    poses = _steady(fits, series.times)
    trace = MotionTrace(
        np.array([parameters(inverted(pose)) for pose in poses]),
        name,
        tuple(t for t, f in enumerate(fits) if f.rejected),
        np.array([f.similarity for f in fits]),
    )
    moved = [t for t, pose in enumerate(poses) if pose is not STILL]
    step = f"motion: rigid, reference {name}, {len(moved)} of {series.n_frames} frames resampled"
    if not moved:
        return replace(series, steps=(*series.steps, step)), trace
    trace = replace(trace, unseen=unseen(target, series, [poses[t] for t in moved]))
    frames = _moved(series, poses, progress)
    slope = CT_STEP_HU if series.modality is Modality.CT else 1.0
    return replace(series.with_frames(frames, step), slope=slope), trace


def unseen(target: Volume, series: Series, poses: list[Float64s]) -> Mask:
    """Find the voxels that resampling cannot restore.

    Parameters
    ----------
    target
        Reference volume.
    series
        The frames, for their grid and modality.
    poses
        Reference to frame, of the frames that moved.

    Returns
    -------
    Voxels that a frame would have had to image more than a quarter of a slice beyond its first or last
    slice, and (CT) voxels under or over bone: of 900 HU a tenth is more than any tissue enhances, and
    slices are thick.
    """
    x, y, z = (np.arange(n, dtype=np.float32) for n in series.grid.shape)
    missed = np.zeros(series.grid.shape, dtype=np.bool_)
    for pose in poses:
        to_frame = np.linalg.inv(series.grid.affine) @ about_centre(pose, series.grid) @ series.grid.affine
        row = to_frame[2].astype(np.float32)
        depth = row[0] * x[:, None, None] + row[1] * y[None, :, None] + row[2] * z + row[3]
        missed |= (depth < -BEYOND_SLICE) | (depth > z[-1] + BEYOND_SLICE)
    if series.modality is Modality.CT:
        missed |= ndimage.binary_dilation(target > BONE_HU, np.ones((1, 1, 3), dtype=np.bool_))
    return missed


def _check(series: Series, method: str, reference: str | int) -> None:
    if method not in {"rigid", "none"}:
        raise BadRecipe("the motion correction is unknown", wanted="rigid or none", found=str(method))
    if method == "rigid" and series.modality is Modality.XA:
        raise BadRecipe(
            "rigid motion of a head cannot be found in X-ray projections",
            wanted="a CT or MR series",
            remedy="Switch motion correction off.",
        )
    number = _number(reference)
    if reference not in {"baseline", "first"} and (number is None or not 0 <= number < series.n_frames):
        raise BadRecipe(
            "the motion reference is unknown",
            wanted=f"baseline, first, or a frame number from 0 to {series.n_frames - 1}",
            found=repr(reference),
        )


def _number(reference: str | int) -> int | None:
    if isinstance(reference, str):
        return int(reference) if reference.isdecimal() else None
    return int(reference)


def _reference(series: Series, reference: str | int) -> tuple[Volume, str]:
    """Return the volume to align to, and its name for the report."""
    if reference == "baseline":
        chosen = still_frames(series)
        mean = np.mean([series.frame(t) for t in chosen], axis=0, dtype=np.float32)
        return np.asarray(mean, dtype=np.float32), "mean of frames " + ", ".join(str(t) for t in chosen)
    number = 0 if reference == "first" else _number(reference) or 0
    return series.frame(number), f"frame {number}"


def still_frames(series: Series) -> tuple[int, ...]:
    """Pick those early frames between which the head did not move: the frames like the most typical one."""
    n = n_early(series.times)
    coarse, _ = levels(series.grid, series.modality)
    images = [coarse.image(series.frame(t), series.grid) for t in range(n)]
    means = [max(float(np.abs(image).mean()), 1e-12) for image in images]
    scaled = np.array([(image / mean).ravel() for image, mean in zip(images, means, strict=True)])
    apart = np.sqrt(np.mean((scaled[:, None] - scaled[None]) ** 2, axis=-1))
    typical = int(np.argmin(apart.sum(axis=1)))
    others = np.delete(apart[typical], typical)
    reach = _STILL_RATIO * float(others.min()) + 1e-3 if others.size else 0.0
    return tuple(int(t) for t in np.flatnonzero(apart[typical] <= reach))


def _head(reference: Volume, grid: Grid, modality: Modality) -> Mask:
    """Outline the head without the table, with its edge."""
    if modality is Modality.CT:
        bright = np.nan_to_num(reference, nan=_AIR_HU) > _HEAD_HU
        return filled(largest(opened(bright, grid, _OPENING_MM)))
    level = tissue_level(np.maximum(np.nan_to_num(reference), 0.0))
    bright = np.nan_to_num(reference) > (level if np.isfinite(level) else -np.inf)
    # the level lies on the edge's inner half; a fit that sees one half of an edge only is biased
    return dilated(filled(largest(opened(bright, grid, _OPENING_MM))), grid, _EDGE_MM)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Pose of one frame (reference to frame), how well it fits, and whether it had to be given up."""

    pose: Float64s
    similarity: float
    rejected: bool = False


def _steady(fits: list[_Fit], times: Times) -> list[Float64s]:
    """Return the median pose of those frames within `STEADY_S` in which the head lay nearly the same.

    What differs between them is noise, and contrast that passes for a little motion while the bolus goes by.
    """
    clock = np.atleast_2d(times).mean(axis=0)
    rows = np.array([parameters(fit.pose) for fit in fits])
    rejected = np.array([fit.rejected for fit in fits])
    which = np.where(rejected, -1, numbered(rows))
    poses = []
    for t in range(len(fits)):
        alike = rows[(which == which[t]) & (np.abs(clock - clock[t]) <= STEADY_S)]
        pose = STILL if rejected[t] else from_parameters(np.median(alike, axis=0))
        poses.append(pose if displacement_mm(pose) >= NEGLIGIBLE_MM else STILL)
    return poses


@dataclass(frozen=True, slots=True, eq=False)
class _Aligner:
    """All that is needed to align one frame."""

    grid: Grid
    coarse: Template
    fine: Template
    coarse_reference: Volume
    usual: float
    """Similarity of the reference's own frames."""

    @classmethod
    def of(cls, series: Series, target: Volume) -> _Aligner:
        head = _head(target, series.grid, series.modality)
        coarse, fine = (
            make_template(target, head, series.grid, level) for level in levels(series.grid, series.modality)
        )
        early = (fine.level.image(series.frame(t), series.grid) for t in range(n_early(series.times)))
        usual = float(np.median([similarity(fine, splined(image), STILL) for image in early]))
        return cls(series.grid, coarse, fine, coarse.level.image(target, series.grid), usual)

    def all_fits(self, series: Series, progress: Progress) -> Iterator[_Fit]:
        """Align the frames two at a time, each starting from the frames before."""
        start = STILL
        with ThreadPoolExecutor(_WORKERS) as pool:
            for first in range(0, series.n_frames, _WORKERS):
                frames = range(first, min(first + _WORKERS, series.n_frames))
                fits = list(pool.map(lambda t, s=start: self.fit(series.frame(t), s), frames))
                yield from fits
                start = next((f.pose for f in reversed(fits) if not f.rejected), start)
                progress("motion", frames.stop, series.n_frames)

    def fit(self, frame: Volume, neighbour: Float64s) -> _Fit:
        """Align one frame, starting from its neighbour's pose or from none, whichever is nearer."""
        image = self.coarse.level.image(frame, self.grid)
        small, full = splined(image), splined(self.fine.level.image(frame, self.grid))
        start = max((STILL, neighbour), key=lambda pose: similarity(self.coarse, small, pose))
        pose = refine(self.fine, full, refine(self.coarse, small, start))
        found = similarity(self.fine, full, pose)
        if found < _LOST * self.usual and self.coarse.basis.shape[1] == 6:
            wide = search(self.coarse, image, self.coarse_reference, self.grid, start)
            other = refine(self.fine, full, refine(self.coarse, small, wide))
            pose, found = max(
                ((pose, found), (other, similarity(self.fine, full, other))),
                key=lambda candidate: candidate[1],
            )
        return self._judged(full, pose, found)

    def _judged(self, full: Volume, pose: Float64s, found: float) -> _Fit:
        as_it_was = similarity(self.fine, full, STILL)
        row = np.abs(parameters(inverted(pose)))
        absurd = row[:3].max() > MAX_SHIFT_MM or row[3:].max() > MAX_TURN_DEG
        if absurd or max(found, as_it_was) < MIN_SIMILARITY:
            return _Fit(STILL, as_it_was, rejected=True)
        if displacement_mm(pose) < NEGLIGIBLE_MM or found < as_it_was:
            return _Fit(STILL, as_it_was)
        return _Fit(pose, found)


def _moved(series: Series, poses: list[Float64s], progress: Progress) -> Frames:
    """Resample the frames that moved, from the original, into one array `(x, y, z, t)`.

    CT is kept as integers of an eighth of a HU, in half the memory: rounding adds 0.04 HU of noise.
    """
    is_ct = series.modality is Modality.CT
    out = np.empty(series.frames.shape, dtype=np.int16 if is_ct else np.float32)

    def put(t: int) -> None:
        frame = series.frame(t)
        if poses[t] is not STILL:
            frame = np.nan_to_num(frame, nan=_AIR_HU if is_ct else 0.0)
            frame = resampled(frame, series.grid, poses[t], smooth=_SMOOTH[series.modality])
        out[..., t] = _stored(frame) if is_ct else frame

    with ThreadPoolExecutor(_WORKERS) as pool:
        for done, _ in enumerate(pool.map(put, range(series.n_frames)), start=1):
            progress("resampling", done, series.n_frames)
    return out


def _stored(frame: Volume) -> NDArray[np.int16]:
    """Return HU as whole numbers of `CT_STEP_HU`; NaN as air."""
    limit = np.iinfo(np.int16)
    steps = np.rint(np.nan_to_num(frame, nan=_AIR_HU) / CT_STEP_HU)
    return np.asarray(np.clip(steps, limit.min, limit.max), dtype=np.int16)
