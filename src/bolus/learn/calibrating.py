"""What a classifier's card must know to answer well: scaling, where it does not know, and its inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bolus.core.errors import BadInput, BadRecipe
from bolus.core.finding import Progress, silent
from bolus.learn import clot_calibration, files
from bolus.learn.calibration import fit_scaling, put_right, unsure_band
from bolus.learn.cases import Case, CaseSet, Manifest
from bolus.learn.evaluate import evaluate
from bolus.learn.infer import Network
from bolus.learn.likeness import ranges
from bolus.learn.splits import Split, check_leakage
from bolus.learn.tasks import Task

CALIBRATION: Final = "calibration.json"
"""In the folder of a training; an export puts it into the card."""


def calibrate(
    task: Task,
    network: Network,
    manifest: Manifest,
    split: Split,
    *,
    more: Manifest | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure what puts a classifier's answers right.

    Parameters
    ----------
    task, network
        What was learned, and the exported network, whose card has no calibration.
    manifest, split
        The cases and the split that it was trained with.
    more
        Cases of other patients, to measure on beside those of the validation.
    progress
        Called as `progress("evaluate", done, total)`.

    Returns
    -------
    `temperature`, `offset` and the `unsure` band, outside which 95 % are right, of the validation patients;
    and, where the task has features, the `ranges` of the training's inputs. Where patients have several views
    or answers point at a place, `pair` and `place` of `bolus.learn.clot_calibration`.

    Raises
    ------
    BadRecipe
        If the task is no classifier, or the network is calibrated already.
    BadInput
        If the split is of other patients than the cases or has none for validation, or all validation cases
        are the same.
    """
    if network.card.calibration:
        raise BadRecipe("the network is calibrated already", where=network.where)
    check_leakage(split, manifest)
    if not split.validation:
        raise BadInput("the split has no patient for validation", where=manifest.folder)
    rows = evaluate(task, network, manifest.of(split.validation), progress=progress)
    rows += evaluate(task, network, more, progress=progress) if more else []
    if not {"chance", "truth"} <= rows[0].scores.keys():
        raise BadRecipe(f"{task.name} answers no question with yes or no")
    said, truth = [row.scores["chance"] for row in rows], [row.scores["truth"] > 0 for row in rows]
    scaling = fit_scaling(said, truth)
    found: dict[str, Any] = {
        **scaling,
        "unsure": list(unsure_band(put_right(said, scaling), truth)),
        "cases": len(rows),
    }
    found |= clot_calibration.beyond_one_view(rows)
    if task.features is not None:
        found["ranges"] = _ranges(task.features, manifest.of(split.train))
    return found


def write(found: dict[str, Any], run: Path) -> Path:
    """Write a calibration into the folder of a training."""
    files.write_json(run / CALIBRATION, found)
    return run / CALIBRATION


def read(run: Path) -> dict[str, Any]:
    """Return the calibration in the folder of a training; empty where there is none."""
    path = run / CALIBRATION
    found: dict[str, Any] = files.read_json(path, "the calibration") if path.is_file() else {}
    return found


def _ranges(features: Callable[[Case], dict[str, float]], manifest: Manifest) -> dict[str, list[float]]:
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    return ranges([features(cases.case(i)) for i in range(len(manifest.entries))])
