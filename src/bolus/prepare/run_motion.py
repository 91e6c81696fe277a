"""Motion of the head during an X-ray run: found in the plane of the image, and undone before subtraction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Progress, Severity, silent
from bolus.core.grid import Grid
from bolus.core.result import MotionTrace
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.prepare.field import find_field
from bolus.prepare.planar import (
    STILL,
    Edges,
    Pose,
    after,
    displacement_px,
    edges_of,
    lands_inside,
    moved_back,
    phase_shift,
    read_at,
    refine,
    scaled,
    similarity,
    spectrum,
)

NEGLIGIBLE_PX: Final = 0.1
"""Frames that moved less stay untouched."""
MAX_TURN_DEG: Final = 20.0
_FARTHEST: Final = 0.2
"""A frame cannot have moved by more than this share of the image."""
_FINE, _COARSE = 512, 256
"""Shorter sides of the images that motion is found in, at most [pixels]."""
_BAND_PX: Final = (1.2, 6.0)
"""Standard deviations between which structures count [pixels]: noise below, tissue and exposure above."""
_RIM_PX: Final = 12
"""Pixels at the border of the field whose filtered values hold the shutter."""
_POINTS: Final = {_COARSE: 5000, _FINE: 12000}
_JUMP_PX: Final = 0.75
"""In subtracted runs, smaller steps [pixels] cannot be told from contrast that moves on."""
_ALIKE, _BETTER = 0.8, 0.1
"""Correlation that a step must bring two subtracted frames to, and raise it by."""
_FILLING: Final = 0.7
"""Two frames are not compared while the first has less than this share of the contrast of the second."""
_DARK: Final = 1.0
"""Percentage of the field, the lowest, that tells the negative shadows of bone [%]."""
RESIDUAL_NAT: Final = 0.1
"""Density that may remain at the edges of bone [nat]."""
_WORKERS: Final = 2


def correct_run_motion(series: Series, *, progress: Progress = silent) -> tuple[Series, MotionTrace | None]:
    """Move every frame of an X-ray run to where the head was when the mask was taken.

    Frames are filtered to a band in which bone stands out and the blush of tissue does not. The shift of each
    against the reference comes from phase correlation; a shift in the plane and a turn are then fitted
    to the strongest edges, in which vessels that fill count little (robust least squares).

    Parameters
    ----------
    series
        Density [nat] from `bolus.tracer.to_density`, not yet subtracted if there is a choice, shape
        `(x, y, 1, t)`.
    progress
        Called after every frame, first as `motion`, then as `resampling`.

    Returns
    -------
    The run, float32. Frames that moved 0.1 pixel or more are resampled once by cubic B-splines, all others
    are the very same; pixels that a moved frame did not image have the density of the reference. And what was
    found: shifts [mm] and the turn about z [degrees] that bring each frame back (RAS), the correlation of
    each with the reference at its edges, and in `residual` the density that remains there [nat]; None for
    fewer than two frames. `MOTION` where more than 0.1 nat remains.

    Raises
    ------
    BadInput
        If the series is no X-ray run in nat.

    Notes
    -----
    The reference is the first mask frame that the file names, else the first frame. In a run that is stored
    subtracted bone is gone and what its motion left does not move: frames are compared with their
    neighbour, and only jumps of more than 0.75 pixel that raise their correlation by 0.1, to 0.8 at least,
    are undone, and none while vessels fill. The mask itself stays wrong there: `residual` then tells how far
    shadows go below the background.

    References
    ----------
    Meijering et al., IEEE Trans Med Imaging 18:2-21 (1999), doi:10.1109/42.750248;
    Foroosh et al., IEEE Trans Image Process 11:188-200 (2002), doi:10.1109/83.988953;
    Baker & Matthews, Int J Comput Vis 56:221-255 (2004), doi:10.1023/B:VISI.0000011205.11775.fd
    """
    _check(series)
    if series.n_frames < 2:
        return series, None
    field = find_field(series)
    beam = series.acquisition.xray
    subtracted = beam is not None and beam.subtracted is True
    found = (_by_neighbour if subtracted else _by_reference)(series, field, progress)
    trace = _trace(series, found, field)
    moved = _moved_frames(series, found)
    step = (
        f"motion: in the plane, reference {trace.reference}, {len(moved)} of {series.n_frames} frames moved"
    )
    findings = (*series.findings, *_left(trace))
    if not moved:
        return replace(series, steps=(*series.steps, step), findings=findings), trace
    frames = _resampled(series, found, field, moved, progress)
    return series.with_frames(frames, step, findings=findings), trace


def _check(series: Series) -> None:
    if series.modality is not Modality.XA or series.unit is not Unit.NAT:
        raise BadInput(
            "motion in the plane is corrected in the density of X-ray runs",
            wanted="modality XA, unit nat",
            found=f"modality {series.modality}, unit {series.unit}",
            remedy="Use bolus.tracer.to_density first; bolus.prepare.correct_motion is for CT and MR.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Where each frame lies, in pixels of the run, how well it fits, and what frame `first` lies still."""

    poses: tuple[Pose, ...]
    similarity: Float64s
    residual: Float64s
    rejected: tuple[int, ...]
    first: int
    reference: str


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame at two sizes, filtered, and unfiltered but for slow changes (`rough`, at the larger)."""

    coarse: Float32s
    fine: Float32s
    rough: Float32s
    spectrum: NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class _Lens:
    """How frames are made small and filtered.

    Parameters
    ----------
    size
        Pixels of the run in one pixel of the larger of the two images.
    inside
        Field at both sizes, shape `(x, y)`, without its rim.
    """

    size: int
    coarse: NDArray[np.bool_]
    fine: NDArray[np.bool_]

    @classmethod
    def of(cls, field: Mask) -> _Lens:
        """Make a lens for a field `(x, y, 1)`."""
        side = min(field.shape[:2])
        size = max(side // _FINE, 1)
        fine = _binned(field[..., 0].astype(np.float32), size) > 0.999
        coarse = _binned(fine.astype(np.float32), 2) > 0.999
        rims = (_eroded(coarse, _RIM_PX // 2), _eroded(fine, _RIM_PX))
        return cls(
            size, *(rim if rim.any() else whole for rim, whole in zip(rims, (coarse, fine), strict=True))
        )

    def look(self, frame: Float32s) -> _Look:
        """Make a frame `(x, y)` small and filter it."""
        small = _binned(frame, self.size)
        rough = small - ndimage.gaussian_filter(small, _BAND_PX[1], truncate=3.0)
        fine = ndimage.gaussian_filter(rough, _BAND_PX[0], truncate=3.0)
        half = _binned(small, 2)
        coarse = ndimage.gaussian_filter(half, _BAND_PX[0], truncate=3.0)
        coarse -= ndimage.gaussian_filter(half, _BAND_PX[1], truncate=3.0)
        return _Look(coarse, fine, rough, spectrum(np.where(self.coarse, coarse, np.float32(0.0))))


def _binned(image: Float32s, size: int) -> Float32s:
    """Average blocks of pixels `(x, y)`; what is beyond whole blocks is left out."""
    if size == 1:
        return image
    nx, ny = (n // size for n in image.shape)
    blocks = image[: nx * size, : ny * size].reshape(nx, size, ny, size)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _eroded(inside: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    least = ndimage.minimum_filter(inside.astype(np.uint8), size=2 * by + 1, mode="constant")
    return np.asarray(least > 0)


def _each(series: Series, work: Callable[[int], object], progress: Progress, stage: str) -> Iterator[object]:
    """Do something with every frame, two at a time, in order."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        for done, result in enumerate(pool.map(work, range(series.n_frames)), start=1):
            progress(stage, done, series.n_frames)
            yield result


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """What frames are aligned to."""

    look: _Look
    coarse: Edges
    fine: Edges
    lens: _Lens

    @classmethod
    def of(cls, look: _Look, lens: _Lens) -> _Target:
        """Find the edges of a reference."""
        coarse = edges_of(look.coarse, lens.coarse, _POINTS[_COARSE])
        return cls(look, coarse, edges_of(look.fine, lens.fine, _POINTS[_FINE]), lens)

    def pose_of(self, look: _Look) -> tuple[Pose, float]:
        """Return where a frame lies, in pixels of the larger image, and its similarity there."""
        shift = phase_shift(self.look.spectrum, look.spectrum, self.coarse.shape)
        start = max((STILL, shift), key=lambda pose: similarity(self.coarse, look.coarse, pose))
        near = scaled(refine(self.coarse, look.coarse, start), 2.0)
        pose = refine(self.fine, look.fine, near)
        still, found = (similarity(self.fine, look.fine, p) for p in (STILL, pose))
        return (pose, found) if found >= still else (STILL, still)

    def remains(self, look: _Look, pose: Pose) -> float:
        """Return the spread of density that remains at the edges of bone [nat]; vessels count little."""
        left = read_at(self.fine, look.rough, pose)[0] - read_at(self.fine, self.look.rough, STILL)[0]
        return float(1.4826 * np.median(np.abs(left - np.median(left))))

    @property
    def contrast(self) -> float:
        """Spread of the filtered reference in the field [nat]."""
        return float(self.look.fine[self.lens.fine].std())


