"""A view of a simulated X-ray run as a multi-frame X-Ray Angiographic Image (PS3.3 A.14)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, XRayAngiographicImageStorage

from bolus.core.series import Series
from bolus.core.xray import XRay
from bolus.phantom.angiogram.study import View
from bolus.phantom.dicom import IMPLEMENTATION_UID, START, decimal, make_uid, name_patient

TO_DETECTOR_MM, TO_PATIENT_MM = 1200, 800
"""From the focus to the detector and to the patient [mm]."""
MAGNIFICATION: Final = TO_DETECTOR_MM / TO_PATIENT_MM
ORIENTATIONS: Final = {"AP": ["L", "F"], "LAT": ["P", "F"]}
"""Where rows and columns run."""


def write_view(view: View, name: str, path: Path, uids: Mapping[str, UID]) -> None:
    """Write one view.

    Parameters
    ----------
    name
        `AP` or `LAT`.
    uids
        `study`, `series`, and one a view by its name.
    """
    image = _new_file(uids[name])
    series = view.series
    beam = series.acquisition.xray or XRay()
    name_patient(image)
    _name_run(image, series, uids)
    image.InstanceNumber = 1 if beam.plane == "A" else 2
    image.PatientOrientation = ORIENTATIONS[name]
    _describe_pixels(image, view, beam)
    _describe_frames(image, series)
    _describe_subtraction(image, beam)
    _describe_beam(image, series, beam)
    other = next(uid for key, uid in uids.items() if key in ORIENTATIONS and key != name)
    image.ReferencedImageSequence = Sequence([_reference(other)])
    frames = series.frames[:, :, 0, :].transpose(2, 1, 0)
    image.PixelData = np.ascontiguousarray(frames, dtype="<u2").tobytes()
    image.save_as(path, enforce_file_format=True)


def _new_file(uid: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BOLUS_PHANTOM"
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = XRayAngiographicImageStorage
    image.SOPInstanceUID = uid
    return image


def view_uids(key: str) -> dict[str, UID]:
    """Return the UIDs of a run, which depend on nothing but its key."""
    return {name: make_uid(key, name) for name in ("study", "series", *ORIENTATIONS)}


def _name_run(image: Dataset, series: Series, uids: Mapping[str, UID]) -> None:
    image.StudyInstanceUID, image.SeriesInstanceUID = uids["study"], uids["series"]
    date, clock = START.strftime("%Y%m%d"), START.strftime("%H%M%S.%f")
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", "", ""
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = date
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = clock
    image.StudyDescription = "Simulated angiography"
    image.SeriesDescription = series.acquisition.description
    image.SeriesNumber, image.AcquisitionNumber = 1, 1
    image.Modality, image.BodyPartExamined = "XA", "HEAD"
    image.Manufacturer, image.ManufacturerModelName = "bolus", "phantom"
    image.DeviceSerialNumber, image.SoftwareVersions = "0", "phantom 1"
    image.ContrastBolusAgent, image.ContrastBolusRoute = "IODINE", "INTRA-ARTERIAL"


def _describe_pixels(image: Dataset, view: View, beam: XRay) -> None:
    grid, truth = view.series.grid, view.truth
    dx, dy, _ = grid.spacing_mm
    kind = "DERIVED" if beam.subtracted else "ORIGINAL"
    image.ImageType = [kind, "PRIMARY", f"BIPLANE {beam.plane}"] + (["SUB"] if beam.subtracted else [])
    image.Rows, image.Columns, image.SamplesPerPixel = grid.shape[1], grid.shape[0], 1
    image.PhotometricInterpretation = truth.photometric
    image.BitsAllocated, image.PixelRepresentation = 16, 0
    image.BitsStored = int(np.log2(beam.full_scale + 1))
    image.HighBit = image.BitsStored - 1
    image.ImagerPixelSpacing = [decimal(dy * MAGNIFICATION), decimal(dx * MAGNIFICATION)]
    image.LossyImageCompression = "00"
    image.PixelIntensityRelationship = str(beam.relationship)
    if beam.sign:
        image.PixelIntensityRelationshipSign = beam.sign
    low, high = np.percentile(view.series.frames[::4, ::4], [1.0, 99.0])
    image.WindowCenter, image.WindowWidth = decimal(round((low + high) / 2)), decimal(round(high - low) + 1)
    if truth.to_linear.size:
        image.ModalityLUTSequence = Sequence([_table(view)])


def _table(view: View) -> Dataset:
    """Return the table that makes stored values proportional to the beam."""
    item = Dataset()
    item.add_new(Tag("LUTDescriptor"), "US", [view.truth.to_linear.size, 0, 16])
    item.ModalityLUTType = "US"
    item.add_new(Tag("LUTData"), "OW", view.truth.to_linear.astype("<u2").tobytes())
    return item


def _describe_frames(image: Dataset, series: Series) -> None:
    """Write when the frames were taken: as one interval where it is always the same, else as a vector."""
    steps = np.rint(1000.0 * np.diff(series.times)).astype(int).tolist()
    image.NumberOfFrames = series.n_frames
    if len(set(steps)) == 1:
        image.FrameTime = str(steps[0])
        image.FrameIncrementPointer = Tag("FrameTime")
    else:
        image.FrameTimeVector = [str(step) for step in (0, *steps)]
        image.FrameIncrementPointer = Tag("FrameTimeVector")
    image.RecommendedDisplayFrameRate = max(round(1.0 / series.median_dt), 1)
    image.CineRate = image.RecommendedDisplayFrameRate
    image.EffectiveDuration = decimal(float(series.times[-1]))
    image.AcquisitionDateTime = START.strftime("%Y%m%d%H%M%S.%f")


def _describe_subtraction(image: Dataset, beam: XRay) -> None:
    if beam.subtracted:
        image.DerivationDescription = "SUBTRACTED"
        image.RecommendedViewingMode = "NAT"
        return
    if not beam.operations:
        return
    item = Dataset()
    item.MaskOperation = "AVG_SUB"
    item.MaskFrameNumbers = [frame + 1 for frame in beam.operations[0].frames]
    item.ContrastFrameAveraging = 1
    image.MaskSubtractionSequence = Sequence([item])
    image.RecommendedViewingMode = "SUB"


def _describe_beam(image: Dataset, series: Series, beam: XRay) -> None:
    image.KVP = decimal(series.acquisition.kvp or 80.0)
    image.XRayTubeCurrent, image.ExposureTime, image.Exposure = 300, 80, 24
    image.RadiationSetting, image.RadiationMode = "GR", "PULSED"
    image.AveragePulseWidth = "80"
    image.FieldOfViewShape = "RECTANGLE"
    wide = round(series.grid.spacing_mm[0] * MAGNIFICATION * series.grid.shape[0])
    image.FieldOfViewDimensions = [wide, wide]
    image.DistanceSourceToDetector, image.DistanceSourceToPatient = TO_DETECTOR_MM, TO_PATIENT_MM
    image.EstimatedRadiographicMagnificationFactor = decimal(MAGNIFICATION)
    image.PositionerMotion = "STATIC"
    image.PositionerPrimaryAngle = decimal(beam.primary_deg or 0.0)
    image.PositionerSecondaryAngle = decimal(beam.secondary_deg or 0.0)


def _reference(uid: UID) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = XRayAngiographicImageStorage, uid
    return item
