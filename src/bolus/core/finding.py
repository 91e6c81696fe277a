"""What a reader must know and what does not stop the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Severity(StrEnum):
    """How much a finding matters: `FAIL` withholds volumes and labels, never the maps."""

    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a reader of the result must know.

    Parameters
    ----------
    code
        A stable name in capitals, such as `TRUNCATED`; listed in the documentation.
    severity
        How much it matters.
    text
        One sentence for a human reader, with what to do where something can be done.
    value
        The number behind it, in the unit that the text names.
    """

    code: str
    severity: Severity
    text: str
    value: float | None = None


Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as `progress(stage, done, total)`; the command line draws a bar, the library stays silent."""


def silent(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""
