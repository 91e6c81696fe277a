"""NIfTI: header, sidecar and voxels, turned the way `bolus` works."""

from bolus.read.nifti.candidates import find_candidates
from bolus.read.nifti.header import is_nifti
from bolus.read.nifti.series import load_nifti
from bolus.read.nifti.sidecar import sidecar_of

__all__ = ["find_candidates", "is_nifti", "load_nifti", "sidecar_of"]
