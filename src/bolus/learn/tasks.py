"""What can be learned: one line of a table for each learned system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.learn import ica
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Arrays, Case
from bolus.learn.infer import Network
from bolus.learn.making import Order, Simulate
from bolus.learn.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Task:
    """One learned system.

    Parameters
    ----------
    name, summary
        What it is called, and what it does, in a sentence.
    takes, gives
        Input and output in words: axes, units, range.
    channels
        Of the input.
    head
        A name of `bolus.learn.networks.HEADS`: what turns the network's last layer into the answer.
    metric, mode
        A name of `bolus.learn.score.METRICS` that validation watches, and whether more is better.
    presets
        Recipes by name; the first is the default.
    fit
        `fit(case, size, **recipe.fitting)` makes arrays of one size of a case, to train with.
    answer, score
        `answer(network, case)` asks an exported network about a case as it is, and `score(answer, case)`
        says how good that is, by name; the first name leads.
    simulate
        Makes the cases of a simulated patient; None where there is no simulator.
    intended_use, not_for
        For the cards of its networks.
    inputs
        Names of the arrays that `fit` makes and the network takes, in order.
    """

    name: str
    summary: str
    takes: str
    gives: str
    channels: int
    head: str
    metric: str
    mode: Literal["max", "min"]
    presets: Mapping[str, TrainRecipe]
    fit: Callable[..., Arrays]
    answer: Callable[[Network, Case], Float32s]
    score: Callable[[Float32s, Case], dict[str, float]]
    simulate: Simulate | None
    intended_use: str
    not_for: tuple[str, ...]
    inputs: tuple[str, ...] = ("image",)

    def preset(self, name: str) -> TrainRecipe:
        """Return a recipe by name; an empty name means the default.

        Raises
        ------
        BadRecipe
            If there is none of that name.
        """
        chosen = name or next(iter(self.presets))
        if chosen not in self.presets:
            raise BadRecipe(f"unknown preset of {self.name}", wanted=", ".join(self.presets), found=name)
        return self.presets[chosen]


def _simulate_angiogram(order: Order) -> list[Case]:
    from bolus.learn import angiograms

    return angiograms.simulate(order)


_ICA_PAPER: Final = TrainRecipe(
    options={"width": 64, "outputs": 2},
    size=1024,
    augment=("flip", "shift_scale_rotate"),
    optimizer="rmsprop",
    lr=1e-4,
    weight_decay=1e-8,
    schedule="plateau",
    batch=1,
)

_ICA: Final = Task(
    name="ica",
    summary="Outlines the internal carotid artery on the minimum-intensity projection of a DSA run.",
    takes="largest contrast of each pixel over its 99.5th percentile in the field, 0-1.5, (cases, 1, y, x)",
    gives="probability of each pixel to show the internal carotid artery, 0-1, (cases, 1, y, x)",
    channels=1,
    head="foreground",
    metric="dice",
    mode="max",
    presets=MappingProxyType(
        {
            # Ships: 1.08 million parameters reach the Dice of 17 million on simulated runs.
            "small": TrainRecipe(
                options={"width": 16, "outputs": 1},
                size=256,
                augment=("flip", "shift_scale_rotate", "tone"),
                clip_norm=1.0,
                precision="bf16",
            ),
            # As printed: two output channels, cross-entropy and Dice.
            "paper": _ICA_PAPER,
            # As released: one output, on which cross-entropy is 0, so that Dice alone is left.
            "code": replace(
                _ICA_PAPER,
                options={"width": 64, "outputs": 1},
                loss="dice",
                augment=("flip", "shift_scale_rotate_code"),
            ),
        }
    ),
    fit=ica.fit,
    answer=ica.answer,
    score=ica.score,
    simulate=_simulate_angiogram,
    intended_use="The arterial input function of a DSA run with a carotid injection, for research.",
    not_for=(
        RESEARCH_ONLY,
        "vertebral or external carotid injections",
        "measuring the artery or its stenosis",
        "images that are not subtracted angiograms of the head",
    ),
)

TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "ica": _ICA,
        "arteries": replace(
            _ICA,
            name="arteries",
            summary="Outlines all intracranial arteries on the minimum-intensity projection of a DSA run.",
            gives="probability of each pixel to show an intracranial artery, 0-1, (cases, 1, y, x)",
            simulate=None,
            intended_use="Studying vessel segmentation on public data such as DIAS, for research.",
            not_for=(RESEARCH_ONLY, "arterial input functions", "measuring arteries or their stenoses"),
        ),
    }
)
"""Every learned system by name."""


def task(name: str) -> Task:
    """Return a task by name.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in TASKS:
        raise BadRecipe("unknown task", wanted=", ".join(TASKS), found=name)
    return TASKS[name]
