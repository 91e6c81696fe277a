"""Fixtures that several folders of tests share."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference data made by others, which lies beside the project on some machines."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"reference data are not on this machine: {SHARED_DATA} is absent")
    return SHARED_DATA


def _slice_file(path, values, position, **changes):
    """Write a map's slice `(rows, columns)` as DICOM, its first voxel at a position (LPS) [mm]."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.2",
        generate_uid(),
    )
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    one.Rows, one.Columns = values.shape
    one.PixelSpacing, one.SliceThickness = [2.0, 2.0], 5.0
    one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], list(position)
    one.RescaleSlope, one.RescaleIntercept = 0.01, -20.0
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation, one.SamplesPerPixel = 15, 0, 1
    one.PhotometricInterpretation = "MONOCHROME2"
    for name, value in changes.items():
        setattr(one, name, value)
    one.PixelData = np.rint((values + 20.0) / 0.01).astype("<u2").tobytes()
    one.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="session")
def slice_file():
    """Write a slice of a map as DICOM."""
    return _slice_file
