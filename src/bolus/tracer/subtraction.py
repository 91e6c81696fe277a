"""The density of contrast alone: what was there before it is taken off."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s
from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Severity
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.core.xray import MaskOperation, XRay
from bolus.physics.noise import pooled_noise_sd
from bolus.tracer.baseline import Baseline, find_baseline
from bolus.tracer.density import mode, spread
from bolus.tracer.mask_frames import MaskOf, masks_of
from bolus.tracer.thumbnail import as_voxels, seen, shrink

_UNLIKE: Final = 4.0
"""A first frame whose spread is this many times that of the second holds anatomy: it is the mask itself."""
_FILLED: Final = 5.0
"""Standard deviations below the background from which a pixel was filled when the mask was taken."""
_WORKERS: Final = 2
_BLOCK: Final = 32


def subtract(series: Series, *, aligned: bool = False) -> Series:
    """Take what was there before contrast off an X-ray run.

    The mask frames that the file names (`AVG_SUB`, `TID`, `REV_TID`, with their frame ranges and
    sub-pixel shifts) are averaged and taken off in logarithmic space, as far as they lie before the
    arrival of contrast; where the file names none, the frames before arrival serve. What is left in
    those frames is then taken off every pixel, so that the noise of a single mask frame does not stay. The
    same is done to runs that are stored subtracted: D is zero, on average, before the bolus.

    Parameters
    ----------
    series
        Density [nat] from `to_density`, shape `(x, y, 1, t)`; moved frames are best aligned before.
    aligned
        Frames were aligned (`bolus.prepare.correct_run_motion`): the file's own shifts of the mask, which
        undo the same motion, are not applied.

    Returns
    -------
    Density of contrast D [nat], float32. Mask frames stay: they are frames without contrast like others
    before the bolus. A first frame that shows anatomy in an otherwise subtracted run, the mask itself, is
    left out (`MASK_FRAME`). Findings `SHORT_BASELINE` and `NO_BASELINE` as of `find_baseline`;
    `MASK_REPLACED` where named masks hold contrast.

    Raises
    ------
    BadInput
        If the series is no X-ray run in nat.
    NoBolus
        If there are fewer than 5 frames or no contrast passes.

    Notes
    -----
    With fewer than two frames before the bolus: a mask that the file names and that holds no contrast is
    used alone; of a run that is stored subtracted the most frequent level is the background, but for
    pixels that go clearly below it, which were filled when the mask was taken; else the background of a
    pixel is its least density (lowest mean of three frames).

    References
    ----------
    PS3.3 C.7.6.10 (Mask Module); Meijering et al., IEEE Trans Med Imaging 18:2-21 (1999),
    doi:10.1109/42.750248
    """
    beam = _beam(series)
    small = shrink(series.frames)
    if beam.subtracted and _starts_with_mask(small):
        series, small = _without_first(series), small[..., 1:]
    inside = seen(small)
    operations = () if beam.subtracted else beam.operations
    still = small if aligned else _without_shifts(small, operations, series.grid.shape[0] // len(small))
    baseline = find_baseline(as_voxels(series, still, inside))
    n_clear = int(np.searchsorted(series.times, baseline.arrival_s))
    masks, spoilt = masks_of(operations, series.n_frames, n_clear, shifted=not aligned)
    plan = _Plan(masks, baseline, bool(beam.subtracted), mode(small[inside]))
    noticed = (*_replaced(spoilt, series.n_frames), *_baseline_findings(baseline, masks))
    return series.with_frames(
        _taken_off(series.frames, plan),
        "tracer: " + _words(plan),
        acquisition=replace(series.acquisition, xray=replace(beam, subtracted=True, operations=())),
        findings=(*series.findings, *noticed),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is taken off.

    Parameters
    ----------
    masks
        One a frame; without frames where the file names none.
    baseline
        Frames without contrast.
    subtracted
        Whether the stored frames have no background.
    level
        Most frequent density of all [nat].
    """

    masks: tuple[MaskOf, ...]
    baseline: Baseline
    subtracted: bool
    level: float

    @property
    def before(self) -> slice:
        """Frames before the bolus."""
        return slice(self.baseline.first, self.baseline.last)


def _beam(series: Series) -> XRay:
    if series.modality is not Modality.XA or series.unit is not Unit.NAT:
        raise BadInput(
            "only the density of an X-ray run can be subtracted",
            wanted="modality XA, unit nat",
            found=f"modality {series.modality}, unit {series.unit}",
            remedy="Use bolus.tracer.to_density first.",
        )
    return series.acquisition.xray or XRay()


def _starts_with_mask(small: Float32s) -> bool:
    """Tell whether only the first frame of a small subtracted run shows anatomy."""
    if small.shape[2] < 3:
        return False
    inside = np.ptp(small[..., 1:], axis=2) > 0
    spreads = spread(small[inside]) if np.count_nonzero(inside) > 1 else np.zeros(small.shape[2])
    return bool(spreads[0] > _UNLIKE * max(float(spreads[1:].max()), 1e-6))


def _without_first(series: Series) -> Series:
    text = "The first frame is the mask and not subtracted; it was left out."
    return replace(
        series,
        frames=np.ascontiguousarray(series.frames[..., 1:]),
        times=series.times[1:],
        findings=(*series.findings, Finding("MASK_FRAME", Severity.INFO, text)),
    )


