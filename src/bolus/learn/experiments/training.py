"""Experiments 1 and 2: what augmentation gains, and how many patients and which learning rate it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from bolus.core.errors import BadRecipe
from bolus.learn import files
from bolus.learn.evaluate import evaluate
from bolus.learn.experiments.bench import Bench, Finished, is_newer, shown, take_up
from bolus.learn.recipe import TrainRecipe
from bolus.learn.splits import Split, reduced

ARMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "horizontal flip + shift-scale-rotate": ("flip", "shift_scale_rotate"),
        "horizontal flip": ("flip",),
        "no augmentation": (),
    }
)
"""Augmentations by name, in the order of the paper's table 2."""
REDUCTIONS: Final = (0, 10, 20, 30, 40, 50, 60, 70)
"""Percent of the training patients that are left out (table 1)."""
RATES: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""Initial learning rates (table 1)."""


def augmentation(bench: Bench) -> Finished:
    """Train with and without augmentation and compare Dice on the validation patients (table 2)."""
    found = {}
    for i, (name, chosen) in enumerate(ARMS.items()):
        found[name] = _trained(bench, f"augmentation-{i}", replace(bench.recipe, augment=chosen), bench.split)
        bench.progress("augmentation", i + 1, len(ARMS))
    rows = tuple((name, shown(one["mean"]), shown(one["sd"]), str(one["n"])) for name, one in found.items())
    return Finished(
        "Augmentation: Dice on the validation patients",
        ("augmentation", "mean", "SD", "images"),
        rows,
        "0.905 (SD 0.089) flip + shift-scale-rotate, 0.891 (0.104) flip, 0.889 (0.099) none.",
        {"arms": found},
    )


def data_split(bench: Bench) -> Finished:
    """Leave out 10-70 % of the training patients, at six learning rates (figure 6)."""
    pairs = [(reduction, rate) for reduction in REDUCTIONS for rate in RATES]
    found: dict[tuple[int, float], dict[str, Any]] = {}
    for i, (reduction, rate) in enumerate(pairs):
        split = reduced(bench.split, reduction) if reduction else bench.split
        name = f"split-{reduction:02}-{rate:.0e}"
        found[reduction, rate] = _trained(bench, name, replace(bench.recipe, lr=rate), split)
        found[reduction, rate]["patients"] = len(split.train)
        bench.progress("data-split", i + 1, len(pairs))
    rows = []
    for reduction in REDUCTIONS:
        cells = [_cell(found[reduction, rate]) for rate in RATES]
        rows.append((f"{reduction} %", str(found[reduction, RATES[0]]["patients"]), *cells))
    return Finished(
        "Training patients and learning rate: Dice on the validation patients, mean (SD)",
        ("left out", "patients", *(f"{rate:g}" for rate in RATES)),
        tuple(rows),
        "a figure only: no clear gain by 10 % steps, fluctuation beyond 30 % left out and above 1e-3.",
        {"runs": [{"left_out": r, "lr": rate, **one} for (r, rate), one in found.items()]},
        {"data_split": _curves(found)},
    )


def _cell(one: Mapping[str, Any]) -> str:
    return f"{shown(one['mean'])} ({shown(one['sd'])})" if one["mean"] is not None else "diverged"


def _trained(bench: Bench, name: str, recipe: TrainRecipe, split: Split) -> dict[str, Any]:
    """Train, or take up a training that was stopped; return Dice on the validation patients."""
    from bolus.learn.export import live

    try:
        folder = take_up(bench, name, recipe, split)
    except BadRecipe as error:
        if "diverged" not in str(error):
            raise
        return {"mean": None, "sd": None, "n": 0}
    done = folder / "validation.json"
    if is_newer(done, folder):
        document: dict[str, Any] = files.read_json(done, "a finished training")
        return document
    rows = evaluate(bench.task, live(bench.task, folder, bench.device), bench.cases.of(split.validation))
    dice = np.array([row.scores["dice"] for row in rows])
    result = {"mean": float(dice.mean()), "sd": float(dice.std(ddof=1)), "n": int(dice.size)}
    files.write_json(done, result)
    return result


def _curves(found: Mapping[tuple[int, float], Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    for axes, name, label in zip(
        figure.subplots(1, 2), ("mean", "sd"), ("mean Dice", "SD of Dice"), strict=True
    ):
        for rate in RATES:
            values = [found[reduction, rate][name] for reduction in REDUCTIONS]
            axes.plot(REDUCTIONS, [np.nan if v is None else v for v in values], marker="o", label=f"{rate:g}")
        axes.set(xlabel="training patients left out [%]", ylabel=f"{label}, validation")
    axes.legend(title="learning rate", frameon=False, fontsize=8)
    return figure
