"""Small DICOM series with every fault that a test wants."""

import hashlib
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT_IMAGE, MR_IMAGE, XA_IMAGE = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "12.1"))
ENHANCED = {"CT": "1.2.840.10008.5.1.4.1.1.2.1", "MR": "1.2.840.10008.5.1.4.1.1.4.1"}
COLUMNS, ROWS, SLICES, FRAMES, DT = 12, 10, 4, 10, 2.0
SPACING, GAP = (0.9, 0.8), 5.0
ORIGIN = (-40.0, -60.0, 20.0)
Edit = Callable[[Dataset, int, int], Any]


def uid_of(*parts: object) -> str:
    """Return the same UID for the same words."""
    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def clock_text(seconds: float) -> str:
    """Return seconds after midnight as HHMMSS.ffffff."""
    whole = round(seconds * 1e6)
    minutes, micro = divmod(whole, 60_000_000)
    return f"{minutes // 60:02d}{minutes % 60:02d}{micro / 1e6:09.6f}"


def pixels_of(k: int, t: int) -> np.ndarray:
    """Return an image whose every pixel tells its row, column, slice and time."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return (rows * 100 + columns + 1200 * k + 20 * t).astype(np.uint16)


def value_at(i: int, j: int, k: int, t: int) -> float:
    """Return the value [HU] of stored column i, row j of `pixels_of`."""
    return j * 100 + i + 1200 * k + 20 * t - 1024


def blank(modality: str = "CT", series: str = "perfusion") -> FileDataset:
    """Return an image without a place, a time or pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = {"CT": CT_IMAGE, "MR": MR_IMAGE, "XA": XA_IMAGE}[modality]
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.Modality = modality
    image.PatientName, image.PatientID, image.PatientBirthDate = "SECRET^NAME", "ID-4711", "19500101"
    image.StudyInstanceUID, image.SeriesInstanceUID = uid_of("study"), uid_of(series)
    image.FrameOfReferenceUID = uid_of("frame")
    image.SeriesNumber, image.SeriesDescription = 4, "Brain Perfusion 5.0"
    image.Manufacturer = "ACME"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Rows, image.Columns, image.SamplesPerPixel = ROWS, COLUMNS, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelSpacing, image.SliceThickness = list(SPACING), GAP
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if modality == "CT":
        image.RescaleSlope, image.RescaleIntercept, image.KVP = 1, -1024, 80
        image.ConvolutionKernel = "H30"
    elif modality == "MR":
        image.EchoTime, image.RepetitionTime = 30, 2000
    return image


def save(image: Dataset, path: Path) -> None:
    """Write an image under its identity."""
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path,
    edit: Edit | None = None,
    *,
    modality: str = "CT",
    series: str = "perfusion",
    frames: int = FRAMES,
    slices: int = SLICES,
    missing: Collection[tuple[int, int]] = (),
) -> Path:
    """Write a classic series without some images; `edit(image, k, t)` changes one, or drops it by False."""
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(frames):
        for k in range(slices):
            if (k, t) in missing:
                continue
            image = blank(modality, series)
            image.SOPInstanceUID = uid_of(series, k, t)
            image.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + k * GAP]
            image.AcquisitionDate = image.ContentDate = "20261120"
            image.AcquisitionTime = clock_text(36000 + DT * t)
            image.InstanceNumber = t * slices + k + 1
            image.PixelData = pixels_of(k, t).tobytes()
            with warnings.catch_warnings():  # faults are written on purpose
                warnings.simplefilter("ignore")
                if edit is not None and edit(image, k, t) is False:
                    continue
            name = hashlib.sha256(f"{series}{k},{t}".encode()).hexdigest()[:10]  # sorts by nothing
            save(image, folder / f"{name}.dcm")
    return folder


def write_enhanced(
    path: Path, edit: Edit | None = None, *, modality: str = "CT", frames: int = FRAMES
) -> Path:
    """Write one enhanced file, frames by slice and then by time; `edit(group, k, t)` changes a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = blank(modality)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = ENHANCED[modality]
    for name in ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "SliceThickness", "EchoTime"):
        image.pop(name, None)
    image.pop("ImageOrientationPatient")
    image.SOPInstanceUID, image.InstanceNumber = uid_of("enhanced"), 1
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([Dataset()])
    shared.PixelMeasuresSequence[0].PixelSpacing = list(SPACING)
    shared.PixelMeasuresSequence[0].SliceThickness = GAP
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    groups, pixels = [], []
    for k in range(SLICES):
        for t in range(frames):
            groups.append(_frame_group(k, t, modality))
            pixels.append(pixels_of(k, t))
            if edit is not None:
                edit(groups[-1], k, t)
    image.PerFrameFunctionalGroupsSequence = Sequence(groups)
    image.NumberOfFrames = len(groups)
    image.PixelData = np.stack(pixels).tobytes()
    save(image, path)
    return path


def _frame_group(k: int, t: int, modality: str) -> Dataset:
    group = Dataset()
    content, position, scale = Dataset(), Dataset(), Dataset()
    content.FrameAcquisitionDateTime = f"20261120{clock_text(36000 + DT * t)}"
    content.TemporalPositionIndex, content.InStackPositionNumber, content.StackID = t + 1, k + 1, "1"
    content.DimensionIndexValues = [1, k + 1, t + 1]
    position.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + k * GAP]
    scale.RescaleSlope, scale.RescaleIntercept = 1, -1024 if modality == "CT" else 0
    group.FrameContentSequence = Sequence([content])
    group.PlanePositionSequence = Sequence([position])
    group.PixelValueTransformationSequence = Sequence([scale])
    if modality == "MR":
        echo = Dataset()
        echo.EffectiveEchoTime = 30.0
        group.MREchoSequence = Sequence([echo])
    return group


def write_run(path: Path, edit: Callable[[Dataset], Any] | None = None, *, frames: int = 12) -> Path:
    """Write one X-ray run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = blank("XA")
    for name in ("ImageOrientationPatient", "SliceThickness", "PixelSpacing", "FrameOfReferenceUID"):
        image.pop(name)
    image.SOPInstanceUID, image.InstanceNumber = uid_of("run"), 1
    image.SeriesDescription = "Carotis"
    image.NumberOfFrames = frames
    image.ImagerPixelSpacing = [0.3, 0.3]
    image.PixelData = np.stack([pixels_of(0, t) for t in range(frames)]).tobytes()
    if edit is not None:
        edit(image)
    save(image, path)
    return path


class Factory:
    """Everything above, for tests."""

    series = staticmethod(write_series)
    enhanced = staticmethod(write_enhanced)
    run = staticmethod(write_run)
    blank = staticmethod(blank)
    save = staticmethod(save)
    uid = staticmethod(uid_of)
    time = staticmethod(clock_text)
    pixels = staticmethod(pixels_of)
    value = staticmethod(value_at)
    columns, rows, slices, frames, dt = COLUMNS, ROWS, SLICES, FRAMES, DT
    spacing, gap, origin = SPACING, GAP, ORIGIN


@pytest.fixture(scope="session")
def dicom() -> type[Factory]:
    """Writes small DICOM series."""
    return Factory
