"""What an X-ray run says about its own pixels: how they stand to the beam, and what was subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Relationship(StrEnum):
    """Pixel Intensity Relationship (0028,1040): what a stored value is proportional to."""

    LINEAR = "LIN"
    LOGARITHMIC = "LOG"
    PROCESSED = "DISP"


@dataclass(frozen=True, slots=True)
class MaskOperation:
    """One item of the Mask Subtraction Sequence (0028,6100).

    Parameters
    ----------
    kind
        `AVG_SUB`: minus the mean of the mask frames; `TID`: minus the frame `offset` before; `REV_TID`:
        minus a frame that goes back as the run goes on, beginning `offset` before the range.
    frames
        Mask frames, numbered from 0.
    ranges
        Frames `[first, last)` that it applies to; empty: all of them.
    shift_px
        How far the mask is moved before it is subtracted, along x and y [pixels].
    offset
        Frames between a frame and its mask, for `TID` and `REV_TID`.
    """

    kind: Literal["AVG_SUB", "TID", "REV_TID"]
    frames: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    shift_px: tuple[float, float] = (0.0, 0.0)
    offset: int = 1


@dataclass(frozen=True, slots=True)
class XRay:
    """How the stored values of a run relate to the beam, as far as its file says.

    Parameters
    ----------
    relationship
        Linear, logarithmic or processed; None: not said.
    sign
        +1: less beam, as behind a vessel, is a lower value; -1: a higher one; 0: not said.
    full_scale
        Largest value that can be stored, `2**BitsStored - 1`.
    subtracted
        Whether the stored frames are already subtracted; None: the file does not say.
    operations
        What to subtract, in the order of the file.
    plane
        `A` or `B` of a biplane system; empty: not said.
    primary_deg, secondary_deg
        Positioner angles: from right to left anterior oblique (positive: towards the patient's left), and
        from caudal to cranial; None: not said.
    started
        When the run began, as text that compares (date and time); empty: not said.
    fluoroscopy
        Whether it was taken at the low dose of fluoroscopy and road maps.
    rotating
        Whether the tube turned during the run.
    """

    relationship: Relationship | None = None
    sign: Literal[-1, 0, 1] = 0
    full_scale: float = 4095.0
    subtracted: bool | None = None
    operations: tuple[MaskOperation, ...] = ()
    plane: str = ""
    primary_deg: float | None = None
    secondary_deg: float | None = None
    started: str = ""
    fluoroscopy: bool = False
    rotating: bool = False

    @property
    def view(self) -> str:
        """`AP`, `LAT` or, where the angles do not tell, an empty text."""
        if self.primary_deg is None:
            return ""
        turned = abs(self.primary_deg)
        return "LAT" if abs(turned - 90.0) <= 30.0 else "AP" if turned <= 45.0 else ""

    def told(self) -> str:
        """Return all of it in a few words for people, such as `AP, plane A, LIN, unsubtracted`."""
        words = {None: "subtracted or not is not said", True: "subtracted", False: "unsubtracted"}
        vessels = {1: "vessels dark", -1: "vessels bright", 0: ""}
        parts = (
            self.view or "view not said",
            f"plane {self.plane}" if self.plane else "",
            self.relationship.value if self.relationship else "intensity relationship not said",
            vessels[self.sign],
            words[self.subtracted],
        )
        return ", ".join(part for part in parts if part)
