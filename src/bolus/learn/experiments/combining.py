"""Networks, views and combinations of them, as the paper on thrombi has them.

Mittmann et al., Int J CARS 17:1633-1641 (2022): the first fifth of the patients is the test, the others are
cut into five folds in their order; each network is trained for each view; chances are averaged over folds,
over views, and over two networks a view (table 2 and the best combination of four). Here, the combination
is chosen on validation patients, never on the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations_with_replacement, product
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.errors import BadInput
from bolus.learn.cases import Manifest
from bolus.learn.experiments.bench import Bench, Finished, shown
from bolus.learn.experiments.classifying import Said, said_by_fold
from bolus.learn.recipe import TrainRecipe
from bolus.learn.roc import auc, confusion, curve, mcc, with_interval
from bolus.learn.splits import chronological
from bolus.learn.verdict_pictures import characteristics

Choice = Mapping[str, Any]
_SHAPE: Final = {"hidden": 128, "layers": 2, "dropout": 0.2}
SMALL: Final[Mapping[str, Choice]] = MappingProxyType(
    {
        "minima and map": {
            "network": "clot_pointer",
            "options": {"width": 16, "windows": 15, "stride": 2},
            "loss": "clot_region",
        },
        "small + GRU": {"options": {"cnn": "small", "readout": "mean+max", **_SHAPE}},
        "small + LSTM": {"options": {"cnn": "small", "recurrent": "lstm", "readout": "mean+max", **_SHAPE}},
        "small + transformer": {"options": {"cnn": "small", "readout": "transformer", **_SHAPE}},
        "small, frames averaged": {"options": {"cnn": "small", "readout": "average"}},
    }
)
"""Networks by name, for every preset but the paper's: what differs from the recipe of a sequence."""
_CNNS: Final = {
    "ResNet18": ("resnet18", "gru"),
    "EfficientNet-B0 + GRU": ("efficientnet_b0", "gru"),
    "EfficientNet-B0 + LSTM": ("efficientnet_b0", "lstm"),
    "EfficientNet-B1 + GRU": ("efficientnet_b1", "gru"),
    "EfficientNet-B1 + LSTM": ("efficientnet_b1", "lstm"),
    "EfficientNet-B2 + GRU": ("efficientnet_b2", "gru"),
    "EfficientNet-B3 + GRU": ("efficientnet_b3", "gru"),
    "EfficientNetV2-S (tf) + GRU": ("tf_efficientnet_v2_s", "gru"),
    "EfficientNetV2-M (tf) + GRU": ("tf_efficientnet_v2_m", "gru"),
    "EfficientNetV2-S (rw) + GRU": ("efficientnet_v2_rw_s", "gru"),
    "RegNetY-16GF + GRU": ("regnet_y_16gf", "gru"),
}
PAPER: Final[Mapping[str, Choice]] = MappingProxyType(
    {name: {"options": {"cnn": cnn, "recurrent": kind}} for name, (cnn, kind) in _CNNS.items()}
)
"""The eleven networks of the paper's table 2."""
VIEWS: Final = ("AP", "LAT")
_TRUNKS: Final = frozenset(cnn for cnn, _ in _CNNS.values())

Chances = dict[str, float]
"""By patient."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one network says of one view, by patient: validation patients by the fold that left them out."""

    validation: Chances
    test: Chances


def combinations(bench: Bench) -> Finished:
    """Train each network for each view in each fold; MCC and AUC alone, paired, and of the best four."""
    arms = PAPER if bench.recipe.options.get("cnn") in _TRUNKS else SMALL
    told: dict[tuple[str, str], Told] = {}
    truth: dict[str, bool] = {}
    for i, (view, (name, choice)) in enumerate(product(VIEWS, arms.items())):
        told[view, name] = _folds(bench, (view, name), replace(bench.recipe, **_of(choice)), truth)
        bench.progress("combinations", i + 1, len(VIEWS) * len(arms))
    four = best_four(told, truth)
    joint = {"four": mean([told[key].test for key in four])}
    for name in arms:
        joint |= {f"{name}, {view}": told[view, name].test for view in VIEWS}
        joint[f"{name}, pair"] = mean([told[view, name].test for view in VIEWS])
    reached = {name: _reached(chances, truth) for name, chances in joint.items()}
    rows = [(name, *(_cell(reached[f"{name}, {part}"]) for part in (*VIEWS, "pair"))) for name in arms]
    rows.append(("best four by validation", "", "", _cell(reached["four"])))
    curves = {"best four": curve(*_both(joint["four"], truth))}
    return Finished(
        f"Networks, views and their combination, {bench.folds} folds: MCC | AUC of the test patients",
        ("network", *VIEWS, "pair"),
        tuple(rows),
        "0.77 | 0.94 best four (chosen on the test); 0.73 | 0.94 best pair of one network.",
        {"four": [f"{name}, {view}" for view, name in four], "reached": reached},
        {"roc": characteristics(curves, {"best four": f"AUC {reached['four']['auc']['value']:.3f}"})},
    )


