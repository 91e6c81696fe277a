"""Deconvolution by a network: `bolus run --method net`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from bolus.learn import amortised, sight
from bolus.learn.card import RESEARCH_ONLY
from bolus.learn.cases import Case
from bolus.learn.infer import Network
from bolus.learn.making import Order
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks.task import Task


def _simulate(order: Order) -> list[Case]:
    from bolus.learn import patches

    return patches.simulate(order)


def _prove(network: Network) -> dict[str, float]:
    from bolus.learn import faithful

    return faithful.prove(network)


NET: Final = Task(
    name="net",
    summary="Deconvolves CT and MR perfusion: flow, volume and times of tissue curves, with deviations.",
    takes="tissue curves and their residues, and residues of unfiltered curves, over the arterial "
    "area and the median volume, the maps of `posterior` with their deviations, the mask, and the arterial "
    "curve with the clock in every pixel, "
    "(cases, 149, y, x); see bolus.learn.sight",
    gives="means, then standard deviations, of CBF and CBV over the median volume, MTT, Tmax, delay and TTP, "
    "(cases, 12, y, x)",
    channels=sight.CHANNELS,
    head="identity",
    metric="nll",
    mode="min",
    presets=MappingProxyType(
        {
            "small": TrainRecipe(
                network="amortised",
                options={"outputs": len(sight.OUTPUTS)},
                size=96,
                loss="case_nll",
                augment=("flip", "flip_rows", "turn"),
                lr=2e-3,
                batch=8,
                clip_norm=1.0,
                average=0.998,
                precision="bf16",
            ),
        }
    ),
    fit=amortised.fit,
    answer=amortised.answer,
    score=amortised.score,
    simulate=_simulate,
    intended_use="Perfusion maps of CT and DSC-MRI of the head with an arterial curve, for research.",
    not_for=(
        RESEARCH_ONLY,
        "scans outside the range that this card gives, which bolus deconvolves by physics instead",
        "tumours and other tissue whose vessels leak",
    ),
    ranges=amortised.ranges,
    prove=_prove,
)
