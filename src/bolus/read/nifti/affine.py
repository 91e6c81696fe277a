"""Where a NIfTI header puts its voxels: two affines, either of which may be absent or wrong."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
from nibabel.spatialimages import HeaderDataError

from bolus.core.arrays import Float64s
from bolus.core.errors import BadGeometry
from bolus.core.finding import Finding, Severity

_SPATIAL_MM: Final = {1: 1000.0, 3: 0.001}


def find_affine(header: Any, shape: tuple[int, ...], path: Path) -> tuple[Float64s, tuple[Finding, ...]]:
    """Choose the affine: sform, else qform, else spacing alone, and say what is doubtful about it.

    Parameters
    ----------
    header
        nibabel's NIfTI-1 or NIfTI-2 header.
    shape
        Stored sizes.
    path
        The file that an error names.

    Returns
    -------
    Stored voxel index to patient coordinates (RAS) [mm], shape `(4, 4)`, and the doubts.

    Raises
    ------
    BadGeometry
        If it is not finite.
    """
    sform, qform = _form(header, "sform"), _form(header, "qform")
    chosen = sform if sform is not None else qform
    findings: tuple[Finding, ...] = ()
    if chosen is None:
        chosen = np.asarray(header.get_base_affine(), dtype=np.float64)
        text = "The NIfTI header gives no orientation: left and right cannot be trusted."
        findings = (Finding("ORIENTATION_UNKNOWN", Severity.WARN, text),)
    elif sform is not None and qform is not None and np.isfinite(sform).all():
        findings = _disagreement(sform, qform, shape)
    if not np.isfinite(chosen).all():
        raise BadGeometry(
            "the orientation in the NIfTI header is not a number",
            found="NaN or Inf",
            where=path,
            remedy="Export or convert the study again.",
        )
    chosen = chosen.copy()
    chosen[:3] *= _SPATIAL_MM.get(int(header["xyzt_units"]) & 0x07, 1.0)
    return chosen, findings


def _form(header: Any, which: str) -> Float64s | None:
    """Return the sform or the qform, None where its code is 0; NaN where it cannot be worked out."""
    if int(header[f"{which}_code"]) <= 0:
        return None
    try:
        return np.array(getattr(header, f"get_{which}")(), dtype=np.float64)
    except (ValueError, HeaderDataError):  # a quaternion longer than 1, a spacing of 0
        return np.full((4, 4), np.nan)


def _disagreement(sform: Float64s, qform: Float64s, shape: tuple[int, ...]) -> tuple[Finding, ...]:
    """Tell how far apart the two affines put the corners of the volume, above a tenth of a voxel."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
    corners[:, :3] *= np.array((*shape, 1, 1)[:3]) - 1
    with np.errstate(invalid="ignore"):
        apart = np.linalg.norm(corners @ (sform - qform).T, axis=1).max()
    smallest = np.linalg.norm(sform[:3, :3], axis=0).min()
    if apart <= 0.1 * smallest:
        return ()
    text = f"sform and qform place the volume {apart:.1f} mm apart; the sform was used."
    return (Finding("FORMS_DISAGREE", Severity.WARN, text, float(apart) if isfinite(apart) else None),)