def best_four(told: Mapping[tuple[str, str], Told], truth: Mapping[str, bool]) -> list[tuple[str, str]]:
    """Return two networks of each view, by the MCC of their mean chance over validation patients.

    The same network may stand twice; of equal ones the first is taken.

    Parameters
    ----------
    told
        By view and name.
    truth
        By patient.
    """
    sides = [list(combinations_with_replacement([k for k in told if k[0] == view], 2)) for view in VIEWS]
    choices = [[*front, *side] for front, side in product(*sides)]
    return max(choices, key=lambda keys: mcc(*_both(mean([told[key].validation for key in keys]), truth)))


def mean(parts: Sequence[Chances]) -> Chances:
    """Return the mean chance of the patients that all parts know."""
    shared = set(parts[0]).intersection(*parts[1:])
    return {patient: float(np.mean([part[patient] for part in parts])) for patient in sorted(shared)}


def _of(choice: Choice) -> dict[str, Any]:
    """Return what an arm changes in the recipe: a network of sequences unless it says otherwise."""
    return {"network": "sequence", "loss": "bce", **choice}


def _folds(bench: Bench, key: tuple[str, str], recipe: TrainRecipe, truth: dict[str, bool]) -> Told:
    view, name = key
    own = tuple(entry for entry in bench.cases.entries if entry.view == view)
    if not own:
        raise BadInput("no case is of that view", wanted=view, where=bench.cases.folder)
    cases = Manifest(bench.cases.folder, own, bench.cases.source)
    stem = f"{view}-{''.join(c if c.isalnum() else '-' for c in name)}"
    known: dict[str, list[Chances]] = {"validation": [], "test": []}
    for i, split in enumerate(chronological([entry.patient for entry in own], bench.folds)):
        here = replace(bench, cases=cases, external=None)
        said = said_by_fold(here, replace(recipe, seed=recipe.seed + i), split, f"{stem}-{i}")
        for part, rows in known.items():
            rows.append(_chances(said[part], truth))
    left_out = {patient: chance for part in known["validation"] for patient, chance in part.items()}
    return Told(left_out, mean(known["test"]))


def _chances(said: Said, truth: dict[str, bool]) -> Chances:
    """Return chances by patient, and note the truth: a patient has a clot if any view shows one."""
    for patient, _, has in said:
        truth[patient] = truth.get(patient, False) or bool(has)
    return {patient: float(chance) for patient, chance, _ in said}


def _both(chances: Chances, truth: Mapping[str, bool]) -> tuple[list[float], list[bool]]:
    return list(chances.values()), [truth[patient] for patient in chances]


def _reached(chances: Chances, truth: Mapping[str, bool]) -> dict[str, Any]:
    said, is_so = _both(chances, truth)
    cases = (said, is_so, list(chances))
    numbers = {name: asdict(with_interval(of, cases)) for name, of in (("mcc", mcc), ("auc", auc))}
    return {
        "patients": len(chances),
        **{
            name: {k: float(v) if np.isfinite(v) else None for k, v in n.items()}
            for name, n in numbers.items()
        },
        "confusion": asdict(confusion(said, is_so)),
    }


def _cell(reached: Mapping[str, Any]) -> str:
    values = (reached[name]["value"] for name in ("mcc", "auc"))
    return " | ".join(shown(float("nan") if value is None else value, 2) for value in values)
