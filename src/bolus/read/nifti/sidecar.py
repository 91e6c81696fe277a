"""JSON beside a NIfTI file (BIDS, dcm2niix)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeAlias

from bolus.core.errors import UnreadableFile
from bolus.core.series import Acquisition
from bolus.core.units import Modality
from bolus.read.options import ReadOptions
from bolus.read.text import checked_uid, plain

Sidecar: TypeAlias = Mapping[str, Any]

_MAX_JSON_BYTES: Final = 16 * 2**20
_CT_ONLY: Final = ("KVP", "XRayTubeCurrent", "XRayExposure", "ExposureTime", "GantryDetectorTilt")
_MR_ONLY: Final = ("EchoTime", "MagneticFieldStrength", "FlipAngle", "InversionTime")


def stem_of(image_path: Path) -> str:
    """Return a file's name without `.nii` or `.nii.gz`."""
    name = image_path.name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else image_path.stem


def sidecar_of(image_path: Path) -> Path:
    """Return where the JSON of an image lies, if it has one."""
    return image_path.with_name(stem_of(image_path) + ".json")


def read_sidecar(image_path: Path) -> Sidecar:
    """Read the `.json` of the same stem; empty where there is none.

    Raises
    ------
    UnreadableFile
        If it is there and is not a JSON object.
    """
    path = sidecar_of(image_path)
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:  # a JSON cut at the limit does not parse, which refuses a huge one
            content = json.loads(file.read(_MAX_JSON_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as problem:
        raise _bad_sidecar(path, str(problem)[:200]) from problem
    if not isinstance(content, dict):
        raise _bad_sidecar(path, type(content).__name__)
    return content


def _bad_sidecar(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        "the JSON file beside the image cannot be read",
        wanted="one JSON object",
        found=found,
        where=path,
        remedy="Repair it, or rename it and give --dt, --te and --modality.",
    )


def number(sidecar: Sidecar, key: str) -> float | None:
    """Return a finite number of the sidecar, None where it holds none."""
    value = sidecar.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or abs(value) > 1e30:
        return None
    return float(value) if isfinite(value) else None


def text(sidecar: Sidecar, key: str) -> str:
    """Return a text of the sidecar as one plain line, empty where it holds none."""
    value = sidecar.get(key)
    return plain(value, 200) if isinstance(value, str) else ""


def words(sidecar: Sidecar, key: str) -> tuple[str, ...]:
    """Return the texts of a list in the sidecar in capitals, empty where it holds none."""
    values = sidecar.get(key)
    return tuple(plain(v, 32).upper() for v in values) if isinstance(values, list) else ()


def acquisition_of(sidecar: Sidecar, options: ReadOptions, clock: str) -> Acquisition:
    """Gather what the sidecar tells about the scan; an echo time above 1 can only be milliseconds."""
    te_s, tr_s = number(sidecar, "EchoTime"), number(sidecar, "RepetitionTime")
    te_ms = None if te_s is None or te_s <= 0 else te_s * (1000.0 if te_s < 1 else 1.0)
    return Acquisition(
        description=text(sidecar, "SeriesDescription") or text(sidecar, "ProtocolName"),
        source="nifti",
        manufacturer=text(sidecar, "Manufacturer"),
        model=text(sidecar, "ManufacturersModelName"),
        te_ms=te_ms if te_ms is not None else options.te_ms,
        tr_ms=None if tr_s is None or tr_s <= 0 else tr_s * 1000.0,
        kvp=number(sidecar, "KVP"),
        thickness_mm=number(sidecar, "SliceThickness"),
        study_uid=checked_uid(sidecar.get("StudyInstanceUID")),
        series_uid=checked_uid(sidecar.get("SeriesInstanceUID")),
        clock=clock,
        n_files=1,
    )


def modality_of(sidecar: Sidecar) -> Modality | None:
    """Return the modality that the sidecar names, or that its fields can only belong to."""
    named = text(sidecar, "Modality").upper()
    if named in set(Modality):
        return Modality(named)
    is_ct = any(key in sidecar for key in _CT_ONLY)
    is_mr = any(key in sidecar for key in _MR_ONLY)
    if is_ct == is_mr:
        return None
    return Modality.CT if is_ct else Modality.MR
