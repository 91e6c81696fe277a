"""How the pixels of an X-ray run stand to the beam, as its file says (PS3.3 C.8.7.1, C.7.6.10, C.11.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from bolus.core.xray import MaskOperation, Relationship, Shift, XRay
from bolus.read.dicom.images.dates import first_text, moment, time_of_day
from bolus.read.dicom.images.records import Lut, Source
from bolus.read.dicom.images.stamps import number

FRAME_SHIFTS: Final = "FramePixelShifts"
"""Where the values of an enhanced file hold the Frame Pixel Shift Sequence of each frame, in order."""
_RELATIONSHIPS: Final = {
    "LIN": Relationship.LINEAR,
    "LOG": Relationship.LOGARITHMIC,
    "DISP": Relationship.PROCESSED,
    "OTHER": Relationship.PROCESSED,
}
_UNSUBTRACTED: Final = re.compile(r"\b(UN|NOT |NON[- ]?)SUBTR|\bNATIVE\b")
_SUBTRACTED: Final = re.compile(r"\bSUB\b|SUBTR")
_PLANE: Final = re.compile(r"\bBI-?PLANE ([AB])\b")
_LARGEST_LUT: Final = 2**16


def beam_of(values: Mapping[str, Any], source: Source) -> XRay:
    """Return how stored values relate to the beam, and where the beam came from.

    Parameters
    ----------
    values
        Attributes by keyword.
    source
        How the file stores its pixels.

    Returns
    -------
    What the file says; a table that makes its values linear in the beam (`lut_of`) counts as applied.
    """
    lut = lut_of(values)
    sign = number(values.get("PixelIntensityRelationshipSign")) or 0.0
    operations = tuple(_operations(values.get("MaskSubtractionSequence"), values.get(FRAME_SHIFTS) or ()))
    return XRay(
        relationship=Relationship.LINEAR if lut else _relationship(values),
        sign=1 if sign > 0 else -1 if sign < 0 else 0,
        full_scale=float(lut.largest if lut else 2**source.stored_bits - 1),
        subtracted=_subtracted(values, operations),
        operations=operations,
        plane=_plane(values),
        primary_deg=number(values.get("PositionerPrimaryAngle")),
        secondary_deg=number(values.get("PositionerSecondaryAngle")),
        started=_started(values),
        fluoroscopy=first_text(values.get("RadiationSetting")).upper() == "SC",
        rotating=first_text(values.get("PositionerMotion")).upper() == "DYNAMIC",
    )


def _relationship(values: Mapping[str, Any]) -> Relationship | None:
    return _RELATIONSHIPS.get(first_text(values.get("PixelIntensityRelationship")).upper())


def _subtracted(values: Mapping[str, Any], operations: Sequence[MaskOperation]) -> bool | None:
    """Tell whether the stored frames are subtracted; the pixels decide where this says None.

    Native viewing (RecommendedViewingMode NAT) is recommended for both, and SUB without a mask for either.
    """
    words = " ".join(
        (*_words(values.get("ImageType"))[2:], *_words(values.get("FrameType"))[2:],
         *_words(values.get("DerivationDescription")))
    )  # fmt: skip
    if "DIGITAL_SUBTR" in _words(values.get("ImageProcessingApplied")):
        return True
    if operations or _UNSUBTRACTED.search(words):
        return False
    return True if _SUBTRACTED.search(words) else None


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    return [str(part).strip(" \x00").upper() for part in parts]


def _plane(values: Mapping[str, Any]) -> str:
    said = (*_words(values.get("ImageType")), *_words(values.get("FrameType")))
    for word in (*said, *_words(values.get("PlanesInAcquisition"))):
        if match := _PLANE.search(word):
            return match.group(1)
    return ""


def _started(values: Mapping[str, Any]) -> str:
    """Return `YYYYMMDDHHMMSS.ffffff`, with eight zeros for a date that is not there; empty without a time."""
    whole = first_text(values.get("AcquisitionDateTime"))
    if re.fullmatch(r"\d{14}(\.\d+)?([+-]\d{4})?", whole):
        return whole[:14] + f"{float('0' + re.sub('[+-].*', '', whole[14:])):.6f}"[1:]
    for kind in ("Acquisition", "Content", "Series"):
        seconds = time_of_day(values.get(f"{kind}Time"))
        if seconds is not None:
            date = re.sub(r"\D", "", first_text(values.get(f"{kind}Date")))
            return f"{date if len(date) == 8 else '0' * 8}{_clock(seconds)}"
    return ""


def seconds_of(started: str) -> float | None:
    """Return when a run began [s] from what `XRay.started` says, None where it says nothing."""
    whole = moment(started)
    return time_of_day(started[8:]) if whole is None and started else whole


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1e6), 60_000_000)
    return f"{minutes // 60:02d}{minutes % 60:02d}{rest / 1e6:09.6f}"


def _operations(sequence: Any, shifts: Sequence[Any]) -> Iterable[MaskOperation]:
    """Return the mask operations that subtract something, in the order of the file."""
    for item in sequence or ():
        kind = first_text(item.get("MaskOperation")).upper()
        if kind in {"AVG_SUB", "TID", "REV_TID"}:
            yield _operation(kind, item, shifts)


def _operation(kind: str, item: Any, shifts: Sequence[Any]) -> MaskOperation:
    named: Literal["AVG_SUB", "TID", "REV_TID"] = (
        "AVG_SUB" if kind == "AVG_SUB" else "TID" if kind == "TID" else "REV_TID"
    )
    limits = _numbers(item.get("ApplicableFrameRange"))
    offset = number(item.get("TIDOffset"))
    return MaskOperation(
        kind=named,
        frames=tuple(int(n) - 1 for n in _numbers(item.get("MaskFrameNumbers")) if n >= 1),
        ranges=tuple((int(a) - 1, int(b)) for a, b in zip(limits[::2], limits[1::2], strict=False)),
        shift_px=_shift(item) or (0.0, 0.0),
        offset=1 if offset is None else int(offset),
        frame_shifts_px=_frame_shifts(item, shifts),
    )


def _shift(item: Any) -> Shift | None:
    """Return the Mask Sub-pixel Shift (0028,6114) of an item along x and y [pixels], None without one.

    It is written "vertical, horizontal", in spacings of rows and of columns, and is applied to the mask
    before that is subtracted from the contrast frame: positive numbers move it down, and to the left (PS3.3
    C.7.6.10.1.2).
    """
    shift = _numbers(item.get("MaskSubPixelShift"))
    return (-shift[1], shift[0]) if len(shift) >= 2 else None


def _frame_shifts(item: Any, shifts: Sequence[Any]) -> tuple[Shift, ...]:
    """Return the shift of each frame that carries the item's Subtraction Item ID (0028,9416).

    Frames that say nothing keep the shift of the item itself; empty where no frame says anything
    (PS3.3 C.7.6.16.2.14, Frame Pixel Shift Macro).
    """
    wanted = number(item.get("SubtractionItemID"))
    if wanted is None:
        return ()
    found = [_shift_of(frame, wanted) for frame in shifts]
    if all(shift is None for shift in found):
        return ()
    still = _shift(item) or (0.0, 0.0)
    return tuple(still if shift is None else shift for shift in found)


def _shift_of(frame: Any, wanted: float) -> Shift | None:
    named = (one for one in frame or () if number(one.get("SubtractionItemID")) == wanted)
    return next((shift for one in named if (shift := _shift(one)) is not None), None)


def _numbers(value: Any) -> list[float]:
    if value is None:
        return []
    many = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    return [found for part in many if (found := number(part)) is not None]


def lut_of(values: Mapping[str, Any]) -> Lut | None:
    """Return the table that makes stored values linear in the beam, None where the file has none.

    The Modality LUT of plain X-ray images (PS3.3 C.8.7.1.1.2), or the Pixel Intensity Relationship LUT
    `TO_LINEAR` of enhanced ones (C.7.6.16.2.13). A table that is damaged counts as absent.
    """
    for item in values.get("PixelIntensityRelationshipLUTSequence") or ():
        if first_text(item.get("LUTFunction")).upper() == "TO_LINEAR":
            return _table(item)
    plain = next(iter(values.get("ModalityLUTSequence") or ()), None)
    return None if plain is None else _table(plain)


def _table(item: Any) -> Lut | None:
    descriptor = _numbers(item.get("LUTDescriptor"))
    if len(descriptor) != 3:
        return None
    size, first, bits = (int(n) for n in descriptor)
    size = size or _LARGEST_LUT
    table = _entries(item.get("LUTData"), size)
    if table is None or not 0 < bits <= 16:
        return None
    return Lut(first, table)


def _entries(data: Any, size: int) -> NDArray[np.uint16] | None:
    """Return the entries of a table, of 16 or 8 bits each, shape `(size,)`."""
    if isinstance(data, bytes):
        kind = np.dtype("<u2") if len(data) >= 2 * size else np.dtype("u1")
        found = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], dtype=kind)
    else:
        found = np.asarray(_numbers(data)) % _LARGEST_LUT
    return found[:size].astype(np.uint16) if 1 < size <= found.size else None
