"""Clots on DSA runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bolus.learn import runs
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Case
from bolus.learn.infer import Network
from bolus.learn.making import Order
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks.task import Task


def _simulate_clots(order: Order) -> list[Case]:
    from bolus.learn import clots

    return clots.simulate(order)


def _predict(network: Network, study: Path, out: Path) -> dict[str, Any]:
    from bolus.learn import clot_answer

    return clot_answer.predict(network, study, out)


_SEQUENCE: Final = TrainRecipe(
    network="sequence",
    options={"cnn": "resnet18", "recurrent": "gru"},
    size=512,
    loss="bce",
    augment=("flip", "shift_scale_rotate_run", "grain"),
    lr=1e-5,
    schedule="plateau",
    patience=20,
    factor=0.1,
    stop_after=130,
    epochs=130,
    batch=1,
    precision="bf16",
)

THROMBUS: Final = Task(
    name="thrombus",
    summary="Tells whether a DSA run shows a clot, and where.",
    takes="frames of a subtracted run by threes, mean 0 and SD 1 over the run, (cases, pictures, 3, y, x)",
    gives="chance of a clot, (cases, 1); or with where it is before it, 0-1, (cases, 3, y, x)",
    channels=3,
    head="label",
    metric="log_loss",
    mode="min",
    presets=MappingProxyType(
        {
            # What is darkest over time, and maps of where the clot is and whose blood is missing or late.
            "small": TrainRecipe(
                network="clot_pointer",
                options={"width": 16, "windows": 15, "stride": 2},
                size=192,
                fitting={"n_frames": 15},
                loss="clot_region",
                augment=("flip", "shift_scale_rotate", "shorten", "speckle"),
                batch=6,
                clip_norm=1.0,
                precision="bf16",
            ),
            "small-sequence": TrainRecipe(
                network="sequence",
                options={"cnn": "small", "hidden": 128, "layers": 2, "dropout": 0.2, "readout": "mean+max"},
                size=256,
                fitting={"n_frames": 15},
                loss="bce",
                augment=("flip", "shift_scale_rotate", "shorten", "speckle"),
                clip_norm=1.0,
                precision="bf16",
            ),
            "paper": _SEQUENCE,
            # As released: labels are never certain.
            "code": replace(_SEQUENCE, loss="bce_soft"),
        }
    ),
    fit=runs.fit,
    answer=runs.answer,
    score=runs.score,
    simulate=_simulate_clots,
    intended_use="Studying the detection of clots on DSA runs, for research.",
    not_for=(RESEARCH_ONLY, "finding or excluding clots in patients", "posterior circulation"),
    axes=("cases", "pictures", 3, "side", "side"),
    references=("truth", "film", "late", "take", "scene"),
    features=runs.case_features,
    predict=_predict,
)
