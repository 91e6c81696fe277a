"""Cross-validation and ensemble of a classifier, and its ablation, as the paper on core size has them.

Mittermeier et al., Diagnostics 12:1142 (2022): ten folds by patient, 8:1:1, early stopping on the validation
loss; table 1 (validation, test and external AUC), table 2 (global or local path left out), and the mean
characteristic of the folds with its standard deviation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.errors import BadRecipe
from bolus.learn import files
from bolus.learn.cases import Manifest
from bolus.learn.evaluate import evaluate
from bolus.learn.experiments.bench import Bench, Finished, shown, take_up
from bolus.learn.infer import Network
from bolus.learn.recipe import TrainRecipe
from bolus.learn.roc import auc, curve, folds_summary, mean_curve, with_interval
from bolus.learn.splits import Split, folds
from bolus.learn.verdict_pictures import characteristics

ARMS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"global and local": (3, 11), "global only": (11,), "local only": (3,)}
)
"""Kernels over time of the paper's table 2."""
_NETWORK: Final = "core_size"
_PRINTED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "core-size": (
            "0.75 (SD 0.11) validation, 0.72 (0.10) test, 0.61 external (ISLES 2018).",
            "0.61 for the ensemble of ten on 23 patients of ISLES 2018.",
        )
    }
)
"""What the paper of a task prints for the cross-validation and for the ensemble."""
_NOTHING: Final = "nothing: the paper on this task makes no such experiment."
_OUTSIDE: Final = "external"

Said = list[tuple[str, float, bool]]
"""Patient, chance and truth of each case."""


def cross_validation(bench: Bench) -> Finished:
    """Train and test fold by fold: AUC of validation, test and external patients, mean and SD (table 1).

    A fold whose cases are all large, or all small, has no AUC and no part in mean, SD and characteristic.
    """
    found = _all_folds(bench, bench.recipe, "fold")
    parts = _parts(bench)
    areas = {part: [_area(one[part]) for one in found] for part in parts}
    rows = tuple((part, *_mean_sd(areas[part]), _sizes([one[part] for one in found])) for part in parts)
    told = {part: [_both(one[part]) for one in found if np.isfinite(_area(one[part]))] for part in parts[1:]}
    curves = {part: mean_curve([curve(*one) for one in runs]) for part, runs in told.items() if runs}
    labels = {
        part: "AUC {} (SD {}), {} folds".format(*_mean_sd(areas[part]), len(told[part])) for part in curves
    }
    return Finished(
        f"Cross-validation, {len(found)} folds by patient: AUC",
        ("patients", "mean", "SD", "cases a fold"),
        rows,
        printed(bench)[0],
        {"folds": len(found), "auc": {part: [_plain(a) for a in values] for part, values in areas.items()}},
        {"roc": characteristics(curves, labels)},
    )


def ablation(bench: Bench) -> Finished:
    """Leave out the local or the global path: AUC of test patients (table 2), and what it costs a fold."""
    if bench.recipe.network != _NETWORK:
        raise BadRecipe(
            "the ablation leaves out paths of the paper's network",
            wanted=f"a preset of the network {_NETWORK}, such as paper or small-label",
            found=bench.recipe.network,
        )
    found: dict[str, list[float]] = {}
    for name, kernels in ARMS.items():
        options = {**bench.recipe.options, "kernels": list(kernels)}
        stem = "-".join(("kernels", *map(str, kernels)))
        runs = _all_folds(bench, replace(bench.recipe, options=options), stem)
        found[name] = [_area(one["test"]) for one in runs]
    both = next(iter(found.values()))
    return Finished(
        f"Ablation, {bench.folds} folds by patient: AUC of test patients",
        ("paths over time", "mean", "SD", "below both, mean", "SD"),
        tuple((name, *_mean_sd(areas), *_below(both, areas)) for name, areas in found.items()),
        "0.72 (SD 0.10) both, 0.63 (0.14) global only, 0.65 (0.13) local only.",
        {"folds": bench.folds, "auc": {name: [_plain(a) for a in areas] for name, areas in found.items()}},
    )


