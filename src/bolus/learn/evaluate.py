"""How good a network is on cases with known truth: a line a case, means with intervals, and pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bolus import __version__
from bolus.core.finding import Progress, silent
from bolus.export import folder
from bolus.learn import files
from bolus.learn.cases import Case, CaseSet, Manifest
from bolus.learn.infer import Network
from bolus.learn.score import over_patients
from bolus.learn.tasks import Task
from bolus.learn.verdicts import Verdict, rivals, summary, verdict

SCORES: Final = "scores.json"
KIND: Final = "bolus scores"
_OWN: Final = frozenset({"run", "setting"})
"""Remarks that name one case, or say again what its site is."""
SHOWN: Final = (("worst", 0.0), ("median", 0.5), ("best", 1.0))


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one case, by name, and what the case is."""

    file: str
    patient: str
    view: str
    site: str
    scores: Mapping[str, float]
    meta: Mapping[str, Any]


def evaluate(task: Task, network: Network, manifest: Manifest, *, progress: Progress = silent) -> list[Row]:
    """Score a network on every case of a manifest, at the case's own size.

    Parameters
    ----------
    task, network
        What was learned, and the exported network.
    manifest
        The cases; they should be of patients that it never saw.
    progress
        Called as `progress("evaluate", done, total)`.

    Raises
    ------
    BadInput
        If the cases are for another task.
    """
    manifest.require_task(task.name)
    rows = []
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    for i, entry in enumerate(manifest.entries):
        case = cases.case(i)
        scores = task.score(task.answer(network, case), case)
        rows.append(Row(entry.file, case.patient, case.view, case.site, scores, case.meta))
        progress("evaluate", i + 1, len(manifest.entries))
    return rows


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Return mean and 95 % interval over patients of every score: for all cases, and by view, site and kind.

    Kinds are the cases' remarks that are true, such as `layered`, or words, such as `vessel carotid`.
    """
    groups = {"all": list(rows)}
    for row in rows:
        for name in (row.view, row.site, *_kinds(row.meta)):
            if name:
                groups.setdefault(name, []).append(row)
    return {name: _scores(chosen) for name, chosen in groups.items()}


def write(task: Task, network: Network, manifest: Manifest, rows: Sequence[Row], out: Path) -> dict[str, Any]:
    """Write scores as JSON, a line a case as CSV, and pictures; the folder appears whole or not at all.

    Returns
    -------
    The document that was written as JSON.

    Raises
    ------
    OutputFailed
        If the folder holds something else than an earlier evaluation, or the disk refuses.
    """
    document = {
        "kind": KIND,
        "version": __version__,
        "task": task.name,
        "weights": dict(network.card.files),
        "data": dict(manifest.source),
        "scores": summarise(rows),
    }
    judged = _judged(rows)
    if judged:
        others = rivals(rows)
        document["verdicts"] = summary(judged)
        document["rivals"] = {name: summary(theirs) for name, theirs in others.items()}
    from bolus.learn import verdict_pictures

    with folder.replaced(out, folder.Manifest(SCORES, (KIND,))) as made:
        names = _write_rows(made / "cases.csv", rows)
        if judged:
            names += _write_predictions(made / "predictions.csv", network, rows)
            names += verdict_pictures.write(made, {"network": judged, **others})
        names += _write_pictures(made, task, network, manifest, rows)
        files.write_json(made / SCORES, document | {"files": [SCORES, *names]})
    return document


def _judged(rows: Sequence[Row]) -> list[Verdict]:
    """Return the verdicts in scores of a classifier; none in those of other tasks."""
    if not {"chance", "truth"} <= rows[0].scores.keys():
        return []
    return [verdict(row.patient, row.view, row.site, row.scores, row.meta) for row in rows]


def _write_predictions(path: Path, network: Network, rows: Sequence[Row]) -> list[str]:
    """Write what a classifier says of each case: its chance, and yes, no, or that it does not know."""
    low, high = network.card.calibration.get("unsure", (0.5, 0.5))
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(["file", "patient", "view", "site", "truth", "chance", "reply"])
        for row in rows:
            chance = row.scores["chance"]
            unsure = "do not know" if low < chance < high else ""
            reply = unsure or ("yes" if chance >= high else "no")
            truth = "yes" if row.scores["truth"] > 0 else "no"
            lines.writerow([row.file, row.patient, row.view, row.site, truth, f"{chance:.6g}", reply])
    return [path.name]


def _kinds(meta: Mapping[str, Any]) -> list[str]:
    words = [f"{name} {value}" for name, value in meta.items() if isinstance(value, str) and name not in _OWN]
    return [name for name, value in meta.items() if value is True] + words


def _scores(rows: Iterable[Row]) -> dict[str, Any]:
    chosen = list(rows)
    whose = [row.patient for row in chosen]
    found = {name: over_patients([row.scores[name] for row in chosen], whose) for name in chosen[0].scores}
    return {name: None if interval is None else asdict(interval) for name, interval in found.items()}


def _write_rows(path: Path, rows: Sequence[Row]) -> list[str]:
    names, kinds = list(rows[0].scores), sorted({name for row in rows for name in row.meta})
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(["file", "patient", "view", "site", *names, *kinds])
        for row in rows:
            scores = [f"{row.scores[name]:.6g}" for name in names]
            meta = [row.meta.get(name, "") for name in kinds]
            lines.writerow([row.file, row.patient, row.view, row.site, *scores, *meta])
    return [path.name]


def _write_pictures(
    out: Path, task: Task, network: Network, manifest: Manifest, rows: Sequence[Row]
) -> list[str]:
    """Draw the distribution of the first score, and its worst, median and best case."""
    from bolus.learn import pictures

    name = next(iter(rows[0].scores))
    sign = -1.0 if name == task.metric and task.mode == "min" else 1.0
    ranked = sorted((r for r in rows if np.isfinite(r.scores[name])), key=lambda r: sign * r.scores[name])
    if not ranked:
        return []
    pictures.distribution(out / "distribution.png", ranked, name)
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    place = {entry.file: i for i, entry in enumerate(manifest.entries)}
    shown: list[tuple[str, Case, Any]] = []
    for label, part in SHOWN:
        row = ranked[round(part * (len(ranked) - 1))]
        case = cases.case(place[row.file])
        shown.append((f"{label}: {name} {row.scores[name]:.3f}", case, task.answer(network, case)))
    _painter(shown[0][1])(out / "examples.png", shown)
    return ["distribution.png", "examples.png"]


def _painter(case: Case) -> Any:
    """Return what draws cases of this kind: labels, maps or masks."""
    from bolus.learn import pictures

    if case.target.ndim == 1:
        return pictures.label_examples
    return pictures.map_examples if case.target.dtype.kind == "f" else pictures.examples
