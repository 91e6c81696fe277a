"""One run against the truth: errors of maps, lesions, what intervals hold, and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.head_to_head.exams import GRID, Exam
from bolus import pipeline
from bolus.core.arrays import Mask, Volume
from bolus.core.errors import BolusError
from bolus.core.maps import WINDOWS
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.learn import MAPPERS
from bolus.learn.score import dice
from bolus.phantom import Study
from bolus.validate.judges import correlation

MAPS = ("CBF", "CBV", "MTT", "Tmax", "TTP")
RELATIVE = ("CBF", "CBV")
"""Maps whose scale is judged apart."""
OF_THE_MIDDLE = ("box", "unet")
"""Methods whose Tmax is the middle of a box-shaped residue."""
LESIONS = ("core", "hypoperfused")
HELD = {"68": 0.994, "90": 1.645}
BEYOND = 2.0
"""Values are cut to 0 and this multiple of a map's display window, as nobody can see more."""

Found = dict[str, float | None]


@dataclass
class MapsClock:
    """Counts the processor seconds of the stage that makes the maps."""

    seconds: float = 0.0
    since: float = 0.0

    def __call__(self, stage: str, done: int, _total: int) -> None:
        if stage == "deconvolve":
            now = process_time()
            self.seconds += now - self.since if done else 0.0
            self.since = now


def judge(exam: Exam, method: str) -> dict[str, Any]:
    """Run a method on an exam; say what came of it, also where nothing did."""
    study, series, truth = exam.scan()
    clock = MapsClock()
    recipe = Recipe(method=method, motion="none", ttp_origin="scan")
    try:
        result = pipeline.run(series, recipe, mappers=MAPPERS, progress=clock)
    except BolusError as error:
        return {"method": method, "refused": str(error), "findings": [], "scores": {}}
    scores: Found = {"seconds": clock.seconds}
    for name in MAPS:
        if name in result.maps and name in truth:
            scores |= {f"{name} {key}": value for key, value in of_map(result, study, truth, name).items()}
    for level in HELD:
        parts = [v for name in MAPS if (v := scores.get(f"{name} held {level}")) is not None]
        scores[f"maps held {level}"] = float(np.mean(parts)) if parts else None
    for name in () if exam.site == GRID else LESIONS:
        scores |= {f"{name} {key}": value for key, value in of_lesion(result, study, name).items()}
    codes = [finding.code for finding in result.findings]
    return {
        "method": method,
        "refused": "",
        "withheld": result.lesions is None,
        "findings": codes,
        "scores": scores,
    }


def of_map(result: Result, study: Study, truth: dict[str, Volume], name: str) -> Found:
    """Judge one map in the tissue of the truth, but for voxels that large vessels reach.

    One voxel in fifty is such, and shows several times the flow of its tissue by every method: their errors
    would be all that a mean tells.

    Returns
    -------
    `error`, the root mean square, of CBF and CBV after one factor has made the medians equal; this `scale`
    (found over true), or the `bias` of times [s]; Pearson's `r` in tissue that is not hypoperfused; the part
    of voxels that hold no number (`missing`); and what parts lie within 68 and 90 % intervals, of CBF and CBV
    after scaling as well: what the arterial curve does to all voxels alike is in no voxel's deviation.
    """
    tissue = judged_tissue(study)
    healthy = tissue & ~study.truth.masks["hypoperfused"]
    is_middle = name == "Tmax" and result.recipe.method in OF_THE_MIDDLE
    true = truth["centre" if is_middle else name].astype(np.float64)
    shown, unit = result.maps[name], study.truth.flow_scale if name in RELATIVE else 1.0
    found = shown.values.astype(np.float64) / unit
    known = tissue & np.isfinite(found) & np.isfinite(true)
    scores: Found = {"missing": 1.0 - np.count_nonzero(known) / np.count_nonzero(tissue)}
    if not known.any():
        return scores
    scores |= off(found[known], true[known], name)
    scale = scores.get("scale", 1.0)
    if "error" not in scores or scale is None:
        return scores
    judged = healthy & known
    scores["r"] = number(correlation(true[judged], cut(found[judged] / scale, name)))
    if shown.sd is not None:
        scores |= held(found[known] / scale - true[known], shown.sd[known] / (unit * scale))
    return scores


def judged_tissue(study: Study) -> Mask:
    """Return tissue that no large vessel reaches; the grid of Kudo has its vessels apart."""
    masks = study.truth.masks
    return masks["tissue"] & ~masks["vascular"] if "vascular" in masks else masks["tissue"]


def off(found: NDArray[np.float64], true: NDArray[np.float64], name: str) -> Found:
    """Return the error of values, and their scale or bias; no error where a map shows no flow at all."""
    if name not in RELATIVE:
        wrong = cut(found, name) - true
        return {"error": rms(wrong), "bias": float(np.mean(wrong))}
    scale = float(np.median(found) / np.median(true))
    return {"error": rms(cut(found / scale, name) - true), "scale": scale} if scale > 0 else {"scale": scale}


def cut(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return values as far as anybody can see them; TTP, which counts from the first frame, as it is."""
    if name == "TTP":
        return values
    return np.asarray(np.clip(values, 0.0, BEYOND * WINDOWS[name][1]))


def rms(values: NDArray[np.float64]) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def held(errors: NDArray[np.floating[Any]], sd: NDArray[np.floating[Any]]) -> Found:
    """Return what part of errors lies within the deviations' intervals."""
    known = np.isfinite(sd) & np.isfinite(errors)
    if not known.any():
        return {}
    return {f"held {k}": float(np.mean(np.abs(errors[known]) <= z * sd[known])) for k, z in HELD.items()}


def of_lesion(result: Result, study: Study, name: str) -> Found:
    """Judge core or hypoperfused tissue; nothing where the run withholds it.

    Returns
    -------
    `Dice` where there is such tissue, `error` and `off` (its size) of the volume [mL], and whether the 90 %
    interval `held` it.
    """
    if result.lesions is None:
        return {}
    truth, true_ml = study.truth.masks[name], study.truth.volumes_ml.get(name, 0.0)
    mask: Mask = getattr(result.lesions, name)
    error = float(result.lesions.volumes_ml[name]) - true_ml
    scores: Found = {"error": error, "off": abs(error), "Dice": dice(mask, truth) if truth.any() else None}
    if result.lesions.intervals is not None and truth.any():
        low, high = result.lesions.intervals.volumes_ml[name]
        scores["held"] = float(low <= true_ml <= high)
    return scores


def number(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return float(value) if np.isfinite(value) else None
