"""What one stored image says about itself, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bolus.core.units import Modality
from bolus.core.xray import XRay

Vector = tuple[float, ...]


class NotUsable(Exception):
    """A file or an image that cannot take part, with the reason in a few words."""


@dataclass(frozen=True, slots=True)
class Source:
    """How a file stores its pixels.

    Parameters
    ----------
    offset
        Where the pixels begin in the file [byte]; -1 where they are compressed.
    bits, stored_bits, high_bit
        BitsAllocated, BitsStored, HighBit.
    big_endian
        Whether the bytes of a number are stored highest first.
    """

    path: Path
    rows: int
    columns: int
    frames: int
    bits: int
    stored_bits: int
    high_bit: int
    signed: bool
    offset: int
    big_endian: bool
    sop_uid: str
    instance: int


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A table that stored values go through before they mean anything.

    Parameters
    ----------
    first
        The stored value that the first entry is for; values outside the table take its ends.
    table
        Shape `(n,)`.
    """

    first: int
    table: NDArray[np.uint16]

    @property
    def largest(self) -> int:
        """Largest value that comes out."""
        return int(self.table.max())

    def apply(self, pixels: NDArray[np.integer]) -> NDArray[np.uint16]:
        """Return the entries that pixels of any shape stand for."""
        place = np.clip(pixels.astype(np.int64) - self.first, 0, self.table.size - 1)
        return np.asarray(self.table[place])


@dataclass(frozen=True, slots=True)
class Kind:
    """What images must share to be parts of one stack.

    Parameters
    ----------
    patient
        A hash, so that two patients are kept apart without naming either.
    plane
        Row and column direction, then row and column spacing [mm]: compared within a tolerance.
    rescaled
        Whether the file says how stored values become HU; true outside of CT.
    run
        What keeps X-ray runs apart: the UID of a multi-frame file.
    """

    modality: Modality
    study_uid: str
    series_uid: str
    patient: str
    rows: int
    columns: int
    thickness_mm: float | None
    kernel: str
    kvp: float | None
    te_ms: float | None
    image_type: tuple[str, ...]
    rescaled: bool
    run: str
    plane: Vector


@dataclass(frozen=True, slots=True)
class Label:
    """What else is worth telling about an image, not needed to put it in its place.

    Parameters
    ----------
    measured
        Whether the file gives the pixel spacing.
    xray
        How pixels stand to the beam, for X-ray images.
    surplus_times
        By how many the file states more times than it has frames.
    """

    description: str = ""
    protocol: str = ""
    number: int | None = None
    manufacturer: str = ""
    model: str = ""
    body_part: str = ""
    frame_uid: str = ""
    tr_ms: float | None = None
    contrast: bool = False
    secondary_capture: bool = False
    inverted: bool = False
    measured: bool = True
    xray: XRay | None = None
    surplus_times: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """One slice at one time.

    Parameters
    ----------
    frame
        Which frame of the file, from 0.
    tile
        Which part of the frame, as `(top, left)` in pixels; None where the image is the whole frame.
    position
        Centre of the first voxel in patient coordinates (left, posterior, superior) [mm].
    slope, intercept
        Stored integer to value.
    padding
        Stored values, lowest and highest, that stand for "nothing here".
    clocks
        Every time that the file gives for this image, by clock [s].
    ranks
        Every number that tells the order in time, by attribute.
    lut
        Table that stored values go through first, None where there is none.
    """

    source: Source
    kind: Kind
    label: Label
    frame: int
    position: Vector
    slope: float
    intercept: float
    tile: tuple[int, int] | None = None
    padding: tuple[int, int] | None = None
    clocks: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, float] = field(default_factory=dict)
    lut: Lut | None = None
