"""What the order of pictures gains: read-outs that are recurrent, or attend, against the average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.learn.experiments.bench import Bench, Finished, shown
from bolus.learn.experiments.classifying import Said, said_by_fold
from bolus.learn.experiments.combining import SMALL
from bolus.learn.roc import Estimate, auc, curve, with_interval
from bolus.learn.verdict_pictures import characteristics

AVERAGED: Final = "small, frames averaged"
ARMS: Final = tuple(name for name, choice in SMALL.items() if "readout" in choice["options"])
"""Networks that differ only in how they read the features of a run's pictures."""


def readouts(bench: Bench) -> Finished:
    """Train each read-out on the same patients at the same cost; AUC of single views of the test patients."""
    said: dict[str, Said] = {}
    for i, name in enumerate(ARMS):
        choice = {"network": "sequence", "loss": "bce", **SMALL[name]}
        folder = "".join(c if c.isalnum() else "-" for c in name)
        said[name] = said_by_fold(bench, replace(bench.recipe, **choice), bench.split, folder)["test"]
        bench.progress("readouts", i + 1, len(ARMS))
    reached = {name: _area(rows) for name, rows in said.items()}
    gained = {name: gain(rows, said[AVERAGED]) for name, rows in said.items() if name != AVERAGED}
    lines = [_line(name, reached[name], gained.get(name), len(said[name])) for name in ARMS]
    return Finished(
        "Read-outs over time: AUC of single views of the test patients",
        ("network", "AUC", "95 %", "gain over averaged frames", "95 %", "cases"),
        tuple(lines),
        "nothing: all networks of the paper read their pictures with a recurrent network.",
        {
            "auc": {name: _plain(one) for name, one in reached.items()},
            "gain": {name: _plain(one) for name, one in gained.items()},
        },
        {
            "roc": characteristics(
                {name: curve(*_both(rows)) for name, rows in said.items()}, _labels(reached)
            )
        },
    )


def gain(said: Said, other: Said) -> Estimate:
    """Return by how much the AUC of some answers is above that of others to the same cases.

    Patients are drawn again for both together, so that hard patients are hard for both.
    """
    pairs = np.array([_both(said)[0], _both(other)[0]])

    def difference(cases: NDArray[Any], labels: NDArray[Any]) -> float:
        mine, theirs = pairs[:, cases.astype(np.intp)]
        return auc(mine, labels) - auc(theirs, labels)

    return with_interval(
        difference, (np.arange(len(said)), _both(said)[1], [patient for patient, _, _ in said])
    )


def _area(said: Said) -> Estimate:
    return with_interval(auc, (*_both(said), [patient for patient, _, _ in said]))


def _both(said: Said) -> tuple[list[float], list[bool]]:
    return [chance for _, chance, _ in said], [truth for _, _, truth in said]


def _line(name: str, reached: Estimate, gained: Estimate | None, n: int) -> tuple[str, ...]:
    more = ("", "") if gained is None else (f"{gained.value:+.3f}", _range(gained, "+"))
    return (name, shown(reached.value), _range(reached), *more, str(n))


def _range(one: Estimate, sign: str = "") -> str:
    return f"{one.low:{sign}.3f} to {one.high:{sign}.3f}"


def _labels(reached: Mapping[str, Estimate]) -> dict[str, str]:
    return {name: f"{name}, AUC {one.value:.3f}" for name, one in reached.items()}


def _plain(one: Estimate) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in asdict(one).items()}
