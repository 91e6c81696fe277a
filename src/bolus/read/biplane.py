"""The two views of a biplane run, kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bolus.core.units import Modality
from bolus.read.choice import Study
from bolus.read.dicom import seconds_of
from bolus.read.found import Found

_TOGETHER_S: Final = 5.0
"""How far apart the two planes of one injection may say they began [s]: their clocks are written apart."""
_FEWER_FRAMES: Final = 1
_ALIKE: Final = 0.5
"""Steps and durations of the two may differ by this many steps."""


def partner_of(chosen: Found, study: Study) -> Found | None:
    """Return the other view of the run that was chosen, None where there is none.

    Parameters
    ----------
    chosen
        The run to read.
    study
        Everything that was found.

    Returns
    -------
    The run of the same patient and study, of another plane or view, with the same number of frames (one
    more or fewer), the same times within half a step, that began at the same time (5 s). Where
    several do, the one that began nearest.
    """
    others = [one for one in study.found if is_partner(chosen, one)]
    return min(others, key=lambda one: _apart_s(chosen, one) or 0.0, default=None)


def is_partner(a: Found, b: Found) -> bool:
    """Tell whether two runs are the two views of one injection."""
    if a is b or b.error is not None or a.error is not None:
        return False
    if any(one.candidate.modality is not Modality.XA for one in (a, b)) or b.candidate.problems:
        return False
    if (a.patient, a.study_uid) != (b.patient, b.study_uid):
        return False
    apart = _apart_s(a, b)
    return _other_view(a, b) and _same_clock(a, b) and (apart is None or apart <= _TOGETHER_S)


def in_order(views: Sequence[Found]) -> tuple[Found, ...]:
    """Return two views AP before lateral; where the angles do not tell, plane A before plane B."""
    rank = {"AP": 0, "": 1, "LAT": 2}
    return tuple(sorted(views, key=lambda v: (rank[v.xray.view], v.xray.plane) if v.xray else (1, "")))


def _other_view(a: Found, b: Found) -> bool:
    if a.xray is None or b.xray is None:
        return False
    planes = {a.xray.plane, b.xray.plane} - {""}
    views = {a.xray.view, b.xray.view} - {""}
    return len(planes) == 2 or (len(views) == 2 and len(planes) != 1)


def _same_clock(a: Found, b: Found) -> bool:
    one, other = a.candidate, b.candidate
    if abs(one.shape[3] - other.shape[3]) > _FEWER_FRAMES or not (one.dt_s and other.dt_s):
        return False
    step = one.dt_s[1]
    longer = abs((one.duration_s or 0.0) - (other.duration_s or 0.0))
    frames = abs(one.shape[3] - other.shape[3])
    slack = (_ALIKE + frames) * max(one.dt_s[2], other.dt_s[2])
    return abs(step - other.dt_s[1]) <= _ALIKE * step and longer <= slack


def _apart_s(a: Found, b: Found) -> float | None:
    """Return how far apart two runs began [s], None where one of them does not say."""
    moments = [seconds_of(one.xray.started) if one.xray else None for one in (a, b)]
    if moments[0] is None or moments[1] is None:
        return None
    return abs(moments[0] - moments[1])
