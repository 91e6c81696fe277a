"""A simulated series as classic DICOM: one CT or MR image file for each slice and time."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from bolus.core.arrays import Float64s
from bolus.core.finding import Progress, silent
from bolus.core.series import Series
from bolus.core.units import Modality

START: Final = datetime(2026, 1, 15, 10, 30, 0)
"""When every simulated scan began."""
IMPLEMENTATION_UID: Final = UID("2.25.203214857312459873201938475610293847561")
CT_INTERCEPT: Final = -1024
"""Stored values of CT are not negative: the intercept takes the sign."""
LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
"""RAS to the patient coordinates of DICOM."""


def make_uid(*parts: object) -> UID:
    """Return a UID that depends on nothing but the parts, under the root for UUIDs."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def write_dicom(series: Series, folder: Path, *, key: str, progress: Progress = silent) -> int:
    """Write a series as DICOM files into an existing folder.

    File names are digests: neither names nor instance numbers sort by place and time in the order that
    a viewer would want.

    Parameters
    ----------
    key
        What makes the UIDs of this study differ from those of others, such as its options.

    Returns
    -------
    Number of files.
    """
    image = _template(series, key)
    n_slices, n_frames = series.grid.shape[2], series.n_frames
    times = np.broadcast_to(series.times, (n_slices, n_frames))
    order = sorted((float(times[k, t]), k, t) for k in range(n_slices) for t in range(n_frames))
    for number, (when, k, t) in enumerate(order, start=1):
        uid = make_uid(key, "image", k, t)
        _place(image, series, k)
        _stamp(image, when, t, number)
        image.SOPInstanceUID = uid
        image.file_meta.MediaStorageSOPInstanceUID = uid
        image.PixelData = _pixels(series, k, t).astype("<u2").tobytes()
        name = hashlib.sha256(uid.encode()).hexdigest()[:12]
        image.save_as(folder / f"{name}.dcm", enforce_file_format=True)
        progress("write DICOM", number, len(order))
    return len(order)


def _pixels(series: Series, k: int, t: int) -> NDArray[np.uint16]:
    """Return rows of pixels as stored."""
    stored = series.frames[:, :, k, t].T
    if series.modality is Modality.CT:
        return (stored.astype(np.int32) - round(CT_INTERCEPT / float(series.slope))).astype(np.uint16)
    return stored.astype(np.uint16)


def _template(series: Series, key: str) -> FileDataset:
    """Return a dataset with all that does not change from image to image."""
    meta = FileMetaDataset()
    is_ct = series.modality is Modality.CT
    meta.MediaStorageSOPClassUID = CTImageStorage if is_ct else MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BOLUS_PHANTOM"
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    name_patient(image)
    _name_study(image, series, key)
    _describe_pixels(image, series)
    if is_ct:
        _describe_ct(image, series)
    else:
        _describe_mr(image, series)
    return image


def name_patient(image: Dataset) -> None:
    """Put the one patient of all phantoms into a dataset."""
    image.PatientName = "PHANTOM^BOLUS"
    image.PatientID = "BOLUS-PHANTOM"
    image.PatientBirthDate = "19500101"
    image.PatientSex = "O"
    image.PatientAge = "076Y"
    image.PatientPosition = "HFS"


def _name_study(image: Dataset, series: Series, key: str) -> None:
    date, clock = START.strftime("%Y%m%d"), START.strftime("%H%M%S.%f")
    image.StudyInstanceUID = make_uid(key, "study")
    image.SeriesInstanceUID = make_uid(key, "series")
    image.FrameOfReferenceUID = make_uid(key, "frame of reference")
    image.PositionReferenceIndicator = ""
    image.StudyID = "1"
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = date
    image.StudyTime = image.SeriesTime = clock
    image.AccessionNumber = ""
    image.ReferringPhysicianName = ""
    image.StudyDescription = "Simulated stroke"
    image.SeriesDescription = series.acquisition.description
    image.SeriesNumber = 4
    image.Modality = str(series.modality)
    image.Manufacturer = "bolus"
    image.ManufacturerModelName = "phantom"
    image.DeviceSerialNumber = "0"
    image.SoftwareVersions = "phantom 1"
    image.BodyPartExamined = "HEAD"
    image.ContrastBolusAgent = "IODINE" if series.modality is Modality.CT else "GADOLINIUM"


def _describe_pixels(image: Dataset, series: Series) -> None:
    dx, dy, _ = series.grid.spacing_mm
    image.Rows, image.Columns = series.grid.shape[1], series.grid.shape[0]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 0
    image.PixelSpacing = [decimal(dy), decimal(dx)]
    image.SliceThickness = decimal(series.acquisition.thickness_mm or series.grid.spacing_mm[2])
    image.SpacingBetweenSlices = decimal(series.grid.spacing_mm[2])
    directions = (LPS @ series.grid.affine)[:3, :2] / np.array([dx, dy])
    image.ImageOrientationPatient = [decimal(value) for value in directions.T.ravel()]


def _describe_ct(image: Dataset, series: Series) -> None:
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.RescaleIntercept = decimal(CT_INTERCEPT)
    image.RescaleSlope = decimal(float(series.slope))
    image.RescaleType = "HU"
    image.KVP = decimal(series.acquisition.kvp or 80.0)
    image.XRayTubeCurrent = 200
    image.ExposureTime = 500
    image.GantryDetectorTilt = "0"
    image.ConvolutionKernel = "H30"
    image.WindowCenter, image.WindowWidth = "40", "80"


def _describe_mr(image: Dataset, series: Series) -> None:
    image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "EP", "NONE", ""
    image.MRAcquisitionType = "2D"
    image.RepetitionTime = decimal(series.acquisition.tr_ms or 1000 * series.median_dt)
    image.EchoTime = decimal(series.acquisition.te_ms or 30.0)
    image.EchoTrainLength = 64
    image.FlipAngle = "75"
    image.MagneticFieldStrength = "3"
    image.NumberOfTemporalPositions = series.n_frames
    image.WindowCenter, image.WindowWidth = "600", "1200"


def _place(image: Dataset, series: Series, k: int) -> None:
    position = LPS @ series.grid.affine @ np.array([0.0, 0.0, k, 1.0])
    image.ImagePositionPatient = [decimal(value) for value in position[:3]]
    image.SliceLocation = decimal(float(position[2]))


def _stamp(image: Dataset, when_s: float, t: int, number: int) -> None:
    then = START + timedelta(seconds=when_s)
    image.AcquisitionDate = image.ContentDate = then.strftime("%Y%m%d")
    image.AcquisitionTime = image.ContentTime = then.strftime("%H%M%S.%f")
    image.AcquisitionNumber = t + 1
    if image.Modality == "MR":  # not part of a CT image
        image.TemporalPositionIdentifier = t + 1
    image.InstanceNumber = number


def decimal(value: float | Float64s) -> str:
    """Return a decimal string of at most 16 characters, as exact as that allows."""
    number = float(value) + 0.0
    for digits in range(15, 0, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{number:.6g}"
