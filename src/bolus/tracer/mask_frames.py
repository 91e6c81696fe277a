"""Which frames of an X-ray run are taken off which, as the file's mask operations say (PS3.3 C.7.6.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bolus.core.xray import MaskOperation


@dataclass(frozen=True, slots=True)
class MaskOf:
    """The mask of one frame.

    Parameters
    ----------
    frames
        Frames that it is the mean of; empty where the file names none that can serve.
    shift_px
        How far it is moved along x and y [pixels].
    """

    frames: tuple[int, ...] = ()
    shift_px: tuple[float, float] = (0.0, 0.0)


def masks_of(
    operations: Sequence[MaskOperation], n_frames: int, n_clear: int, *, shifted: bool = True
) -> tuple[tuple[MaskOf, ...], int]:
    """Return the mask of every frame.

    Parameters
    ----------
    operations
        In the order of the file; of two that apply to a frame the first counts.
    n_frames
        Length of the run.
    n_clear
        Frames before contrast arrives: only these can be a mask of what is to be measured, and a
        moving mask (`TID`) soon runs into contrast.
    shifted
        Whether masks are moved as the file says.

    Returns
    -------
    One mask a frame, without frames where it named none that are clear of contrast, and how many
    frames lost their mask for that reason.
    """
    masks, spoilt = [], 0
    for frame in range(n_frames):
        named = next((o for o in operations if _applies(o, frame)), None)
        wanted = () if named is None else _wanted(named, frame)
        clear = tuple(n for n in wanted if 0 <= n < min(n_clear, n_frames))
        spoilt += bool(wanted and not clear)
        shift = named.shift_of(frame) if named is not None and clear and shifted else (0.0, 0.0)
        masks.append(MaskOf(clear, shift))
    return tuple(masks), spoilt


def _applies(operation: MaskOperation, frame: int) -> bool:
    return not operation.ranges or any(first <= frame < last for first, last in operation.ranges)


def _wanted(operation: MaskOperation, frame: int) -> tuple[int, ...]:
    """Return the frames that an operation takes off a frame.

    The mask of a reversed operation is (FCFN - offset) - (CFN - FCFN), where CFN is the frame and FCFN the
    first frame of the first range, whichever range the frame is in (PS3.3 C.7.6.10.1.1).
    """
    if operation.kind == "AVG_SUB":
        return operation.frames
    if operation.kind == "TID":
        return (frame - operation.offset,)
    first = operation.ranges[0][0] if operation.ranges else operation.offset
    return (first - operation.offset - (frame - first),)
