"""What can go wrong, as one tree.

::

    BolusError
    ├── BadInput (also ValueError)        the input cannot be used; exit code 3
    │   ├── UnreadableFile                a file is missing, truncated, corrupt or not permitted
    │   ├── MissingTag                    a file lacks an attribute that nothing can stand in for
    │   ├── NoSeries                      nothing in the study is a perfusion series
    │   ├── AmbiguousSeries               several series are equally good: the user must choose
    │   ├── BadGeometry                   positions, spacing or orientation do not make a volume
    │   ├── BadTimes                      frame times are absent, repeated, decreasing or absurd
    │   ├── ShapeMismatch                 two arrays that belong together differ in shape
    │   ├── NoBrain                       no brain could be outlined
    │   ├── NoBolus                       no passage of contrast could be found
    │   └── NoVessel                      no artery (or vein) could be found or read
    ├── BadRecipe (also ValueError)       an option is unknown or out of range; exit code 2
    └── OutputFailed                      results could not be written; nothing is left behind; exit code 3

Every message says what is wrong, what was wanted, what was found, where, and what to do.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AmbiguousSeries",
    "BadGeometry",
    "BadInput",
    "BadRecipe",
    "BadTimes",
    "BolusError",
    "MissingTag",
    "NoBolus",
    "NoBrain",
    "NoSeries",
    "NoVessel",
    "OutputFailed",
    "ShapeMismatch",
    "UnreadableFile",
]


class BolusError(Exception):
    """Anything that `bolus` refuses to do, with the reason and the remedy.

    Parameters
    ----------
    what
        What is wrong, one clause without a full stop.
    wanted, found
        What would have been right, and what was there instead.
    where
        The file or folder that it concerns.
    remedy
        What the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        wanted: str = "",
        found: str = "",
        where: str | Path | None = None,
        remedy: str = "",
    ) -> None:
        self.what = what
        self.wanted = wanted
        self.found = found
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        parts = [self.what]
        if self.wanted:
            parts.append(f"wanted {self.wanted}")
        if self.found:
            parts.append(f"found {self.found}")
        text = "; ".join(parts)
        if self.where:
            text += f" [{self.where}]"
        return f"{text}. {self.remedy}".strip() if self.remedy else text

    def as_dict(self) -> dict[str, str]:
        """Return the parts of the message under fixed keys, for `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "wanted": self.wanted,
            "found": self.found,
            "where": self.where or "",
            "remedy": self.remedy,
        }


class BadInput(BolusError, ValueError):
    """The input cannot be used as it is."""


class UnreadableFile(BadInput):
    """A file is missing, truncated, corrupt or not permitted."""


class MissingTag(BadInput):
    """A file lacks an attribute that nothing else can stand in for."""


class NoSeries(BadInput):
    """Nothing in the study is a perfusion series."""


class AmbiguousSeries(BadInput):
    """Several series are equally good candidates, so the user must choose."""


class BadGeometry(BadInput):
    """Positions, spacing or orientation do not make a volume."""


class BadTimes(BadInput):
    """Frame times are absent, repeated, decreasing or absurd."""


class ShapeMismatch(BadInput):
    """Two arrays that belong together differ in shape."""


class NoBrain(BadInput):
    """No brain could be outlined."""


class NoBolus(BadInput):
    """No passage of contrast could be found."""


class NoVessel(BadInput):
    """No artery or vein could be found or read."""


class BadRecipe(BolusError, ValueError):
    """An option is unknown, of the wrong kind, or out of range."""


class OutputFailed(BolusError):
    """Results could not be written; nothing half-written is left behind."""
