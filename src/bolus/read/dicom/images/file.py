"""Reads the header of one file into plain values and makes images of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import UID

from bolus.read.dicom.images.classic import classic_images
from bolus.read.dicom.images.dates import first_text
from bolus.read.dicom.images.enhanced import enhanced_images
from bolus.read.dicom.images.mosaic import is_mosaic, mosaic_images
from bolus.read.dicom.images.records import Image, NotUsable, Source
from bolus.read.dicom.images.stamps import number
from bolus.read.dicom.images.tags import DISPENSABLE, VALUES, WANTED
from bolus.read.dicom.images.xray import xray_images
from bolus.read.files import Rejected
from bolus.read.text import checked_uid, plain

BROKEN: Final = (
    InvalidDicomError, BytesLengthException, OSError, EOFError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, RecursionError, NotImplementedError, OverflowError, MemoryError, LookupError,
    struct.error, zlib.error,
)  # fmt: skip
"""What pydicom is known to raise on a damaged file; each costs that file, never the study."""

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_MODALITIES: Final = {"CT", "MR", "XA", "RF"}
_LONG_VRS: Final = {b"OB", b"OW", b"UN"}  # as an implicit length they would be odd, which none may be
_MOST_PIXELS: Final = 2**32
_MOST_COMPRESSED: Final = 1000  # beyond this ratio a compressed image is a bomb, not a picture


def read_images(path: Path) -> tuple[tuple[Image, ...], Rejected | None]:
    """Read one file's header.

    Returns
    -------
    Its images (none where it is rejected) and, where it is, the rejection with its reason.
    """
    series = ""
    try:
        with path.open("rb") as file:
            dataset = _parse(file)
            series = checked_uid(dataset.get("SeriesInstanceUID"))
            return _images(dataset, file, path), None
    except NotUsable as reason:
        return (), Rejected(path, str(reason), series)
    except PermissionError:
        return (), Rejected(path, "may not be opened", series)
    except (EOFError, struct.error):
        return (), Rejected(path, "truncated in the header", series)
    except BROKEN as error:
        return (), Rejected(path, f"damaged header ({type(error).__name__})", series)


def _parse(file: BinaryIO) -> Dataset:
    start = file.read(1024)
    file.seek(0)
    preamble = start[128:132] == b"DICM"
    if not preamble and start[:2] not in {b"\x08\x00", b"\x02\x00"}:
        raise NotUsable("not DICOM")
    if _DEFLATED in start:  # inflating cannot be bounded beforehand: 1 MB may become 1 GB
        raise NotUsable("deflated transfer syntax, which is not read")
    dataset = dcmread(file, stop_before_pixels=True, force=not preamble, specific_tags=WANTED)
    if "Rows" not in dataset or "Columns" not in dataset:
        raise NotUsable("DICOM, but not an image")
    return dataset


def _images(dataset: Dataset, file: BinaryIO, path: Path) -> tuple[Image, ...]:
    values = _values(dataset)
    modality = first_text(values.get("Modality"))
    if modality not in _MODALITIES:
        raise NotUsable(f"modality {plain(modality, 16) or 'unknown'}")
    if not checked_uid(values.get("SeriesInstanceUID")):
        raise NotUsable("no valid SeriesInstanceUID")
    source = _source(dataset, values, file, path)
    if is_mosaic(values):
        return mosaic_images(values, source)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return enhanced_images(dataset, values, source)
    if modality in {"XA", "RF"}:
        return xray_images(values, source)
    if source.frames > 1:
        raise NotUsable("several frames without functional groups")
    return classic_images(values, source)


def _values(dataset: Dataset) -> dict[str, Any]:
    return {name: _value(dataset, name, tag) for name, tag in VALUES.items() if tag in dataset}


def _value(dataset: Dataset, name: str, tag: BaseTag) -> Any:
    try:
        return dataset[tag].value
    except BROKEN as error:
        if name in DISPENSABLE:
            return None
        raise NotUsable(f"damaged {name} ({type(error).__name__})") from error


def _whole(values: Mapping[str, Any], name: str, default: int | None = None) -> int:
    found = number(values.get(name))
    if found is None:
        if default is None:
            raise NotUsable(f"no {name}")
        return default
    return int(found)


def _source(dataset: Dataset, values: Mapping[str, Any], file: BinaryIO, path: Path) -> Source:
    """Describe the stored pixels, and refuse those that cannot be what they claim."""
    bits = _whole(values, "BitsAllocated")
    if _whole(values, "SamplesPerPixel", 1) != 1 or "PALETTE" in first_text(
        values.get("PhotometricInterpretation")
    ):
        raise NotUsable("a colour image")
    if bits not in {8, 16, 32}:
        raise NotUsable(f"{bits} bits a pixel")
    stored = _whole(values, "BitsStored", bits)
    source = Source(
        path=path,
        rows=_whole(values, "Rows"),
        columns=_whole(values, "Columns"),
        frames=_whole(values, "NumberOfFrames", 1),
        bits=bits,
        stored_bits=stored,
        high_bit=_whole(values, "HighBit", stored - 1),
        signed=_whole(values, "PixelRepresentation", 0) == 1,
        offset=_find_pixels(dataset, file),
        big_endian=not dataset.original_encoding[1],
        sop_uid=checked_uid(values.get("SOPInstanceUID")),
        instance=_whole(values, "InstanceNumber", 0),
    )
    _check_size(source, path.stat().st_size)
    return source


def _find_pixels(dataset: Dataset, file: BinaryIO) -> int:
    """Return where native pixels begin; -1 where they are compressed. `file` stands before the pixels."""
    syntax = UID(str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")))
    says_implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    head = file.read(12)
    if len(head) < 12:
        raise NotUsable("truncated before the pixels, or without any")
    tag = struct.unpack(order + "HH", head[:4])
    if tag in {(0x7FE0, 0x0008), (0x7FE0, 0x0009)}:
        raise NotUsable("floating-point pixels: a map, not an image series")
    if tag != (0x7FE0, 0x0010):
        raise NotUsable("no pixels")
    explicit = head[4:6] in _LONG_VRS  # the bytes decide: some files say one thing and are the other
    if not explicit and not says_implicit:
        raise NotUsable("damaged header before the pixels")
    length_at = 8 if explicit else 4
    length = struct.unpack(order + "I", head[length_at : length_at + 4])[0]
    compressed = bool(syntax) and not syntax.is_private and syntax.is_transfer_syntax and syntax.is_compressed
    if compressed or length == 0xFFFFFFFF:
        return -1
    return file.tell() - (0 if explicit else 4)


def _check_size(source: Source, size: int) -> None:
    if min(source.rows, source.columns, source.frames) < 1 or max(source.rows, source.columns) > 16384:
        raise NotUsable("an absurd image size")
    if (
        not 1 <= source.stored_bits <= source.bits
        or not source.stored_bits - 1 <= source.high_bit < source.bits
    ):
        raise NotUsable("an absurd number of bits stored")
    pixels = source.rows * source.columns * source.frames
    needed = pixels * source.bits // 8
    if source.offset >= 0 and source.offset + needed > size:
        raise NotUsable("truncated: fewer pixels than the header claims")
    if pixels > _MOST_PIXELS or (source.offset < 0 and needed > size * _MOST_COMPRESSED):
        raise NotUsable("claims more pixels than the file can hold")
