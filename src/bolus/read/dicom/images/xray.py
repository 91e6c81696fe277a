"""Images of X-ray angiography runs: one plane, many frames, no place in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bolus.core.xray import XRay
from bolus.read.dicom.images.beam import beam_of, lut_of
from bolus.read.dicom.images.classic import kind_of, label_of, scale_of, vector
from bolus.read.dicom.images.records import Image, Lut, NotUsable, Source, Vector
from bolus.read.dicom.images.stamps import number, read_clocks, read_ranks

_AXIAL_LOOK = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def xray_images(values: Mapping[str, Any], source: Source) -> tuple[Image, ...]:
    """Return the frames of one X-ray file, one image a frame."""
    shared = beam_of(values, source), lut_of(values)
    return tuple(xray_frame(values, source, index, shared) for index in range(source.frames))


def xray_frame(
    values: Mapping[str, Any], source: Source, frame: int = 0, shared: tuple[XRay, Lut | None] | None = None
) -> Image:
    """Make an image of one frame; a projection has no position, so all frames lie at the origin.

    Parameters
    ----------
    values, source
        Attributes by keyword, and how the file stores its pixels.
    frame
        Which frame, from 0.
    shared
        What `beam_of` and `lut_of` say, where all frames share it.
    """
    spacing, measured = _spacing(values)
    slope, intercept = scale_of(values)
    run = source.sop_uid if source.frames > 1 else ""
    clocks = read_clocks(values, frame)
    if source.frames > 1:  # the file's own time is that of the whole run
        clocks = {name: t for name, t in clocks.items() if name.startswith(("Frame", "Cine", "Recommended"))}
    beam, lut = shared or (beam_of(values, source), lut_of(values))
    return Image(
        source=source,
        kind=kind_of(values, source, plane=(*_AXIAL_LOOK, *spacing), run=run),
        label=replace(label_of(values, measured=measured), xray=beam, surplus_times=_surplus(values, source)),
        frame=frame,
        position=(0.0, 0.0, 0.0),
        slope=1.0 if lut else slope,
        intercept=0.0 if lut else intercept,
        clocks=clocks,
        ranks={"FrameNumber": float(frame)} if source.frames > 1 else read_ranks(values),
        lut=lut,
    )


def _surplus(values: Mapping[str, Any], source: Source) -> int:
    vector = values.get("FrameTimeVector")
    if vector is None or not hasattr(vector, "__len__") or source.frames < 2:
        return 0
    return max(len(vector) - source.frames, 0)


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
