"""A study on disk: DICOM, NIfTI and truth, all or nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bolus.core.errors import OutputFailed
from bolus.core.finding import Progress, silent
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.phantom.angiogram import Angiogram
from bolus.phantom.angiogram.files import write_angiogram
from bolus.phantom.dicom import write_dicom
from bolus.phantom.store import save_volume, write_curve, write_json, write_table
from bolus.phantom.study import Study, Truth


def write_study(study: Study | Angiogram, out: Path | str, *, progress: Progress = silent) -> Path:
    """Write a study and its truth; an X-ray run as `bolus.phantom.angiogram.files` says.

    ::

        OUT/dicom/*.dcm               one file for each slice and time
        OUT/nifti/series.nii.gz       the same in one file, with series.json beside it
        OUT/truth/CBF.nii.gz ...      true maps, NaN outside tissue
        OUT/truth/core.nii.gz ...     true masks
        OUT/truth/aif.csv, vof.csv    true curves at the frame times (aif_fine.csv: every 0.1 s)
        OUT/truth/motion.csv          pose of the head a frame
        OUT/truth/truth.json          volumes, side, midline, noise, seed and units

    Parameters
    ----------
    out
        Folder to make; may exist if it is empty.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputFailed
        If the folder is not empty or cannot be written; nothing is left behind then.
    """
    target = Path(out)
    require_empty(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _failed(error, target) from error
    try:
        if isinstance(study, Angiogram):
            write_angiogram(study, made, progress)
        else:
            _write_all(study, made, progress)
        made.chmod(0o755)
        if target.exists():
            target.rmdir()
        made.rename(target)
    except OSError as error:
        raise _failed(error, target) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def require_empty(out: Path | str) -> None:
    """Make sure, before a study is simulated, that there is nothing in its folder.

    Raises
    ------
    OutputFailed
        If there is, or it cannot be looked into.
    """
    target = Path(out)
    try:
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    except OSError as error:
        raise _failed(error, target) from error
    if taken:
        raise OutputFailed(
            "the phantom's folder is not empty",
            wanted="a new or empty folder",
            where=target,
            remedy="Choose another folder or empty this one.",
        )


def _failed(error: OSError, target: Path) -> OutputFailed:
    return OutputFailed(
        "the phantom could not be written",
        found=error.strerror or str(error),
        where=target,
        remedy="Check permissions and free space.",
    )


def _write_all(study: Study, folder: Path, progress: Progress) -> None:
    for name in ("dicom", "nifti", "truth"):
        (folder / name).mkdir()
    series, truth = study.series, study.truth
    what = (
        series.acquisition.description,
        series.frames.shape,
        truth.seed,
        truth.noise,
        series.times.tolist(),
    )
    write_dicom(series, folder / "dicom", key=repr((*what, bool(truth.motion.any()))), progress=progress)
    _write_nifti(series, folder / "nifti")
    _write_truth(truth, series.grid, folder / "truth")


def _write_nifti(series: Series, folder: Path) -> None:
    values = np.asarray(series.frames)
    if float(np.max(series.slope)) != 1.0:
        values = np.stack([series.frame(t) for t in range(series.n_frames)], axis=-1)
    save_volume(values, series.grid, folder / "series.nii.gz", series.median_dt)
    write_json(_sidecar(series), folder / "series.json")


def _sidecar(series: Series) -> dict[str, Any]:
    """Return what a NIfTI header cannot say, under the names of BIDS where it has one."""
    sidecar: dict[str, Any] = {
        "Modality": str(series.modality),
        "SeriesDescription": series.acquisition.description,
        "Manufacturer": "bolus",
        "ManufacturersModelName": "phantom",
        "Units": str(series.unit),
    }
    if series.is_even:
        sidecar["RepetitionTime"] = series.median_dt
    elif series.times.ndim == 1:
        sidecar["FrameTimesStart"] = series.times.tolist()
    else:
        sidecar["FrameTimesStart"] = series.times.min(axis=0).tolist()
        sidecar["SliceTimes"] = series.times.tolist()
    if series.modality is Modality.MR and series.acquisition.te_ms:
        sidecar["EchoTime"] = series.acquisition.te_ms / 1000
    return sidecar


def _write_truth(truth: Truth, grid: Grid, folder: Path) -> None:
    for name, each in truth.maps.items():
        save_volume(each.values, grid, folder / f"{name}.nii.gz")
    for name, mask in truth.masks.items():
        save_volume(mask.astype(np.uint8), grid, folder / f"{name}.nii.gz")
    curves = {"aif": truth.aif, "vof": truth.vof, "aif_fine": truth.aif_fine, "vof_fine": truth.vof_fine}
    for name, curve in curves.items():
        write_curve(curve, folder / f"{name}.csv")
    header = ("x_mm", "y_mm", "z_mm", "about_x_deg", "about_y_deg", "about_z_deg")
    write_table(header, truth.motion.round(6).tolist(), folder / "motion.csv")
    write_json(_facts(truth), folder / "truth.json")


def _facts(truth: Truth) -> dict[str, Any]:
    midline = truth.midline
    return {
        "seed": truth.seed,
        "side": truth.side,
        "noise": truth.noise,
        "flow_scale": truth.flow_scale,
        "curve_unit": str(truth.aif.unit),
        "map_units": {name: str(each.unit) for name, each in truth.maps.items()},
        "volumes_ml": {name: round(volume, 3) for name, volume in truth.volumes_ml.items()},
        "midline": None
        if midline is None
        else {"normal_ras": midline.normal.tolist(), "offset_mm": midline.offset_mm},
        "motion_centre_mm": list(truth.motion_centre_mm),
        "definitions": {
            "hypoperfused": "tissue with true Tmax > 6 s",
            "core": "core of the lesion with true CBF under 30 % of the median of the other side's tissue",
            "Tmax": "lag of the peak of the true residue smoothed with a Gaussian of SD 2 s",
            "delay": "arrival after the true arterial curve",
        },
    }
