"""A tiny CT perfusion study as DICOM, to be spoilt in one way a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from bolus.core.errors import BadInput
from bolus.core.series import Series
from bolus.read import ReadOptions, load

ROWS, COLUMNS, SLICES, FRAMES = 16, 20, 4, 10
STEP_S, GAP_MM = 1.5, 5.0
ROOT_UID = "1.2.826.0.1.3680043.8.498."

Edit = Callable[[Dataset, int, int], object]


class MakeStudy(Protocol):
    """Writes a study and returns its folder; `edit(file, slice, frame)` changes files, False drops one."""

    def __call__(
        self, edit: Edit | None = None, *, name: str = ..., uid: int = ..., n_frames: int = ...
    ) -> Path: ...


def pixels(slice_index: int, frame: int) -> np.ndarray:
    """Stored values, HU + 1024: a head of 40 HU in air, a bolus in its middle."""
    image = np.zeros((ROWS, COLUMNS), dtype=np.uint16)
    image[3:13, 4:16] = 1064 + slice_index
    image[6:9, 8:11] += round(120 * np.exp(-0.5 * (frame - 5) ** 2))
    return image


def ct_image(slice_index: int, frame: int, uid: int = 1) -> FileDataset:
    """One CT image with every attribute that a good file has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{ROOT_UID}{uid}.1.{frame * SLICES + slice_index + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    file.Modality, file.Manufacturer, file.PatientID, file.PatientName = "CT", "Maker", "P1", "Doe^Jane"
    file.StudyInstanceUID, file.SeriesInstanceUID = f"{ROOT_UID}{uid}", f"{ROOT_UID}{uid}.1"
    file.FrameOfReferenceUID, file.SeriesNumber, file.SeriesDescription = (
        f"{ROOT_UID}{uid}.2",
        5,
        "Perfusion 1.5 s",
    )
    file.ImageType, file.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], frame * SLICES + slice_index + 1
    file.StudyDate = file.AcquisitionDate = file.ContentDate = "20260102"
    seconds = frame * STEP_S
    file.AcquisitionTime = file.ContentTime = f"1200{seconds:09.6f}"
    file.ImagePositionPatient = [-10.0, -8.0, slice_index * GAP_MM]
    file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    file.PixelSpacing, file.SliceThickness, file.KVP = [1.0, 1.0], GAP_MM, 80
    file.Rows, file.Columns, file.SamplesPerPixel = ROWS, COLUMNS, 1
    file.PhotometricInterpretation, file.BitsAllocated, file.BitsStored, file.HighBit = (
        "MONOCHROME2",
        16,
        12,
        11,
    )
    file.PixelRepresentation, file.RescaleSlope, file.RescaleIntercept = 0, 1, -1024
    file.PixelData = pixels(slice_index, frame).tobytes()
    file["PixelData"].VR = "OW"
    return file


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    def make(edit: Edit | None = None, *, name: str = "study", uid: int = 1, n_frames: int = FRAMES) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for frame in range(n_frames):
            for k in range(SLICES):
                file = ct_image(k, frame, uid)
                if edit is None or edit(file, k, frame) is not False:
                    file.save_as(folder / f"{uid}-{frame:03d}-{k:03d}.dcm", enforce_file_format=False)
        return folder

    return make


@pytest.fixture
def refused() -> Callable[..., BadInput]:
    """Load what must be refused, and return the error after checking that it helps."""

    def load_refused(path: Path, *, options: ReadOptions = ReadOptions()) -> BadInput:  # noqa: B008
        with pytest.raises(BadInput) as caught:
            load(path, options=options)
        assert type(caught.value) is not BadInput or caught.value.remedy
        assert caught.value.what
        assert caught.value.remedy, str(caught.value)
        assert caught.value.where, str(caught.value)
        return caught.value

    return load_refused


@pytest.fixture
def accepted() -> Callable[..., Series]:
    """Load what may be used, and check that a finding of each given code tells of the fault."""

    def load_accepted(path: Path, *codes: str, options: ReadOptions = ReadOptions()) -> Series:  # noqa: B008
        series = load(path, options=options)
        found = {finding.code for finding in series.findings}
        assert set(codes) <= found, f"wanted {codes}, found {sorted(found)}"
        return series

    return load_accepted
