"""A candidate with what is needed to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bolus.core.errors import BadInput
from bolus.core.series import Series
from bolus.core.xray import XRay
from bolus.read.rank import Claim
from bolus.read.survey import Candidate


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One stack of images or one NIfTI file, looked at and not yet read.

    Parameters
    ----------
    candidate
        What is told of it.
    claim
        How strongly it looks like the perfusion series.
    patient
        A hash, so that two patients are kept apart; empty where the files do not say.
    read
        Reads it.
    error
        Why it cannot be read, as far as that is known without its pixels.
    study_uid, xray
        The study that it is of, and how it was taken where it is an X-ray run.
    unused
        Its images that are in no frame, counted by reason.
    """

    candidate: Candidate
    claim: Claim
    patient: str
    read: Callable[[], Series]
    error: BadInput | None = None
    study_uid: str = ""
    xray: XRay | None = None
    unused: Counter[str] = field(default_factory=Counter)
