"""A simulated X-ray run on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from bolus.core.finding import Progress
from bolus.phantom.angiogram.dicom import view_uids, write_view
from bolus.phantom.angiogram.study import Angiogram, View
from bolus.phantom.store import save_volume, write_curve, write_json, write_table


def write_angiogram(run: Angiogram, folder: Path, progress: Progress) -> None:
    """Write a run and its truth into an empty folder.

    ::

        dicom/AP.dcm, dicom/LAT.dcm      one multi-frame file a view
        truth/AP/ica.nii.gz ...          masks, segments.nii.gz, arrival.nii.gz [s], CBV.nii.gz
        truth/AP/aif.csv, motion.csv     curve of the internal carotid [nat], motion of each frame
        truth/truth.json                 side, clot, extent, names of segments, units
    """
    (folder / "dicom").mkdir()
    uids = view_uids(_key(run))
    for number, (name, view) in enumerate(run.views.items()):
        progress("write DICOM", number, len(run.views))
        write_view(view, name, folder / "dicom" / f"{name}.dcm", uids)
        beside = folder / "truth" / name
        beside.mkdir(parents=True)
        _write_truth(view, beside)
    progress("write DICOM", len(run.views), len(run.views))
    write_json(_facts(run), folder / "truth" / "truth.json")


def _key(run: Angiogram) -> str:
    """Return what makes the UIDs of this run differ from others': a digest of its pixels and times."""
    digest = hashlib.sha256()
    for view in run.views.values():
        digest.update(np.ascontiguousarray(view.series.frames[::4, ::4]).tobytes())
        digest.update(repr((view.series.times.tolist(), view.series.acquisition)).encode())
    return digest.hexdigest()


def _write_truth(view: View, folder: Path) -> None:
    grid, truth = view.series.grid, view.truth
    for name, mask in truth.masks.items():
        save_volume(mask.astype(np.uint8), grid, folder / f"{name}.nii.gz")
    save_volume(np.asarray(truth.segments), grid, folder / "segments.nii.gz")
    save_volume(np.asarray(truth.arrival), grid, folder / "arrival.nii.gz")
    for name, each in truth.maps.items():
        save_volume(each.values, grid, folder / f"{name}.nii.gz")
    write_curve(truth.aif, folder / "aif.csv")
    rows = truth.motion.round(6).tolist()
    write_table(("right_mm", "down_mm", "turn_deg"), rows, folder / "motion.csv")


def _facts(run: Angiogram) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "setting": run.setting,
        "side": run.side,
        "vessel": run.vessel,
        "clot": run.clot,
        "lost_fraction": round(run.tici_fraction, 4),
        "tici": run.tici,
        "injection_s": round(run.injection_s, 4),
        "layered": run.layered,
        "external": run.external,
        "curve_unit": "nat",
        "views": {name: _facts_of(view) for name, view in run.views.items()},
        "definitions": {
            "ica": "internal carotid from the lower edge of the field to its end, where it shows",
            "ica_top": "its part above the dura",
            "vessels": "arteries and veins of more than 0.05 nat",
            "arrival": "seconds after the first frame",
            "CBV": "area under a pixel's curve over that of the internal carotid, within the run",
        },
    }


def _facts_of(view: View) -> dict[str, Any]:
    truth = view.truth
    return {
        "clot_px": None if truth.clot_px is None else [round(value, 2) for value in truth.clot_px],
        "noise_nat": round(truth.noise, 5),
        "mu_nat_per_mm": round(truth.mu, 5),
        "pixel_mm": truth.pixel_mm,
        "segments": {str(number): name for number, name in enumerate(truth.names) if name},
    }
