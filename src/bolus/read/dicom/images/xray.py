"""Images of X-ray angiography runs: one plane, many frames, no place in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bolus.read.dicom.images.classic import kind_of, label_of, scale_of, vector
from bolus.read.dicom.images.records import Image, NotUsable, Source, Vector
from bolus.read.dicom.images.stamps import number, read_clocks, read_ranks

_AXIAL_LOOK = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def xray_images(values: Mapping[str, Any], source: Source) -> tuple[Image, ...]:
    """Return the frames of one X-ray file, one image a frame."""
    return tuple(xray_frame(values, source, index) for index in range(source.frames))


def xray_frame(values: Mapping[str, Any], source: Source, frame: int = 0) -> Image:
    """Make an image of one frame; a projection has no position, so all frames lie at the origin."""
    spacing, measured = _spacing(values)
    slope, intercept = scale_of(values)
    run = source.sop_uid if source.frames > 1 else ""
    clocks = read_clocks(values, frame)
    if source.frames > 1:  # the file's own time is that of the whole run
        clocks = {name: t for name, t in clocks.items() if name.startswith(("Frame", "Cine", "Recommended"))}
    return Image(
        source=source,
        kind=kind_of(values, source, plane=(*_AXIAL_LOOK, *spacing), run=run),
        label=label_of(values, measured=measured),
        frame=frame,
        position=(0.0, 0.0, 0.0),
        slope=slope,
        intercept=intercept,
        clocks=clocks,
        ranks={"FrameNumber": float(frame)} if source.frames > 1 else read_ranks(values),
    )


def _spacing(values: Mapping[str, Any]) -> tuple[Vector, bool]:
    """Return row and column spacing [mm] and whether the file measured it (PS3.3 10.7)."""
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            spacing = vector(values, name, 2)
        except NotUsable:
            continue
        zoom = number(values.get("EstimatedRadiographicMagnificationFactor")) or 1.0
        factor = zoom if name == "ImagerPixelSpacing" and zoom > 0 else 1.0
        if min(spacing) > 0:
            return tuple(s / factor for s in spacing), True
    return (1.0, 1.0), False
