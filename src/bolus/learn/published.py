"""Perfusion scans with maps, in the folders in which their authors publish them, or in a list of one's own.

UniToBrain (CT, DICOM)::

    MOL-001/                                       the scan
    MOL-001_Registered_Filtered_3mm_20HU/          registered and filtered: what the paper's network saw
    MOL-001_Registered_Filtered_3mm_20HU_Maps/     NLR_CBF/, NLR_CBV/, NLR_MTT/, NLR_TTP/: a file a slice

ISLES 2018 (CT, NIfTI)::

    TRAINING/case_1/SMIR.Brain.XX.O.CT_4DPWI.345561/SMIR.Brain.XX.O.CT_4DPWI.345561.nii
                    SMIR.Brain.XX.O.CT_CBF..., CT_CBV..., CT_MTT..., CT_Tmax..., O.OT... (infarct)

ISLES 2024 (CT, NIfTI; `derivatives`, where all lies on the plain CT)::

    derivatives/sub-stroke0001/ses-01/sub-stroke0001_ses-01_space-ncct_ctp.nii.gz
    .../ses-01/perfusion-maps/sub-stroke0001_ses-01_space-ncct_cbf.nii.gz, _cbv, _mtt, _tmax
    .../ses-02/sub-stroke0001_ses-02_lesion-msk.nii.gz (infarct)

A list is a CSV file with a line a scan: `patient`, `study`, and as far as there are any `CBF`, `CBV`, `MTT`,
`Tmax`, `TTP`, `lesion`, `site`, `dt`. Paths are relative to it.

References
----------
UniToBrain: doi:10.21227/x8ea-vh16. ISLES 2018: Hakim et al., Stroke 52:2328-2337 (2021),
doi:10.1161/STROKEAHA.120.030696. ISLES 2024: Riedel et al., arXiv:2408.11142.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bolus.core.errors import BadInput, UnreadableFile
from bolus.learn.files import reason

_UNITO: Final = re.compile(r"[A-Z]+-\d+")
_CASE: Final = re.compile(r"case_\d+")
_FILTERED: Final = "_Registered_Filtered_3mm_20HU"
_SMIR: Final = {"CBF": "CT_CBF", "CBV": "CT_CBV", "MTT": "CT_MTT", "Tmax": "CT_Tmax", "lesion": "OT"}
_NAMES: Final = ("CBF", "CBV", "MTT", "Tmax", "TTP", "centre")


@dataclass(frozen=True, slots=True)
class Published:
    """A scan of a data set and what goes with it.

    Parameters
    ----------
    patient
        Name.
    study
        DICOM folder or NIfTI file of the frames.
    maps
        Map by name (`CBF`, `CBV`, `MTT`, `Tmax`, `TTP`, or `centre`, the middle of a box-shaped residue): a
        DICOM folder or a NIfTI file, in the units of `bolus`.
    lesion
        NIfTI mask of the infarct; None: not known.
    site
        Where it comes from, in a word.
    dt_s
        Frame interval, where the files do not say [s].
    """

    patient: str
    study: Path
    maps: Mapping[str, Path] = field(default_factory=dict)
    lesion: Path | None = None
    site: str = ""
    dt_s: float | None = None


def unitobrain(root: Path) -> list[Published]:
    """Find the patients of UniToBrain: the filtered series where there is one, else the scan itself."""
    patients = sorted({m[0] for path in root.iterdir() if path.is_dir() and (m := _UNITO.match(path.name))})
    found = []
    for patient in patients:
        filtered, maps = root / f"{patient}{_FILTERED}", root / f"{patient}{_FILTERED}_Maps"
        study = filtered if filtered.is_dir() else root / patient
        named = {name: maps / f"NLR_{name}" for name in ("CBF", "CBV", "MTT")} | {"centre": maps / "NLR_TTP"}
        if study.is_dir():
            found.append(Published(patient, study, _there(named), site="UniToBrain"))
    return _some(found, root, "MOL-001")


def isles2018(root: Path) -> list[Published]:
    """Find the cases of ISLES 2018; those without maps, as in its test set, have none."""
    found = []
    cases = [path for path in root.glob("**/case_*") if path.is_dir() and _CASE.fullmatch(path.name)]
    for case in sorted(cases, key=lambda path: int(path.name.split("_")[-1])):
        files = {name: path for name, key in _SMIR.items() if (path := _smir(case, key))}
        study = _smir(case, "CT_4DPWI")
        if study is None:
            continue
        lesion = files.pop("lesion", None)
        part = "train" if "TRAIN" in case.parent.name.upper() else "test"
        found.append(Published(f"isles2018-{part}-{case.name}", study, files, lesion, "ISLES 2018"))
    return _some(found, root, "case_1/SMIR.Brain.XX.O.CT_4DPWI...")


def isles2024(root: Path) -> list[Published]:
    """Find the cases of ISLES 2024 in its `derivatives`."""
    found = []
    for study in sorted(root.glob("**/derivatives/sub-*/ses-01/*_space-ncct_ctp.nii.gz")):
        stem = study.name.removesuffix("_ctp.nii.gz")
        folder = study.parent / "perfusion-maps"
        named = {name: folder / f"{stem}_{name.lower()}.nii.gz" for name in ("CBF", "CBV", "MTT", "Tmax")}
        lesions = sorted((study.parent.parent / "ses-02").glob("*_lesion-msk.nii.gz"))
        patient = study.parent.parent.name
        lesion = lesions[0] if lesions else None
        found.append(Published(patient, study, _there(named), lesion, "ISLES 2024"))
    return _some(found, root, "derivatives/sub-stroke0001/ses-01/..._space-ncct_ctp.nii.gz")


def listed(table: Path) -> list[Published]:
    """Read the scans of a list of one's own.

    Raises
    ------
    UnreadableFile
        If it is no such table.
    BadInput
        If a line lacks the patient or the study, a file that it names is not there, a patient comes twice, or
        the name of one cannot be that of a folder.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile("not a list of scans", where=table, found=reason(error)) from error
    found = [_line(row, table, i + 2) for i, row in enumerate(rows)]
    _require_once([scan.patient for scan in found], table)
    return _some(found, table, "patient,study,CBF,...")


