"""Images of one kind, laid out by slice and time: everything of a series but its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.core.errors import BadTimes
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.read.dicom.clock import find_times
from bolus.read.dicom.geometry import make_grid
from bolus.read.dicom.holes import plan_repair
from bolus.read.dicom.images.records import Image, Kind, Label
from bolus.read.dicom.stack import Stack


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which image is which slice at which time.

    Parameters
    ----------
    slices
        Images of every slice, slices in order along their normal.
    table
        Number of the image within its slice, -1 where it is missing; shape `(z, t)`.
    times
        Seconds as the clock counts them, shape `(z, t)`.
    fills
        Slice and frame of every image to interpolate, shape `(n, 2)`.
    unused
        Images that are not in the table, counted by reason.
    """

    kind: Kind
    label: Label
    grid: Grid
    slices: tuple[tuple[Image, ...], ...]
    table: NDArray[np.intp]
    times: Float64s
    fills: NDArray[np.intp]
    clock: str
    findings: tuple[Finding, ...]
    unused: Counter[str]

    def image(self, k: int, t: int) -> Image | None:
        """Return the image of a slice at a time, or None where it is missing."""
        index = int(self.table[k, t])
        return None if index < 0 else self.slices[k][index]

    def keep(self, frames: NDArray[np.intp], fills: NDArray[np.intp], notes: Sequence[Finding]) -> Layout:
        """Return the layout of some of the frames."""
        return replace(
            self,
            table=self.table[:, frames],
            times=self.times[:, frames],
            fills=fills,
            findings=(*self.findings, *notes),
        )


def lay_out(stack: Stack, *, dt_s: float | None = None, where: Path | str = "") -> Layout:
    """Lay sorted slices out in time.

    Parameters
    ----------
    stack
        Slices in order along their normal.
    dt_s
        Frame interval [s] that replaces what the files say.

    Raises
    ------
    BadTimes
        If every slice has one image only, or no clock can be believed.
    BadGeometry
        If positions do not make a stack, or too many slices are missing.
    """
    if max(map(len, stack.slices)) < 2:
        raise BadTimes(
            "there is one frame only", wanted="a series of frames over time", where=where,
            remedy="Name the dynamic series with --series; `bolus info` lists what is there.",
        )  # fmt: skip
    timing = find_times(stack, dt_s=dt_s, where=where)
    first = stack.slices[0][0]
    grid, notes = make_grid(first.kind, stack.positions, where)
    repair = plan_repair(timing.table < 0, where)
    n_used = int((timing.table >= 0).sum())
    unused = stack.unused + Counter({reason: n for reason, n in timing.unused.items() if n})
    layout = Layout(
        kind=first.kind,
        label=first.label,
        grid=grid,
        slices=stack.slices,
        table=timing.table,
        times=timing.times,
        fills=repair.fills,
        clock=timing.clock,
        findings=(*stack.findings, *timing.findings, *notes, *_label_notes(first)),
        unused=unused,
    )
    layout = layout.keep(repair.kept, repair.fills, repair.findings)
    if in_dropped := n_used - int((layout.table >= 0).sum()):
        layout.unused["of an incomplete frame"] += in_dropped
    return layout


def _label_notes(image: Image) -> tuple[Finding, ...]:
    notes = []
    if not image.kind.rescaled:
        text = "The files lack a rescale slope or intercept; 1 and 0 are taken for what is missing."
        notes.append(Finding("NO_RESCALE", Severity.WARN, text))
    if image.label.inverted:
        text = "The images are meant to be shown inverted (MONOCHROME1); values are kept as they are."
        notes.append(Finding("MONOCHROME1", Severity.INFO, text))
    if extra := image.label.surplus_times:
        text = f"The file states {extra} more times than it has frames; the last ones are not used."
        notes.append(Finding("TIME_SURPLUS", Severity.WARN, text, float(extra)))
    if not image.label.measured:
        text = "The pixel spacing is unknown and set to 1 mm; lengths in mm mean nothing."
        notes.append(Finding("NO_SPACING", Severity.WARN, text))
    return tuple(notes)
