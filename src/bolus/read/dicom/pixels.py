"""Stored pixels of files, decoded straight into one array."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.utils import iter_pixels, pixel_array

from bolus.core.arrays import Frames
from bolus.core.units import Modality
from bolus.read.dicom.images.file import BROKEN
from bolus.read.dicom.images.records import Image, Source
from bolus.read.dicom.layout import Layout
from bolus.read.memory import require_memory

_AIR_HU: Final = -1024.0
_NOT_TISSUE_HU: Final = (-900.0, 3071.0)
_THREADS: Final = 4
_TIMES: Final = 16  # decoded together: their pixels lie side by side in memory, half a cache line of them
_FAILURES: Final = (*BROKEN, RuntimeError)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The pixels of a layout.

    Parameters
    ----------
    frames
        Stored integers, turned to the grid, shape `(x, y, z, t)`; zero where there is no image.
    failed
        Where an image exists and could not be decoded, shape `(z, t)`.
    reason
        Why the first of them could not.
    padded
        How many pixels were padding.
    """

    frames: Frames
    failed: NDArray[np.bool_]
    reason: str
    padded: int


def decode(layout: Layout, where: Path | str = "") -> Decoded:
    """Decode every image of a layout.

    An image that cannot be decoded is marked and left zero. In CT, padding and all below -1024 HU
    become -1024 HU, or the lowest that the stored integers hold.

    Raises
    ------
    UnreadableFile
        If the machine cannot hold them; `where` is the study that the error names.
    """
    used = [image for k, t in np.argwhere(layout.table >= 0) if (image := layout.image(k, t))]
    shape = (*layout.grid.shape, layout.table.shape[1])
    kind = np.dtype(_smallest_type(used))
    require_memory(prod(shape) * kind.itemsize, where)
    frames = np.zeros(shape, dtype=kind)
    view, _ = layout.grid.stored(frames)
    whole = all(i.tile is None and (i.source.offset >= 0 or i.source.frames == 1) for i in used)
    with ThreadPoolExecutor(_THREADS) as pool:
        if whole:
            jobs = [pool.submit(_decode_slice, layout, k, view) for k in range(len(layout.slices))]
        else:
            jobs = [pool.submit(_decode_file, slots, view) for slots in _by_file(layout).values()]
        results = [job.result() for job in jobs]
    failed = np.zeros(layout.table.shape, dtype=bool)
    reason, padded = "", 0
    for part in results:
        padded += part.padded
        for k, t in part.failed:
            failed[k, t] = True
        reason = reason or part.reason
    return Decoded(frames, failed, reason, padded)


def stored_pixels(source: Source, frame: int = 0) -> NDArray[Any]:
    """Return one frame of a file as stored integers, shape `(rows, columns)`.

    Raises
    ------
    ValueError, OSError, RuntimeError
        If the pixels are truncated, corrupt or compressed in a way that no decoder here knows.
    """
    if source.offset < 0:
        return _checked(pixel_array(source.path, index=frame, raw=True), source)
    kind = np.dtype(f"{'>' if source.big_endian else '<'}{'i' if source.signed else 'u'}{source.bits // 8}")
    count = source.rows * source.columns
    start = source.offset + frame * count * kind.itemsize
    pixels = np.fromfile(source.path, dtype=kind, count=count, offset=start)
    if pixels.size < count:
        raise EOFError("fewer pixels than the header claims")
    return _only_stored_bits(pixels.reshape(source.rows, source.columns), source)


@dataclass(slots=True)
class _Part:
    failed: list[tuple[int, int]]
    reason: str = ""
    padded: int = 0

    def fail(self, k: int, t: int, error: BaseException) -> None:
        self.failed.append((k, t))
        self.reason = (
            self.reason or f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        )


_Slots = list[tuple[Image, int, int]]


