"""Large or small cores by raw CT perfusion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bolus.learn import core_size
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Case
from bolus.learn.infer import Network
from bolus.learn.making import Order
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks.task import Task


def _simulate_strokes(order: Order) -> list[Case]:
    from bolus.learn import strokes

    return strokes.simulate(order)


def _predict(network: Network, study: Path, out: Path) -> dict[str, Any]:
    from bolus.learn import core_answer

    return core_answer.predict(network, study, out)


COMPACT_PX: Final = 16
"""Pixels of 12.5 mm: averages over them leave little of the noise of a frame."""
_CORE_PAPER: Final = TrainRecipe(
    network="core_size",
    size=core_size.SIDE_PX,
    fitting={"threshold_ml": core_size.MEDIAN_ML},
    loss="bce",
    augment=("shift_rotate_slices", "flip_rows"),
    optimizer="rmsprop",
    lr=1e-3,
    momentum=0.0,
    alpha=0.9,  # of Keras, in which the authors trained with its defaults
    weight_decay=0.0,
    schedule="constant",
    stop_after=200,
    epochs=500,
    batch=12,
)

_SMALL: Final = replace(
    _CORE_PAPER,
    augment=("shift_rotate_slices", "flip"),
    optimizer="adamw",
    weight_decay=1e-2,
    schedule="cosine",
    batch=6,
    clip_norm=1.0,
    precision="bf16",
)

CORE_SIZE: Final = Task(
    name="core-size",
    summary="Tells large cores from small ones by two slices of raw CT perfusion.",
    takes="ganglionic and supraganglionic slice, every 1.5 s, -50 to 250 HU, (cases, 2, 32, y, x)",
    gives="chance of a large core, 0-1, (cases, 1); or between where it is and log(1 + volume [mL]), "
    "(cases, 3, y, x)",
    channels=2,
    head="core",
    metric="log_loss",
    mode="min",
    presets=MappingProxyType(
        {
            # Where the core is, and then how large: far better than a label alone at equal training cost.
            "small": replace(
                _SMALL,
                network="core_map",
                loss="core",
                augment=("flip", "shift_scale_rotate"),
                lr=3e-3,
                channels_last=False,  # in PyTorch 2.13 group normalisation has no gradient that way in bf16
            ),
            "small-label": replace(_SMALL, options={"cnn": "small_vgg", "frozen": False, "dropout": 0.1}),
            # The paper's design, made to learn from few patients: shown contrast, on coarse pixels.
            "compact": replace(
                _SMALL,
                options={"cnn": "small_vgg", "frozen": False, "dropout": 0.1, "shown": "contrast"},
                size=COMPACT_PX,
                lr=3e-3,
                batch=12,
                precision="float32",
            ),
            "paper": _CORE_PAPER,
            # The paper's ablations.
            "global": replace(_CORE_PAPER, options={"kernels": [11]}),
            "local": replace(_CORE_PAPER, options={"kernels": [3]}),
        }
    ),
    fit=core_size.fit,
    answer=core_size.answer,
    score=core_size.score,
    simulate=_simulate_strokes,
    intended_use="Studying what raw CT perfusion says of the core without maps, for research.",
    not_for=(RESEARCH_ONLY, "selecting patients for treatment", "measuring the core"),
    references=("truth", "bolus", "strokes"),
    features=core_size.case_features,
    predict=_predict,
    axes=("cases", 2, core_size.N_FRAMES, "side", "side"),
)
