"""What one learned system is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.learn.cases import Arrays, Case, Manifest
from bolus.learn.infer import Network
from bolus.learn.making import Simulate
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
    axes
        Of the network's input: sizes, `channels`, `side` for the recipe's size, and names of those that are
        free: `cases`, `pictures`, `y` and `x`.
    ranges
        `ranges(manifest)` says for the card what the training cases are like, so that others can be told
        apart when the network is used; None: nothing is said.
    prove
        `prove(network)` measures on an exported network what it must be able to do, for the card, and refuses
        it otherwise; None: nothing must be shown.
    references
        What the simulator can give as truth: its own, or what `bolus` makes of a scan.
    features
        What of an input tells whether it is like those of the training, by name with unit; None: nothing.
    predict
        `predict(network, study, out)` asks a network about a study on disk, writes its answer into a folder
        and returns the document of it, with lines for a reader under `said`; None: cannot.
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
    axes: tuple[int | str, ...] = ("cases", "channels", "y", "x")
    references: tuple[str, ...] = ("truth",)
    ranges: Callable[[Manifest], Mapping[str, Any]] | None = None
    prove: Callable[[Network], Mapping[str, float]] | None = None
    features: Callable[[Case], dict[str, float]] | None = None
    predict: Callable[[Network, Path, Path], dict[str, Any]] | None = None

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