LAYOUTS: Final[Mapping[str, Callable[[Path], list[Published]]]] = MappingProxyType(
    {"unitobrain": unitobrain, "isles2018": isles2018, "isles2024": isles2024, "manifest": listed}
)
"""What finds scans in a folder, or in a list, by name."""


def _line(row: Mapping[str, str | None], table: Path, number: int) -> Published:
    def path(name: str) -> Path | None:
        text = (row.get(name) or "").strip()
        if text and not (table.parent / text).exists():
            raise BadInput(f"line {number} names what is not there", found=text, where=table)
        return table.parent / text if text else None

    patient, study, dt = (row.get("patient") or "").strip(), path("study"), (row.get("dt") or "").strip()
    if not patient or study is None:
        raise BadInput(f"line {number} lacks a patient or a study", wanted="patient,study,...", where=table)
    if patient in {".", ".."} or set(patient) & set("/\\"):
        raise BadInput(
            f"line {number} has a patient whose name cannot be that of a folder", found=patient, where=table
        )
    try:
        dt_s = float(dt) if dt else None
    except ValueError as error:
        raise BadInput(
            f"line {number} has no frame interval", wanted="seconds", found=dt, where=table
        ) from error
    maps = {name: place for name in _NAMES if (place := path(name))}
    return Published(patient, study, maps, path("lesion"), (row.get("site") or "").strip(), dt_s)


def _require_once(patients: list[str], table: Path) -> None:
    """Refuse a patient of two scans: cases are kept, and dealt to parts, by patient."""
    for i, patient in enumerate(patients):
        if patient in patients[:i]:
            what = f"line {i + 2} names a patient again"
            raise BadInput(what, wanted="one scan a patient", found=patient, where=table)


def _smir(case: Path, key: str) -> Path | None:
    found = sorted(case.glob(f"**/SMIR.Brain.XX.O.{key}.*.nii*"))
    return found[0] if found else None


def _there(named: Mapping[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in named.items() if path.exists()}


def _some(found: list[Published], where: Path, wanted: str) -> list[Published]:
    if not found:
        raise BadInput("no scan of that layout", wanted=wanted, where=where)
    return found
