"""Images of enhanced multi-frame files: attributes from functional groups (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydicom.dataset import Dataset

from bolus.read.dicom.images.beam import FRAME_SHIFTS
from bolus.read.dicom.images.classic import make_image
from bolus.read.dicom.images.dates import first_text
from bolus.read.dicom.images.records import Image, NotUsable, Source
from bolus.read.dicom.images.xray import xray_frame

_MACROS: Final = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "FrameContentSequence": (
        "FrameAcquisitionDateTime", "FrameReferenceDateTime", "TemporalPositionIndex",
        "FrameAcquisitionNumber", "InStackPositionNumber",
    ),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "CTXRayDetailsSequence": ("KVP",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "TemporalPositionSequence": ("TemporalPositionTimeOffset",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "FramePixelDataPropertiesSequence": ("FrameType", "ImageProcessingApplied"),
    "PositionerPositionSequence": ("PositionerPrimaryAngle", "PositionerSecondaryAngle"),
}  # fmt: skip
_SHIFT: Final = "FramePixelShiftSequence"
_BEAM: Final = ("MaskSubtractionSequence", "PixelIntensityRelationshipLUTSequence")
# Sequences of X-ray images that stand in a group as they stand in a plain file.
_PHILIPS_FRAME: Final = (0x2005, 0x140F)
_PHILIPS_DYNAMIC: Final = (0x2005, 0x10A0)


def enhanced_images(dataset: Dataset, values: Mapping[str, Any], source: Source) -> tuple[Image, ...]:
    """Return every frame of an enhanced CT, MR or X-ray file as an image.

    Attributes of a frame come before those that all frames share, and those before the file's own.

    Raises
    ------
    NotUsable
        If the groups do not fit the frames, or a frame lacks what an image needs.
    """
    frames = dataset.PerFrameFunctionalGroupsSequence
    if len(frames) != source.frames:
        raise NotUsable("frames and functional groups differ in number")
    common = dict(values)
    for item in dataset.get("SharedFunctionalGroupsSequence") or ():
        common |= _attributes(item) | {FRAME_SHIFTS: [item.get(_SHIFT)] * len(frames)}
    own = [item.get(_SHIFT) for item in frames]
    if any(own):
        common[FRAME_SHIFTS] = own
    make = xray_frame if first_text(values.get("Modality")) in {"XA", "RF"} else make_image
    return tuple(make(common | _attributes(item), source, index) for index, item in enumerate(frames))


def _attributes(group: Dataset) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for macro, names in _MACROS.items():
        items = group.get(macro)
        if items:
            found |= {name: items[0].get(name) for name in names if name in items[0]}
    found |= {name: group.get(name) for name in _BEAM if group.get(name)}
    if "FrameAcquisitionNumber" in found:
        found["AcquisitionNumber"] = found["FrameAcquisitionNumber"]
    if _PHILIPS_FRAME in group and group[_PHILIPS_FRAME].VR == "SQ" and group[_PHILIPS_FRAME].value:
        inner = group[_PHILIPS_FRAME].value[0]
        if _PHILIPS_DYNAMIC in inner:
            found["DynamicScanBeginTime"] = inner[_PHILIPS_DYNAMIC].value
    return found
