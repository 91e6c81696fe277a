"""Whether an input is like those that a network was trained with: features in words, each with its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bolus.core.errors import BadInput

REACH: Final = 0.5
"""How far beyond the training's range an input may lie, as a part of that range."""


@dataclass(frozen=True, slots=True)
class Strange:
    """A feature in which an input is unlike the training.

    Parameters
    ----------
    name, value
        Of the feature, with its unit in the name.
    low, high
        What training has seen.
    """

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.name} is {self.value:.3g}, in training {self.low:.3g} to {self.high:.3g}"


def ranges(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return least and greatest value of each feature of the training's inputs, as JSON can hold them.

    Raises
    ------
    BadInput
        If there are no inputs.
    """
    if not rows:
        raise BadInput("no input was given to take ranges from")
    return {
        name: [float(np.min([row[name] for row in rows])), float(np.max([row[name] for row in rows]))]
        for name in rows[0]
    }


def strangest(known: Mapping[str, Any], features: Mapping[str, float]) -> Strange | None:
    """Return the feature that lies farthest beyond the range of the training, if any is too far.

    Parameters
    ----------
    known
        Of `ranges`.
    features
        Of the input; those that are no numbers count as too far.
    """
    worst: tuple[float, Strange] | None = None
    for name, value in features.items():
        if name not in known:
            continue
        low, high = (float(bound) for bound in known[name])
        beyond = max(low - value, value - high) / max(high - low, 1e-9) if np.isfinite(value) else np.inf
        if beyond > REACH and (worst is None or beyond > worst[0]):
            worst = beyond, Strange(name, value, low, high)
    return worst[1] if worst else None
