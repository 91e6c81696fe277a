"""Whether a carotid artery was injected at all: a second look at what the network outlined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Float64s
from bolus.core.errors import BadInput, ShapeMismatch
from bolus.learn.frame import Frame
from bolus.learn.infer import Network

FEATURES: Final = ("sure", "halo", "upper", "area", "height", "density")
"""What is measured of an outline, before the channels of the network's deepest level; see `measured`."""
LIKELY, SURE = 0.5, 0.9
_UPPER: Final = 0.4
"""Part of the field, from above, in which a carotid injection fills the brain and others little."""
LEAST: Final = 1e-3
"""Below it, what is measured counts as this much."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A logistic model that tells injections into other arteries from those into a carotid.

    Parameters
    ----------
    middle, spread, weights
        Mean, standard deviation and weight of each feature.
    bias
        Log-odds at the means.
    data
        Where the cases come from that it was fitted to, and how many images of how many other injections.
    scores
        By the name of a set of cases: parts of the views that it flags, by what was injected.
    """

    middle: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    data: Mapping[str, Any]
    scores: Mapping[str, Any]

    def other(self, features: Float64s) -> float:
        """Return the chance, 0-1, that another artery was injected, from features of shape `(n,)`."""
        apart = (features - np.array(self.middle)) / np.array(self.spread)
        return float(logistic(np.array(self.weights) @ apart + self.bias))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def guard_of(network: Network) -> Guard | None:
    """Return the guard of a network's card, None where it has none.

    Raises
    ------
    BadInput
        If the card holds something else.
    """
    told = network.card.guard
    if not told:
        return None
    try:
        listed = [tuple(map(float, told[name])) for name in ("middle", "spread", "weights")]
        guard = Guard(listed[0], listed[1], listed[2], float(told["bias"]), told["data"], told["scores"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("not the guard of a network", where=network.where) from error
    if len({len(values) for values in listed}) != 1:
        raise ShapeMismatch("the guard of the network has lists of several lengths", where=network.where)
    return guard


def look(network: Network, image: Float32s, size: int) -> Float64s:
    """Return the features of one image `(y, x)` made by `bolus.learn.ica.network_input`, shape `(n,)`.

    Parameters
    ----------
    size
        Pixels that the network was trained at.

    Raises
    ------
    BadInput
        If the network's file gives no second answer; `bolus learn guard` adds it.
    """
    square = Frame((image.shape[0], image.shape[1]), size).put(image)
    answer, depths = network.in_depth(square[None, None])
    return measured(square, answer[0, 0], depths[0])


def measured(image: Float32s, chance: Float32s, depths: Float32s) -> Float64s:
    """Return what tells a carotid injection from others.

    Parameters
    ----------
    image, chance
        What the network was shown, and its answer, shape `(y, x)` each.
    depths
        Means of the channels of its deepest level, shape `(channels,)`.

    Returns
    -------
    Of the outline (chance above 0.5): the part that is sure (0.9), the log of what chance lies around it, the
    part of all contrast in the upper 40 % of the field, the logs of its area over the field, its height over
    the field's, and the median contrast in it; then the square roots of the means.
    """
    likely = chance > LIKELY
    n = max(int(np.count_nonzero(likely)), 1)
    shown = image > 0
    rows = np.flatnonzero(shown.any(axis=1))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, image.shape[0])
    cut = first + round(_UPPER * (last - first))
    lines = np.flatnonzero(likely.any(axis=1))
    height = (int(lines[-1]) + 1 - int(lines[0])) / (last - first) if lines.size else 0.0
    outline = [
        np.count_nonzero(chance > SURE) / n,
        np.log(max(float(chance[~likely].sum()) / n, LEAST)),
        float(image[:cut].sum()) / max(float(image.sum()), LEAST),
        np.log(max(n / max(int(np.count_nonzero(shown)), 1), LEAST)),
        np.log(max(height, LEAST)),
        np.log(max(float(np.median(image[likely])) if likely.any() else 0.0, 0.01)),
    ]
    return np.concatenate([outline, np.sqrt(np.maximum(depths, 0.0, dtype=np.float64))])


def logistic(odds: Any) -> Any:
    """Return the chance that log-odds of any shape stand for."""
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0)))