def _reference_frame(series: Series) -> int:
    beam = series.acquisition.xray
    named = [f for o in beam.operations for f in o.frames if f < series.n_frames] if beam else []
    return min(named, default=0)


def _by_reference(series: Series, field: Mask, progress: Progress) -> _Found:
    """Compare every frame with one before the bolus."""
    lens = _Lens.of(field)
    first = _reference_frame(series)
    target = _Target.of(lens.look(series.frame(first)[..., 0]), lens)

    def fit(t: int) -> tuple[Pose, float, float, bool]:
        look = lens.look(series.frame(t)[..., 0])
        pose, alike = (STILL, 1.0) if t == first else target.pose_of(look)
        lost = _is_absurd(pose, target.fine.shape)
        pose = STILL if lost or _is_small(pose, lens, target.fine.shape) else pose
        return pose, alike, target.remains(look, pose), lost

    fits = [one for one in _each(series, fit, progress, "motion") if isinstance(one, tuple)]
    return _Found(
        tuple(scaled(pose, lens.size) for pose, *_ in fits),
        np.array([alike for _, alike, *_ in fits]),
        np.array([left for *_, left, _ in fits]),
        tuple(t for t, (*_, lost) in enumerate(fits) if lost),
        first,
        f"frame {first + 1}",
    )


