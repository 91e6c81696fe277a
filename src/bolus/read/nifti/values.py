"""The voxels of a NIfTI file, read a few frames at a time."""

from __future__ import annotations

from math import prod
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Frames
from bolus.core.errors import UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid, turn_canonical
from bolus.read.nifti.header import StoredImage, unpacked

_BATCH_BYTES: Final = 64 * 2**20


def read_values(
    image: StoredImage, grid: Grid, *, only_first: bool = False
) -> tuple[Frames, tuple[Finding, ...]]:
    """Read the voxels, a few frames at a time, straight into the order of a grid.

    Parameters
    ----------
    image
        From `read_header`, with three or four axes.
    grid
        From `canonical` of the image's shape and affine.
    only_first
        Read the first frame alone, and nothing of what follows it.

    Returns
    -------
    Shape `(x, y, z, t)`, C order: stored integers of up to 32 bit as they are, all else as scaled
    float32 values; and what was noticed.

    Raises
    ------
    UnreadableFile
        If the file ends early or is damaged.
    """
    n_frames = image.shape[3] if len(image.shape) == 4 and not only_first else 1
    keeps = image.dtype.kind in "iu" and image.dtype.itemsize <= 4
    kept = image.dtype.newbyteorder("=") if keeps else np.dtype(np.float32)
    frames = np.empty((*grid.shape, n_frames), dtype=kept)
    frame_bytes = prod(image.shape[:3]) * image.dtype.itemsize
    batch = max(1, _BATCH_BYTES // frame_bytes)
    with unpacked(image.path) as stream:
        stream.seek(image.offset)
        for first in range(0, n_frames, batch):
            count = min(batch, n_frames - first)
            block = _block(stream, image, count)
            frames[..., first : first + count] = turn_canonical(
                block if keeps else _scaled(block, image), grid
            )
        if only_first:
            return frames, ()
        extra = len(stream.read(_BATCH_BYTES))  # reading to the end makes gzip test its checksum
    if not extra:
        return frames, ()
    text = f"The file goes on for {extra} bytes after its voxels; they were ignored."
    return frames, (Finding("TRAILING_BYTES", Severity.INFO, text, float(extra)),)


def _block(stream: IO[bytes], image: StoredImage, count: int) -> NDArray[Any]:
    wanted = prod(image.shape[:3]) * count * image.dtype.itemsize
    data = stream.read(wanted)
    if len(data) < wanted:
        raise UnreadableFile(
            "the file ends before its last voxel",
            wanted=f"{image.n_bytes} bytes",
            where=image.path,
            remedy="It is truncated: copy or convert it again.",
        )
    return np.frombuffer(data, dtype=image.dtype).reshape((*image.shape[:3], count), order="F")


def _scaled(block: NDArray[Any], image: StoredImage) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit becomes Inf and is counted later
        if (image.slope, image.intercept) == (1.0, 0.0):
            return block.astype(np.float32)
        return (block.astype(np.float64) * image.slope + image.intercept).astype(np.float32)
