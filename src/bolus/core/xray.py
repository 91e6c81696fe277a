"""What an X-ray run says about its own pixels: how they stand to the beam, and what was subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, TypeAlias

Shift: TypeAlias = tuple[float, float]
"""Along x and y [pixels]."""


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
        minus a frame that goes back as the run goes on, beginning `offset` before the first range.
    frames
        Mask frames, numbered from 0.
    ranges
        Frames `[first, last)` that it applies to; empty: all of them.
    shift_px
        How far the mask is moved before it is subtracted, along x and y [pixels].
    offset
        Frames between a frame and its mask, for `TID` and `REV_TID`.
    frame_shifts_px
        The same as `shift_px` for each frame of the run, where the file gives each its own; else empty.
    """

    kind: Literal["AVG_SUB", "TID", "REV_TID"]
    frames: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    shift_px: Shift = (0.0, 0.0)
    offset: int = 1
    frame_shifts_px: tuple[Shift, ...] = ()

    def shift_of(self, frame: int) -> Shift:
        """Return how far the mask is moved before it is subtracted from a frame, along x and y [pixels]."""
        return self.frame_shifts_px[frame] if frame < len(self.frame_shifts_px) else self.shift_px

    def of_frames(self, kept: Sequence[int]) -> MaskOperation:
        """Return the operation in the numbers of a run that holds only these frames, in rising order."""
        place = {frame: n for n, frame in enumerate(kept)}
        inside = [[place[f] for f in range(*span) if f in place] for span in self.ranges]
        shifts = tuple(self.shift_of(frame) for frame in kept) if self.frame_shifts_px else ()
        return replace(
            self,
            frames=tuple(place[frame] for frame in self.frames if frame in place),
            ranges=tuple((span[0], span[-1] + 1) for span in inside if span),
            frame_shifts_px=shifts,
        )


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

    def of_frames(self, kept: Sequence[int]) -> XRay:
        """Return the same for a run that holds only these of the file's frames, in rising order.

        Operations whose mask, or whose every frame, was left out do not count any more.
        """
        named = [(one, one.of_frames(kept)) for one in self.operations]
        left = tuple(
            new
            for old, new in named
            if bool(old.frames) == bool(new.frames) and bool(old.ranges) == bool(new.ranges)
        )
        return replace(self, operations=left)

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