def ensemble(bench: Bench) -> Finished:
    """Average the chances of the folds' networks on patients of another site, which none of them has seen."""
    if bench.external is None:
        raise BadRecipe(
            "an ensemble is judged on patients of no fold", remedy="Give their cases with --external."
        )
    runs = [one[_OUTSIDE] for one in _all_folds(bench, bench.recipe, "fold")]
    members = [_area(run) for run in runs]
    truth, patients = [t for _, _, t in runs[0]], [p for p, _, _ in runs[0]]
    chances = np.mean([[chance for _, chance, _ in run] for run in runs], axis=0)
    joint = with_interval(auc, (chances, truth, patients))
    mean, sd = _mean_sd(members)
    return Finished(
        f"Ensemble of {len(runs)} folds: AUC of external patients",
        ("network", "AUC", "95 % or SD", "cases"),
        (
            ("ensemble", shown(joint.value), f"{shown(joint.low)}-{shown(joint.high)}", str(len(truth))),
            ("members, mean", mean, sd, str(len(truth))),
        ),
        printed(bench)[1],
        {
            "ensemble": {name: _plain(value) for name, value in asdict(joint).items()},
            "members": [_plain(area) for area in members],
        },
        {"roc": characteristics({"ensemble": curve(chances, truth)}, {"ensemble": f"AUC {joint.value:.3f}"})},
    )


def printed(bench: Bench) -> tuple[str, str]:
    """Return what the task's paper prints for the cross-validation and for the ensemble."""
    return _PRINTED.get(bench.task.name, (_NOTHING, _NOTHING))


def _parts(bench: Bench) -> tuple[str, ...]:
    return ("validation", "test") if bench.external is None else ("validation", "test", _OUTSIDE)


def _all_folds(bench: Bench, recipe: TrainRecipe, stem: str) -> list[dict[str, Said]]:
    """Train all folds, or take up those that are done, and return what each says of its patients."""
    found = []
    for i, split in enumerate(folds(bench.cases.patients, bench.folds, seed=recipe.seed)):
        found.append(said_by_fold(bench, replace(recipe, seed=recipe.seed + i), split, f"{stem}-{i}"))
        bench.progress(stem, i + 1, bench.folds)
    return found


def said_by_fold(bench: Bench, recipe: TrainRecipe, split: Split, name: str) -> dict[str, Said]:
    """Train, or take up what is done, and return what the network says of validation and test patients."""
    from bolus.learn.export import live

    folder = take_up(bench, name, recipe, split)
    done = folder / "said.json"
    known: dict[str, Any] = files.read_json(done, "a finished fold") if done.is_file() else {}
    sets = {part: (cases, _digest(folder, cases)) for part, cases in _sets(bench, split).items()}
    missing = [part for part, (_, digest) in sets.items() if digest not in known.get(part, ())]
    if missing:
        network = live(bench.task, folder, bench.device)
        known |= {part: (sets[part][1], _said(bench, network, sets[part][0])) for part in missing}
        files.write_json(done, known)
    return {part: known[part][1] for part in sets}


def _digest(folder: Path, cases: Manifest) -> str:
    """Tell answers of these weights about these cases from others."""
    from bolus.learn.train import BEST

    asked = [[entry.file, entry.patient, entry.digest] for entry in cases.entries]
    return sha256(f"{files.sha256(folder / BEST)} {json.dumps(asked)}".encode()).hexdigest()


def _sets(bench: Bench, split: Split) -> dict[str, Manifest]:
    sets = {"validation": bench.cases.of(split.validation), "test": bench.cases.of(split.test)}
    return sets if bench.external is None else sets | {_OUTSIDE: bench.external}


def _said(bench: Bench, network: Network, cases: Manifest) -> Said:
    rows = evaluate(bench.task, network, cases)
    return [(row.patient, float(row.scores["chance"]), bool(row.scores["truth"] > 0)) for row in rows]


def _both(said: Said) -> tuple[list[float], list[bool]]:
    return [chance for _, chance, _ in said], [truth for _, _, truth in said]


def _area(said: Said) -> float:
    return auc(*_both(said))


def _mean_sd(areas: Sequence[float]) -> tuple[str, str]:
    mean, sd = folds_summary([area for area in areas if np.isfinite(area)] or [float("nan")])
    return shown(mean), shown(sd)


def _below(both: Sequence[float], areas: Sequence[float]) -> tuple[str, str]:
    """Return by how much each fold's AUC is below that of the same fold with both paths, mean and SD."""
    return ("", "") if areas is both else _mean_sd([a - b for a, b in zip(both, areas, strict=True)])


def _sizes(runs: Sequence[Said]) -> str:
    """Write how many cases a fold has, where they differ the fewest and the most."""
    least, most = min(map(len, runs)), max(map(len, runs))
    return str(most) if least == most else f"{least}-{most}"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