def _decode_slice(layout: Layout, k: int, view: NDArray[Any]) -> _Part:
    """Decode the times of one slice into blocks, each then turned over at once: time is the last axis."""
    part = _Part([])
    for first in range(0, view.shape[3], _TIMES):
        some = view[:, :, k, first : first + _TIMES]
        block = np.zeros(some.shape[::-1], dtype=view.dtype)
        for t, target in enumerate(block, start=first):
            image = layout.image(k, t)
            if image is None:
                continue
            try:
                pixels = stored_pixels(image.source, image.frame)
            except _FAILURES as error:
                part.fail(k, t, error)
                continue
            part.padded += _store(image, pixels, target)
        some[...] = block.T
    return part


def _by_file(layout: Layout) -> dict[Source, _Slots]:
    slots: dict[Source, _Slots] = defaultdict(list)
    for k, t in np.argwhere(layout.table >= 0):
        image = layout.image(k, t)
        if image is not None:
            slots[image.source].append((image, int(k), int(t)))
    return slots


def _decode_file(slots: _Slots, view: NDArray[Any]) -> _Part:
    """Decode one file of several frames or tiles, each frame once."""
    part = _Part([])
    by_frame: dict[int, _Slots] = defaultdict(list)
    for slot in slots:
        by_frame[slot[0].frame].append(slot)
    pending = dict(by_frame)
    try:
        for frame, pixels in _frames_of(slots[0][0].source, sorted(by_frame)):
            for image, k, t in pending.pop(frame):
                top, left = image.tile or (0, 0)
                tile = pixels[top : top + view.shape[1], left : left + view.shape[0]]
                target = np.zeros(tile.shape, dtype=view.dtype)
                part.padded += _store(image, tile, target)
                view[:, :, k, t] = target.T
    except _FAILURES as error:
        for slot in (slot for left in pending.values() for slot in left):
            part.fail(slot[1], slot[2], error)
    return part


def _frames_of(source: Source, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    if source.offset >= 0 or source.frames == 1:
        for frame in wanted:
            yield frame, stored_pixels(source, frame)
        return
    decoded = iter_pixels(source.path, indices=wanted, raw=True)
    for frame, pixels in zip(wanted, decoded, strict=True):
        yield frame, _checked(pixels, source)


def _checked(pixels: NDArray[Any], source: Source) -> NDArray[Any]:
    if pixels.shape != (source.rows, source.columns):
        raise ValueError("the compressed image has another size than the header says")
    if pixels.dtype.kind not in "iu":
        raise ValueError("the pixels are not integers")
    return pixels


def _only_stored_bits(pixels: NDArray[Any], source: Source) -> NDArray[Any]:
    """Remove what other data share the pixels' words, such as overlays, and extend the sign."""
    above = source.bits - 1 - source.high_bit
    unused = source.bits - source.stored_bits
    if not unused:
        return pixels
    return (pixels << above) >> unused


def _smallest_type(used: Sequence[Image]) -> Any:
    """Return the smallest type that holds all of the files' integers."""
    sources = {image.source for image in used}
    signed = any(source.signed for source in sources)
    widest = max(source.stored_bits + (0 if source.signed else 1) for source in sources)
    widest = max(widest, *(image.lut.largest.bit_length() + 1 for image in used if image.lut), 0)
    if widest <= 16:
        return np.int16
    if not signed and widest == 17:
        return np.uint16
    return np.int32


def _store(image: Image, pixels: NDArray[Any], target: NDArray[Any]) -> int:
    """Write stored integers into an array and return how many of them were padding."""
    if image.kind.modality is not Modality.CT or image.slope <= 0:
        target[...] = image.lut.apply(pixels) if image.lut else pixels
        return 0
    limits = np.iinfo(target.dtype)
    floor = int(np.clip(round((_AIR_HU - image.intercept) / image.slope), limits.min, limits.max))
    nothing = pixels < floor
    if image.padding is not None and _is_no_tissue(image):
        low, high = image.padding
        nothing |= (pixels >= low) & (pixels <= high)
    target[...] = np.where(nothing, floor, pixels)
    return int(np.count_nonzero(nothing))


def _is_no_tissue(image: Image) -> bool:
    """Tell whether the padding lies outside of what tissue measures: only then it can be told from it."""
    low, high = (value * image.slope + image.intercept for value in image.padding or (0, 0))
    return high < _NOT_TISSUE_HU[0] or low > _NOT_TISSUE_HU[1]
