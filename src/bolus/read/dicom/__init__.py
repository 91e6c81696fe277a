"""DICOM: from files to images, from images to stacks, from stacks to a series with its clock."""

from bolus.read.dicom.candidates import find_candidates
from bolus.read.dicom.images import Image, read_images, seconds_of

__all__ = ["Image", "find_candidates", "read_images", "seconds_of"]
