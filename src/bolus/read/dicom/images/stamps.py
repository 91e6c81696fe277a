"""The times and the order that an image states, by the name of the clock."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from bolus.read.dicom.images.dates import day, first_text, moment, time_of_day

IN_SECONDS = " (taken as seconds)"
"""What follows the name of a clock whose values are too small to be milliseconds."""
_SHORTEST_MS = 5.0
RANKS = ("TemporalPositionIndex", "TemporalPositionIdentifier", "AcquisitionNumber", "InstanceNumber")


def number(value: Any) -> float | None:
    """Return the first of the values of an attribute as a finite number, or None."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    try:
        found = float(first_text(value))
    except ValueError:
        return None
    return found if abs(found) < 1e15 else None


def binary(value: Any, layout: str) -> Any:
    """Return the number in the bytes of a private attribute whose type the file leaves open.

    Parameters
    ----------
    layout
        As for `struct`, such as `<f`.
    """
    if isinstance(value, bytes) and len(value) == struct.calcsize(layout):
        return struct.unpack(layout, value)[0]
    return value


def read_clocks(values: Mapping[str, Any], frame: int = 0) -> dict[str, float]:
    """Return every time that an image states [s], by clock.

    Parameters
    ----------
    values
        Attributes by keyword.
    frame
        Which frame of a multi-frame image, from 0, for the clocks that count frames.
    """
    maker = str(values.get("Manufacturer") or "").upper()
    found = {
        "FrameAcquisitionDateTime": moment(values.get("FrameAcquisitionDateTime")),
        "FrameReferenceDateTime": moment(values.get("FrameReferenceDateTime")),
        "AcquisitionDateTime": moment(values.get("AcquisitionDateTime")),
        "AcquisitionTime": _on_day(values, "AcquisitionDate", "AcquisitionTime"),
        "TriggerTime": _scaled(values, "TriggerTime", 1e-3),
        "TemporalPositionTimeOffset": _scaled(values, "TemporalPositionTimeOffset", 1.0),
        "TemporalResolution": _product(values, "TemporalPositionIdentifier", "TemporalResolution"),
        "ContentTime": _on_day(values, "ContentDate", "ContentTime"),
    }
    if found["TriggerTime"] is None:
        found["TriggerTime"] = _scaled(values, "NominalCardiacTriggerDelayTime", 1e-3)
    found |= _private(values, maker) | _cine(values, frame)
    return {clock: value for clock, value in found.items() if value is not None}


def read_ranks(values: Mapping[str, Any]) -> dict[str, float]:
    """Return every number of an image that tells the order in time, by attribute."""
    found = {name: number(values.get(name)) for name in RANKS}
    return {name: value for name, value in found.items() if value is not None}


def _on_day(values: Mapping[str, Any], date: str, time: str) -> float | None:
    seconds = time_of_day(values.get(time))
    if seconds is None:
        return None
    return seconds + (day(values.get(date)) or 0.0)


def _scaled(values: Mapping[str, Any], name: str, factor: float) -> float | None:
    found = number(values.get(name))
    return None if found is None else found * factor


def _product(values: Mapping[str, Any], rank: str, step: str) -> float | None:
    index, step_ms = number(values.get(rank)), number(values.get(step))
    return None if index is None or not step_ms else index * step_ms / 1000.0


def _private(values: Mapping[str, Any], maker: str) -> dict[str, float | None]:
    """Read vendors' own clocks, each only from its vendor."""
    if "PHILIPS" in maker:
        return {"DynamicScanBeginTime": number(binary(values.get("DynamicScanBeginTime"), "<f"))}
    if maker.startswith("GE"):
        is_ct = first_text(values.get("Modality")) == "CT"
        return {
            "MidScanTime": number(values.get("MidScanTime")) if is_ct else None,
            "DeltaStartTime": _scaled(values, "DeltaStartTime", 1e-3),
            "RTIA": number(values.get("RTIATimer")),
        }
    return {}


def _cine(values: Mapping[str, Any], frame: int) -> dict[str, float | None]:
    """Read the clocks of a multi-frame X-ray run (PS3.3 C.7.6.5, C.7.6.6)."""
    found: dict[str, float | None] = {}
    steps = _steps(values.get("FrameTimeVector"))
    if frame < len(steps):
        unit, note = _unit(sorted(steps[1:] or steps)[(len(steps) - 1) // 2])
        found["FrameTimeVector" + note] = sum(steps[1 : frame + 1]) * unit
    if step := number(values.get("FrameTime")):
        unit, note = _unit(step)
        found["FrameTime" + note] = frame * step * unit
    for name in ("CineRate", "RecommendedDisplayFrameRate"):
        if rate := number(values.get(name)):
            found[name] = frame / rate
    return found


def _steps(vector: Any) -> list[float]:
    """Return the steps between frames as they are written; none where one of them goes back in time."""
    if vector is None:
        return []
    many = vector if hasattr(vector, "__iter__") and not isinstance(vector, str) else [vector]
    steps = [float(v) for v in many]
    return [] if any(step < 0 for step in steps) else steps


def _unit(step: float) -> tuple[float, str]:
    """Return the unit of a typical step [s], and what to add to the clock's name.

    It should be milliseconds. Some files give seconds: no angiography has 200 frames a second or more.
    """
    return (1.0, IN_SECONDS) if 0 < step < _SHORTEST_MS else (1e-3, "")