def _without_shifts(small: Float32s, operations: Sequence[MaskOperation], size: int) -> Float32s:
    """Take named masks off a small run `(m, n, t)` where they are moved: motion looks like a bolus else.

    Parameters
    ----------
    small
        Shape `(m, n, t)`.
    operations
        In the order of the file.
    size
        Pixels of the run in one of the small run.
    """
    n_frames = small.shape[2]
    masks, _ = masks_of(operations, n_frames, n_frames)
    if all(mask.shift_px == (0.0, 0.0) for mask in masks):
        return small
    still = np.array(small)
    first = next(mask for mask in masks if mask.frames)
    for frame, mask in enumerate(masks):
        picture = small[..., list((mask if mask.frames else first).frames)].mean(axis=-1)
        shift = [pixels / size for pixels in mask.shift_px]
        still[..., frame] -= ndimage.shift(picture, shift, order=1, mode="nearest")
    return still


def _replaced(spoilt: int, n_frames: int) -> tuple[Finding, ...]:
    if not spoilt:
        return ()
    text = (
        f"The masks that the file names for {spoilt} of {n_frames} frames hold contrast; frames before the "
        "bolus were used instead."
    )
    return (Finding("MASK_REPLACED", Severity.INFO, text, float(spoilt)),)


def _baseline_findings(baseline: Baseline, masks: tuple[MaskOf, ...]) -> tuple[Finding, ...]:
    """Return the findings of the baseline; a clear mask makes one that is missing a short one."""
    if not baseline.is_missing or not any(mask.frames for mask in masks):
        return baseline.findings
    text = "Only the mask that the file names lies before the bolus: its noise stays in all frames."
    return (Finding("SHORT_BASELINE", Severity.WARN, text, float(baseline.n_frames)),)


def _words(plan: _Plan) -> str:
    named = sorted({frame + 1 for mask in plan.masks for frame in mask.frames})
    if named:
        shown = ", ".join(str(n) for n in named[:6]) + (", ..." if len(named) > 6 else "")
        return f"mask frames {shown} and the frames before the bolus taken off"
    if not plan.baseline.is_missing:
        return f"mean of frames {plan.baseline.first + 1}-{plan.baseline.last} taken off"
    return "background level taken off" if plan.subtracted else "least density of each pixel taken off"


def _taken_off(frames: Float32s, plan: _Plan) -> Float32s:
    """Return the frames less their masks, block by block, shape `(x, y, 1, t)`."""
    moved = {mask: _image(frames, mask) for mask in dict.fromkeys(plan.masks) if mask.frames}
    groups = [(_frames_of(plan, mask), image) for mask, image in moved.items()]
    if groups:  # frames without a mask of their own share the first
        groups.append((_frames_of(plan, MaskOf()), groups[0][1]))
    out = np.empty(frames.shape, dtype=np.float32)
    noise = _noise(frames, plan)

    def put(x: int) -> None:
        rows = slice(x, x + _BLOCK)
        block = np.array(frames[rows], dtype=np.float32)
        for mine, image in groups:
            block[..., mine] -= image[rows, ..., None]
        block -= _left(block, plan, noise)
        out[rows] = block

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(put, range(0, len(out), _BLOCK)))
    return out


def _frames_of(plan: _Plan, mask: MaskOf) -> NDArray[np.intp]:
    return np.flatnonzero([other == mask for other in plan.masks])


def _image(frames: Float32s, mask: MaskOf) -> Float32s:
    """Return the mean of the frames of a mask, moved, shape `(x, y, 1)`."""
    mean: Float32s = np.asarray(frames[..., list(mask.frames)].mean(axis=-1), dtype=np.float32)
    if mask.shift_px == (0.0, 0.0):
        return np.asarray(mean, dtype=np.float32)
    moved = ndimage.shift(mean[..., 0], mask.shift_px, order=3, mode="nearest", output=np.float32)
    return np.asarray(moved[..., None])


def _noise(frames: Float32s, plan: _Plan) -> float:
    """Return the noise of one sample [nat], where the background of subtracted runs has to be guessed."""
    if not (plan.subtracted and plan.baseline.is_missing):
        return 0.0
    step = max(frames.shape[0] // 64, 1)
    return pooled_noise_sd(frames[::step, ::step].reshape(-1, frames.shape[3]))


def _left(block: Float32s, plan: _Plan, noise: float) -> Float32s | np.float32:
    """Return what is still there before the bolus, shape `(x, y, 1, 1)`."""
    if not plan.baseline.is_missing:
        before = block[..., plan.before]
        return np.asarray(before.mean(axis=-1, keepdims=True), dtype=np.float32)
    if any(mask.frames for mask in plan.masks):
        return np.float32(0.0)
    least = _least(block)
    if not plan.subtracted:
        return least
    level = np.float32(plan.level)
    return np.where(least < level - _FILLED * noise, least, level)


def _least(block: Float32s) -> Float32s:
    """Return the lowest mean of three frames in a row of each pixel, shape `(x, y, 1, 1)`."""
    three = (block[..., :-2] + block[..., 1:-1] + block[..., 2:]) / np.float32(3.0)
    return np.asarray(three.min(axis=-1, keepdims=True))
