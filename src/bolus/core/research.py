"""What a classifier says of a study: a research result, which carries what is known of whoever says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bolus.core.units import Modality


class Reply(StrEnum):
    """Answer to a question: a classifier may not know, or refuse to look at what it was not made for."""

    YES = "yes"
    NO = "no"
    UNSURE = "do not know"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A number with its interval; where there is no interval, both bounds are the number.

    Parameters
    ----------
    value, low, high
        In one unit, in whatever order `low <= value <= high` allows.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """What was measured beside the answer.

    Parameters
    ----------
    name, unit
        What it is, and its unit, such as `core volume` and `mL`.
    bounds
        Value and interval.
    """

    name: str
    unit: str
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Marker:
    """A place in the series as it is stored.

    Parameters
    ----------
    name
        What is there.
    x, y, z
        Column, row and slice, counted from 0 at the middle of the first; fractions are parts of a pixel.
    radius
        Of a circle about it that is made to hold the true place [pixels].
    level
        Part of simulated patients whose true place the circle is made to hold, 0-1.
    """

    name: str
    x: float
    y: float
    z: float
    radius: float
    level: float


@dataclass(frozen=True, slots=True)
class Score:
    """How good a classifier is on patients that it never saw.

    Parameters
    ----------
    data
        Who they are, such as `simulated, site A`.
    n
        How many.
    auc
        Area under the receiver operating characteristic, with its 95 % interval.
    """

    data: str
    n: int
    auc: Bounds


@dataclass(frozen=True, slots=True)
class About:
    """What must be known of a classifier wherever its answer goes.

    Parameters
    ----------
    name
        Its option, such as `core-size`.
    question
        What it answers with yes or no.
    modality
        What it looks at.
    how
        How it comes to its answer, in a sentence.
    caution
        What it is not for, in a sentence.
    trained_on
        What it was made from, in a word or two.
    scores
        How good it is.
    """

    name: str
    question: str
    modality: Modality
    how: str
    caution: str
    trained_on: str = ""
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class ResearchResult:
    """The answer of a classifier to its question about one study.

    Parameters
    ----------
    about
        Who says it.
    reply
        The answer.
    reason
        Why it does not know or refuses, in a sentence; empty else.
    probability
        Of yes, 0-1; None where it refuses.
    quantities, markers
        What was measured and found beside it.
    """

    about: About
    reply: Reply
    reason: str = ""
    probability: Bounds | None = None
    quantities: tuple[Quantity, ...] = ()
    markers: tuple[Marker, ...] = ()


def refused(about: About, reason: str) -> ResearchResult:
    """Return the result of a classifier that cannot answer, and says why."""
    return ResearchResult(about, Reply.REFUSED, reason)
