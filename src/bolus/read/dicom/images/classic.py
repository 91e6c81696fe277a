"""One image from one set of attributes: a classic single-frame file, or one frame of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bolus.core.units import Modality
from bolus.read.dicom.images.dates import first_text
from bolus.read.dicom.images.records import Image, Kind, Label, NotUsable, Source, Vector
from bolus.read.dicom.images.stamps import number, read_clocks, read_ranks
from bolus.read.text import checked_uid, plain, short_hash

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def classic_images(values: Mapping[str, Any], source: Source) -> tuple[Image, ...]:
    """Return the image of a single-frame CT or MR file.

    Raises
    ------
    NotUsable
        If it does not say where it lies, or its scale is no scale.
    """
    return (make_image(values, source),)


def make_image(values: Mapping[str, Any], source: Source, frame: int = 0) -> Image:
    """Make an image of attributes by keyword.

    Raises
    ------
    NotUsable
        If it does not say where it lies, or its scale is no scale.
    """
    slope, intercept = scale_of(values)
    kind = kind_of(values, source, plane=plane_of(values))
    return Image(
        source=source,
        kind=kind,
        label=label_of(values),
        frame=frame,
        position=vector(values, "ImagePositionPatient", 3),
        slope=slope,
        intercept=intercept,
        padding=padding_of(values, source),
        clocks=read_clocks(values, frame),
        ranks=read_ranks(values),
    )


def kind_of(values: Mapping[str, Any], source: Source, *, plane: Vector, run: str = "") -> Kind:
    """Return what images must share to be parts of one stack."""
    named = first_text(values.get("Modality"))
    modality = Modality.XA if named == "RF" else Modality(named)
    return Kind(
        modality=modality,
        study_uid=checked_uid(values.get("StudyInstanceUID")),
        series_uid=checked_uid(values.get("SeriesInstanceUID")),
        patient=short_hash(values.get("PatientID"), values.get("PatientBirthDate")),
        rows=source.rows,
        columns=source.columns,
        thickness_mm=_rounded(values, "SliceThickness", 2),
        kernel=plain(_joined(values.get("ConvolutionKernel")), 32),
        kvp=_rounded(values, "KVP", 0),
        te_ms=_echo(values),
        image_type=_words(values.get("FrameType") or values.get("ImageType")),
        rescaled=_is_rescaled(values, modality),
        run=run,
        plane=plane,
    )


def label_of(values: Mapping[str, Any], *, measured: bool = True) -> Label:
    """Return what else is worth telling about an image."""
    series_number = number(values.get("SeriesNumber"))
    return Label(
        description=plain(values.get("SeriesDescription")),
        protocol=plain(values.get("ProtocolName")),
        number=None if series_number is None else int(series_number),
        manufacturer=plain(values.get("Manufacturer")),
        model=plain(values.get("ManufacturerModelName")),
        body_part=plain(values.get("BodyPartExamined"), 16).upper(),
        frame_uid=checked_uid(values.get("FrameOfReferenceUID")),
        tr_ms=number(values.get("RepetitionTime")),
        contrast=bool(plain(values.get("ContrastBolusAgent"))),
        secondary_capture=str(values.get("SOPClassUID") or "").startswith(_SECONDARY_CAPTURE),
        inverted=first_text(values.get("PhotometricInterpretation")) == "MONOCHROME1",
        measured=measured,
    )


def plane_of(values: Mapping[str, Any]) -> Vector:
    """Return row direction, column direction and row and column spacing [mm], made exact.

    Raises
    ------
    NotUsable
        If the directions are not two unit vectors at right angles, or a spacing is not positive.
    """
    row, column = np.array(vector(values, "ImageOrientationPatient", 6)).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(row @ column) > 0.01:
        raise NotUsable("ImageOrientationPatient is not two unit vectors at right angles")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    spacing = vector(values, "PixelSpacing", 2)
    if min(spacing) <= 0:
        raise NotUsable("PixelSpacing is not positive")
    return (*map(float, row), *map(float, column), *spacing)


def vector(values: Mapping[str, Any], name: str, size: int) -> Vector:
    """Return the numbers of an attribute.

    Raises
    ------
    NotUsable
        If it is absent, or does not hold that many finite numbers.
    """
    found = values.get(name)
    if found is None or not hasattr(found, "__iter__") or isinstance(found, str):
        raise NotUsable(f"no {name}")
    numbers = tuple(float(v) for v in found)
    if len(numbers) != size or not np.isfinite(numbers).all():
        raise NotUsable(f"{name} does not hold {size} numbers")
    return numbers


def scale_of(values: Mapping[str, Any]) -> tuple[float, float]:
    """Return slope and intercept.

    Raises
    ------
    NotUsable
        If one of them is there and is no number, or the slope is zero.
    """
    slope, intercept = _factor(values, "RescaleSlope"), _factor(values, "RescaleIntercept")
    if slope == 0:
        raise NotUsable("RescaleSlope is 0")
    return 1.0 if slope is None else slope, intercept or 0.0


def _factor(values: Mapping[str, Any], name: str) -> float | None:
    found = number(values.get(name))
    if found is None and first_text(values.get(name)):
        raise NotUsable(f"damaged {name}: not a number")
    return found


def _is_rescaled(values: Mapping[str, Any], modality: Modality) -> bool:
    """Tell whether stored values become what the modality measures; only CT must say how."""
    stated = all(first_text(values.get(name)) for name in ("RescaleSlope", "RescaleIntercept"))
    return stated or modality is not Modality.CT


def padding_of(values: Mapping[str, Any], source: Source) -> tuple[int, int] | None:
    """Return the range of stored values that stand for "nothing here", in the pixels' own sign."""
    first = number(values.get("PixelPaddingValue"))
    if first is None:
        return None
    last = number(values.get("PixelPaddingRangeLimit"))
    low, high = sorted(_in_sign(int(v), source) for v in (first, first if last is None else last))
    return low, high


def _in_sign(value: int, source: Source) -> int:
    """Read a padding value as the pixels are read, for files whose two signs differ."""
    value %= 1 << source.bits
    return value - (1 << source.bits) if source.signed and value >> (source.bits - 1) else value


def _rounded(values: Mapping[str, Any], name: str, digits: int) -> float | None:
    found = number(values.get(name))
    return None if found is None else round(found, digits)


def _echo(values: Mapping[str, Any]) -> float | None:
    found = _rounded(values, "EffectiveEchoTime", 2) or _rounded(values, "EchoTime", 2)
    return found if found and found > 0 else None


def _joined(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return "/".join(map(str, value)) if hasattr(value, "__iter__") else str(value)


def _words(value: Any) -> tuple[str, ...]:
    return tuple(plain(word, 32).upper() for word in _joined(value).replace("/", "\\").split("\\") if word)