def _is_absurd(pose: Pose, shape: tuple[int, int]) -> bool:
    too_far = max(abs(pose[0]) / shape[0], abs(pose[1]) / shape[1]) > _FARTHEST
    return bool(too_far or abs(np.degrees(pose[2])) > MAX_TURN_DEG)


def _is_small(pose: Pose, lens: _Lens, shape: tuple[int, int]) -> bool:
    return displacement_px(pose, min(shape)) * lens.size < NEGLIGIBLE_PX


def _by_neighbour(series: Series, field: Mask, progress: Progress) -> _Found:
    """Compare every frame with the one before, and add up the jumps."""
    lens = _Lens.of(field)
    last: _Target | None = None
    pose, poses, alike, shadows = STILL, [], [], []
    for t in range(series.n_frames):
        frame = series.frame(t)[..., 0]
        this = _Target.of(lens.look(frame), lens)
        step, score = (STILL, 1.0) if last is None else _jump(last, this)
        pose = after(pose, step)
        poses.append(scaled(pose, lens.size))
        alike.append(score)
        shadows.append(_shadow(_binned(frame, lens.size)[lens.fine]))
        last = this
        progress("motion", t + 1, series.n_frames)
    left = np.array(shadows) - min(shadows)
    return _Found(tuple(poses), np.array(alike), left, (), 0, "the frame before")


