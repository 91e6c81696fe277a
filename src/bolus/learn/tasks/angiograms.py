"""Arteries on the minimum-intensity projection of a DSA run."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from bolus.learn import ica
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Case
from bolus.learn.making import Order
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks.task import Task


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

ICA: Final = Task(
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
            # Ships: 0.6 million parameters, which two processors train in half an hour.
            "small": TrainRecipe(
                options={"width": 12, "outputs": 1},
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


ARTERIES: Final = replace(
    ICA,
    name="arteries",
    summary="Outlines all intracranial arteries on the minimum-intensity projection of a DSA run.",
    gives="probability of each pixel to show an intracranial artery, 0-1, (cases, 1, y, x)",
    simulate=None,
    intended_use="Studying vessel segmentation on public data such as DIAS, for research.",
    not_for=(RESEARCH_ONLY, "arterial input functions", "measuring arteries or their stenoses"),
)
