"""DICOM dates and times as seconds, however they are spelt."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np

from bolus.core.arrays import Float64s

DAY_S = 86400.0
_EPOCH = date(2000, 1, 1).toordinal()  # near the studies, so that a float64 keeps the microseconds
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?)?")
_MOMENT = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d+)?)?)?)([+-]\d{4})?")


def first_text(value: Any) -> str:
    """Return the first of the values of an attribute as stripped text."""
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), "")
    return str(value).strip(" \x00")


def time_of_day(value: Any) -> float | None:
    """Return seconds after midnight [s] of `HHMMSS.f`, `HHMM`, `HH` or `HH:MM:SS.f`, or None."""
    match = _TIME.fullmatch(first_text(value))
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
        return None
    return hours * 3600.0 + minutes * 60.0 + seconds + float(f"0.{match.group(4) or 0}")


def day(value: Any) -> float | None:
    """Return the start of a day, counted from 2000 [s], of `YYYYMMDD` or `YYYY.MM.DD`, or None."""
    digits = first_text(value).replace(".", "").replace("-", "")
    if len(digits) != 8 or not digits.isdecimal():
        return None
    try:
        return (date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal() - _EPOCH) * DAY_S
    except ValueError:
        return None


def moment(value: Any) -> float | None:
    """Return a DICOM date-time `YYYYMMDDHHMMSS.f&ZZXX` as seconds [s], UTC offset removed, or None."""
    match = _MOMENT.fullmatch(first_text(value))
    if match is None:
        return None
    start, time = day(match.group(1)), time_of_day(match.group(2))
    if start is None or time is None:
        return None
    zone = match.group(3) or "+0000"
    shift = (int(zone[1:3]) * 3600.0 + int(zone[3:]) * 60.0) * (-1 if zone[0] == "-" else 1)
    return start + time - shift


def over_midnight(seconds: Float64s) -> Float64s:
    """Carry times on over midnight where the date was not counted up, shape `(n,)` [s].

    Times that lie more than half a day apart cannot belong to one bolus: the early ones are of the
    next day. Where some lack a date, those of the others do not count.
    """
    finite = seconds[np.isfinite(seconds)]
    dated = (finite < 0) | (finite >= DAY_S)
    if dated.any() and not dated.all():
        return over_midnight(seconds % DAY_S)
    if not finite.size or np.ptp(finite) <= DAY_S / 2 or np.ptp(finite) >= DAY_S:
        return seconds
    late = seconds + np.where(seconds < finite.min() + DAY_S / 2, DAY_S, 0.0)
    return late if np.ptp(late[np.isfinite(late)]) < np.ptp(finite) else seconds