def _jump(last: _Target, this: _Target) -> tuple[Pose, float]:
    """Return how a subtracted frame jumped against the last, and the correlation of the two."""
    still = similarity(last.fine, this.look.fine, STILL)
    if still + _BETTER > 1.0 or last.contrast < _FILLING * this.contrast:
        return STILL, still
    pose, found = last.pose_of(this.look)
    shape = last.fine.shape
    small = displacement_px(pose, min(shape)) * last.lens.size < _JUMP_PX
    if small or _is_absurd(pose, shape) or found < max(_ALIKE, still + _BETTER):
        return STILL, still
    return pose, found


def _shadow(values: Float32s) -> float:
    """Return how far the lowest of a subtracted frame lie below its middle [nat]: contrast never does."""
    low, middle = np.percentile(values, [_DARK, 50.0])
    return float(middle - low)


def _moved_frames(series: Series, found: _Found) -> tuple[int, ...]:
    side = min(series.grid.shape[:2])
    return tuple(t for t, pose in enumerate(found.poses) if displacement_px(pose, side) >= NEGLIGIBLE_PX)


def _trace(series: Series, found: _Found, field: Mask) -> MotionTrace:
    side = min(series.grid.shape[:2])
    farthest = max(displacement_px(pose, 4.0 * side) for pose in found.poses)
    unseen = None
    if farthest >= NEGLIGIBLE_PX:
        unseen = ~_eroded(field[..., 0], int(np.ceil(farthest)))[..., None]
    return MotionTrace(
        np.array([_row(pose, series.grid) for pose in found.poses]),
        found.reference,
        found.rejected,
        found.similarity,
        unseen,
        found.residual,
    )


def _row(pose: Pose, grid: Grid) -> Float64s:
    """Return the shifts [mm] and turns [degrees] that bring a frame back, shape `(6,)` (RAS)."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    back = np.array([-(cos * pose[0] + sin * pose[1]), sin * pose[0] - cos * pose[1], 0.0])
    turn = -np.degrees(pose[2]) * np.sign(np.linalg.det(grid.affine[:2, :2]))
    return np.array([*(grid.affine[:3, :3] @ back), 0.0, 0.0, float(turn)])


def _left(trace: MotionTrace) -> tuple[Finding, ...]:
    worst = trace.max_residual_nat
    if not worst > RESIDUAL_NAT:
        return ()
    text = (
        f"At the edges of bone {worst:.2f} nat remain after alignment (limit {RESIDUAL_NAT:g}): look for "
        "shadows of bone in the maps."
    )
    return (Finding("MOTION", Severity.WARN, text, worst),)


def _resampled(
    series: Series, found: _Found, field: Mask, moved: Sequence[int], progress: Progress
) -> Float32s:
    """Return all frames, those that moved resampled, shape `(x, y, 1, t)`.

    What a frame did not image, beyond the shutters, is taken from the reference: no contrast.
    """
    out = np.array(series.frames, dtype=np.float32)
    exposed = _eroded(field[..., 0], 2) if not field.all() else field[..., 0]
    rest = np.ascontiguousarray(out[:, :, 0, found.first])

    def put(t: int) -> None:
        frame = moved_back(series.frame(t)[..., 0], found.poses[t])
        out[:, :, 0, t] = np.where(exposed & lands_inside(exposed, found.poses[t]), frame, rest)

    with ThreadPoolExecutor(_WORKERS) as pool:
        for done, _ in enumerate(pool.map(put, moved), start=1):
            progress("resampling", done, len(moved))
    return out
