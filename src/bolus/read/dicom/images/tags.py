"""Which attributes of a file are read; all others are passed over unparsed."""

from __future__ import annotations

from typing import Final

from pydicom.tag import Tag

_PLAIN: Final = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "Modality", "PatientID", "PatientBirthDate", "Manufacturer", "ManufacturerModelName",
    "SeriesDescription", "ProtocolName", "SeriesNumber", "InstanceNumber", "AcquisitionNumber",
    "ImageType", "BodyPartExamined", "ContrastBolusAgent", "AcquisitionDate", "AcquisitionTime",
    "AcquisitionDateTime", "ContentDate", "ContentTime", "TriggerTime", "TemporalPositionIdentifier",
    "TemporalResolution", "FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "SpacingBetweenSlices", "SliceThickness", "EchoTime",
    "EffectiveEchoTime", "RepetitionTime", "KVP", "ConvolutionKernel", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "PixelIntensityRelationship", "PixelIntensityRelationshipSign",
    "DerivationDescription", "ImageProcessingApplied", "PlanesInAcquisition", "MaskSubtractionSequence",
    "ModalityLUTSequence", "PixelIntensityRelationshipLUTSequence", "PositionerPrimaryAngle",
    "PositionerSecondaryAngle", "PositionerMotion", "RadiationSetting", "SeriesDate", "SeriesTime",
]  # fmt: skip

_PRIVATE: Final = {
    "DynamicScanBeginTime": (0x2005, 0x10A0),
    "RTIATimer": (0x0021, 0x105E),
    "DeltaStartTime": (0x0043, 0x101E),
    "MidScanTime": (0x0019, 0x1024),
    "NumberOfImagesInMosaic": (0x0019, 0x100A),
    "MosaicRefAcqTimes": (0x0019, 0x1029),
    "ImageCSA": (0x0029, 0x1010),
    "SeriesCSA": (0x0029, 0x1020),
}
# Vendors' attributes, under names of our own; their elements are where the vendors always put them.

DISPENSABLE: Final = frozenset({
    "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "TemporalResolution",
    "TriggerTime", "FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate", "KVP",
    "SliceThickness", "RepetitionTime", "DerivationDescription", "ImageProcessingApplied",
    "PlanesInAcquisition", "MaskSubtractionSequence", "PositionerPrimaryAngle", "PositionerSecondaryAngle",
    "PositionerMotion", "RadiationSetting", "SeriesDate", "SeriesTime", "DynamicScanBeginTime", "RTIATimer",
    "DeltaStartTime", "MidScanTime",
})  # fmt: skip
"""What counts as absent where it cannot be parsed: no voxel's value or place depends on it alone."""

_NESTED: Final = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
_CREATORS: Final = [(group, 0x0010 + i) for group in (0x19, 0x21, 0x29, 0x43, 0x2005) for i in range(2)]

VALUES: Final = {name: Tag(name) for name in _PLAIN} | {name: Tag(tag) for name, tag in _PRIVATE.items()}
"""Tags by the names under which their values are known here."""

WANTED: Final = [
    *VALUES.values(),
    *(Tag(name) for name in (*_NESTED, "SpecificCharacterSet")),
    *(Tag(creator) for creator in _CREATORS),
]
"""Everything to parse; ready tags, since pydicom would look each name up again for every file."""
