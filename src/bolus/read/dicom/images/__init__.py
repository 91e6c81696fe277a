"""What one DICOM file says of each of its images, in plain values."""

from bolus.read.dicom.images.beam import seconds_of
from bolus.read.dicom.images.file import read_images
from bolus.read.dicom.images.records import Image

__all__ = ["Image", "read_images", "seconds_of"]
