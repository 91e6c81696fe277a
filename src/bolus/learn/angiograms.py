"""Cases of angiograms: simulated, or from users' own DICOM runs with masks beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import label

from bolus import __version__, read
from bolus.core.arrays import Mask, Volume
from bolus.core.errors import BadInput, ShapeMismatch, UnreadableFile
from bolus.core.grid import Grid, turn_canonical
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.export import folder, nifti
from bolus.learn import files
from bolus.learn.cases import Case, CaseSet, Manifest
from bolus.learn.ica import THRESHOLD, Segmenter, make_case, network_input
from bolus.learn.making import Order
from bolus.phantom.angiogram import Angiogram, xa
from bolus.pipeline.angiogram import carotid_doubts, prepare_run

PREDICTION: Final = "prediction.json"
KIND: Final = "bolus carotid mask"
_MASKS: Final = (".png", ".nii.gz", ".nii")
_CLOTS: Final = ("ICA", "M1", "M2", "M3", "A2")


def simulate(order: Order) -> list[Case]:
    """Make the two views of a simulated patient.

    One in twelve has no carotid injection, and so nothing to find; a quarter has the uneven filling that the
    paper's network failed on, two in five a clot, half of them move.
    """
    about = {**options(order), "seed": order.seed, "setting": order.setting, "size": order.size}
    run = xa(**about)
    arteries = true_arteries(run, about)
    cases = []
    for view, seen in run.views.items():
        minip, field = prepared(seen.series)
        case = make_case(minip, field, arteries[view], order.patient)
        cases.append(replace(case, view=view, site=f"simulated {order.setting}", meta=about))
    return cases


def options(order: Order) -> dict[str, Any]:
    """Draw what differs between patients, for `bolus.phantom.xa`."""
    rng = np.random.default_rng([order.seed, 1])
    drawn = str(rng.choice(["carotid", "vertebral", "external"], p=[11 / 12, 1 / 24, 1 / 24]))
    vessel = order.vessel or drawn
    clot = str(rng.choice(_CLOTS)) if rng.random() < 0.4 else "none"
    return {
        "vessel": vessel,
        "clot": clot if vessel == "carotid" else "none",
        "collaterals": float(rng.uniform(0.0, 1.0)),
        "layered": bool(rng.random() < 0.25),
        "motion": bool(rng.random() < 0.5),
        "catheter": bool(rng.random() < 0.6),
        "encoding": str(rng.choice(["SUB", "LOG", "LIN"], p=[0.5, 0.25, 0.25])),
        "photons": float(np.exp(rng.uniform(np.log(1500.0), np.log(8000.0)))),
        "field_mm": float(rng.uniform(165.0, 215.0)),
    }


def true_arteries(run: Angiogram, drawn: Mapping[str, Any]) -> dict[str, Mask]:
    """Return the internal carotid of each view as it lay at first: motion correction aims there.

    The mask `ica` of a run that moved covers every place where the artery ever was, so it is taken from the
    same patient lying still.

    Parameters
    ----------
    run, drawn
        A simulated run, and the choices that it was simulated with.
    """
    still = xa(**{**drawn, "motion": False}) if drawn["motion"] else run
    return {
        view: np.asarray(still.views[view].truth.masks["ica"]) & np.asarray(seen.truth.masks["ica"])
        for view, seen in run.views.items()
    }


def prepared(series: Series) -> tuple[Volume, Mask]:
    """Return the largest contrast of each pixel [nat] and the field of view, as `bolus run` makes them."""
    run = prepare_run(series)
    return run.minip, run.field


def from_folder(root: Path, *, site: str = "") -> Iterator[tuple[str, Case]]:
    """Yield cases of a folder: in it a folder a patient, in that runs, each with its mask beside it.

    The run is a DICOM file `NAME.dcm` or a folder `NAME` of single frames; its mask `NAME.png`, `NAME.nii.gz`
    or `NAME.nii`. A PNG has the rows and columns of the DICOM image, and is not 0 where the artery is. Runs
    without a mask are left out.

    Parameters
    ----------
    root
        The folder of patients: the names of its folders keep patients apart.
    site
        Where they come from, in a word.

    Raises
    ------
    UnreadableFile
        If a run or mask cannot be read.
    ShapeMismatch
        If a mask is of another size than its run.
    BadInput
        If a mask is empty or has no run.
    """
    for patient, name, series, artery in runs_of(root):
        minip, field = prepared(series)
        xray = series.acquisition.xray
        made = make_case(minip, field, artery, patient)
        view = xray.view if xray else ""
        yield f"{patient}/{name}.npz", replace(made, view=view, site=site, meta={"run": name})


def runs_of(root: Path) -> Iterator[tuple[str, str, Series, Mask]]:
    """Yield patient, name, frames and mask of each run of such a folder; raises as `from_folder` does."""
    for patient in sorted(p for p in root.iterdir() if p.is_dir()):
        for path in sorted(p for p in patient.iterdir() if p.name.lower().endswith(_MASKS)):
            name = _stem(path)
            run = _run(patient, name, path)
            series = read.load(run, options=read.ReadOptions(modality=Modality.XA))
            yield patient.name, name, series, load_mask(path, series.grid)


def simulated_again(manifest: Manifest) -> Iterator[tuple[str, Series, Mask]]:
    """Yield name, frames and true mask of the runs that simulated cases were made of, views in turn.

    Raises
    ------
    BadInput
        If a case was not simulated.
    """
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    for patient, rows in groupby(range(len(cases)), lambda i: manifest.entries[i].patient):
        first, *others = (cases.case(i) for i in rows)
        if "seed" not in first.meta:
            remedy = "Give the folder of DICOM runs and masks with --studies."
            raise BadInput("only simulated cases can be simulated again", where=patient, remedy=remedy)
        run = xa(**first.meta)
        arteries = true_arteries(run, first.meta)
        for case in (first, *others):
            seen = run.views[case.view]
            yield f"{patient} {case.view}", seen.series, arteries[case.view]


def predict(segment: Segmenter, study: Path, out: Path) -> dict[str, Any]:
    """Outline the internal carotid artery of a study's run, or of both its views.

    Writes for each view the mask and the probability as NIfTI on the run's own grid, and a picture.

    Parameters
    ----------
    segment
        As `bolus.learn.carotid()` gives it.
    study, out
        What to read, and the folder to write, which appears whole or not at all.

    Returns
    -------
    The document that is written as JSON: for each view its name, the pixels and parts that were found, the
    chance that another artery was injected (`other_artery`; None where the network cannot tell), and in
    `doubts` what a reader must know.
    """
    from bolus.learn import pictures

    views: list[dict[str, Any]] = []
    with folder.replaced(out, folder.Manifest(PREDICTION, (KIND,))) as made:
        for series in read.load_views(study, options=read.ReadOptions(modality=Modality.XA)):
            minip, field = prepared(series)
            chance = segment(minip, field)
            mask: Mask = chance >= THRESHOLD
            name = (series.acquisition.xray.view if series.acquisition.xray else "") or f"run{len(views) + 1}"
            nifti.write_mask(made / f"{name}_mask.nii.gz", mask, series.grid, "ICA")
            nifti.write_chance(made / f"{name}_probability.nii.gz", chance, series.grid, "ICA")
            pictures.outline(made / f"{name}.png", network_input(minip, field)[0], mask[:, :, 0].T)
            parts = int(label(mask)[1])
            pixels, other = int(np.count_nonzero(mask)), segment.doubt(minip, field)
            told = [finding.text for finding in carotid_doubts(other, empty=not pixels)]
            views.append(
                {"view": name, "pixels": pixels, "parts": parts, "other_artery": other, "doubts": told}
            )
        names = [path.name for path in made.iterdir()]
        document = {
            "kind": KIND,
            "version": __version__,
            "weights": dict(segment.network.card.files),
            "views": views,
        }
        files.write_json(made / PREDICTION, document | {"files": [PREDICTION, *names]})
    return document


def load_mask(path: Path, grid: Grid) -> Mask:
    """Read a mask that was drawn on a run: a PNG of its rows and columns, or a NIfTI file on its grid.

    Raises
    ------
    UnreadableFile
        If the file is missing or no such image.
    ShapeMismatch
        If it is of another size.
    BadInput
        If it is empty.
    """
    if not path.name.lower().endswith(".png"):
        return read.load_mask(path, grid)
    drawn = picture(path) > 0
    mask: Mask = turn_canonical(drawn.T[:, :, None], grid)
    if mask.shape != grid.shape:
        wanted = " x ".join(str(n) for n in np.asarray(grid.shape)[list(grid.axes)][:2])
        found = " x ".join(map(str, drawn.T.shape))
        raise ShapeMismatch(
            "the mask is of another size than its run", wanted=wanted, found=found, where=path
        )
    if not mask.any():
        raise BadInput("the mask is empty", wanted="pixels above 0", where=path)
    return np.ascontiguousarray(mask)


def picture(path: Path) -> NDArray[Any]:
    """Read a picture as grey values, shape `(rows, columns)`.

    Raises
    ------
    UnreadableFile
        If the file is missing or no picture.
    """
    try:
        with Image.open(path) as opened:
            grey = opened if opened.mode in {"1", "L", "I;16", "I"} else opened.convert("L")
            return np.asarray(grey)
    except (OSError, UnidentifiedImageError) as error:
        raise UnreadableFile("not a picture", where=path, found=files.reason(error)) from error


def _stem(path: Path) -> str:
    return next(path.name[: -len(end)] for end in _MASKS if path.name.lower().endswith(end))


def _run(patient: Path, name: str, mask: Path) -> Path:
    """Return the run that a mask belongs to."""
    choices = [patient / name, patient / f"{name}.dcm", patient / f"{name}.DCM"]
    found = [path for path in choices if path.exists()]
    if not found:
        raise BadInput("a mask has no run", wanted=f"{name}.dcm or the folder {name}", where=mask)
    return found[0]
