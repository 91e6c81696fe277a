"""Cases of `--method net`: what the network is shown of them, its answers, and how good those are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.learn import sight
from bolus.learn.cases import Arrays, Case, Manifest, read_meta
from bolus.learn.infer import Network

USUAL_PART: Final = 0.68
"""Part of the errors that one deviation should hold."""
HELD: Final = {"68": 0.994, "90": 1.645}
"""Half widths of intervals, in deviations, by the percentage of errors that they should hold."""
DRAWN: Final = ("dt_s", "spacing_mm")
"""Drawn evenly, so that no value is rare."""
KNOWN: Final = (0.005, 0.995)
"""Part of the training that is rarer than these is not held to be known."""
RANGED: Final = ("dt_s", "after_s", "width_s", "tail", "noise", "spacing_mm")
"""What is compared with the range that the network was trained in."""


def fit(case: Case, size: int) -> Arrays:
    """Return `image` `(149, y, x)` float16, `target` `(6, y, x)` and `mask` `(1, y, x)` of a case."""
    token = np.broadcast_to(case.extra["token"][:, None, None], (sight.N_TOKEN, *case.image.shape[1:]))
    whole = np.concatenate([case.image, token])[:, :size, :size]
    return {
        "image": whole.astype(np.float16),
        "target": np.asarray(case.target[:, :size, :size], dtype=np.float32),
        "mask": np.asarray(case.extra["tissue"][None, :size, :size], dtype=np.float32),
    }


def answer(network: Network, case: Case) -> Float32s:
    """Return means and deviations as the network gives them, shape `(12, y, x)`."""
    image = fit(case, max(case.image.shape[1:]))["image"]
    return np.asarray(network(image[None].astype(np.float32))[0])


def score(found: Float32s, case: Case) -> dict[str, float]:
    """Return for each map its mean squared error over the truth's variance, and what its deviations hold.

    `CBF lost` is 1 for a map that shows its own mean everywhere. `CBF reach` is the multiple of the deviation
    that holds 68 % of the errors: 1 if deviations are right, and what they are multiplied with to be right.
    """
    tissue = case.extra["tissue"] > 0
    mean, deviation = np.split(found[:, tissue], 2)
    off = mean - case.target[:, tissue]
    scores: dict[str, float] = {}
    for name, error, sd, truth in zip(sight.OUTPUTS, off, deviation, case.target[:, tissue], strict=True):
        ratio = np.abs(error) / sd
        scores[f"{name} lost"] = float(np.mean(error**2) / max(float(truth.var()), 1e-6))
        scores[f"{name} error"] = float(np.mean(error**2))
        scores[f"{name} reach"] = float(np.quantile(ratio, USUAL_PART))
        scores |= {f"{name} held {part}": float(np.mean(ratio <= k)) for part, k in HELD.items()}
    return scores


def ranges(manifest: Manifest) -> dict[str, Any]:
    """Return for the card, by name, between what bounds nearly all scans of a folder of cases lie."""
    found = [read_meta(manifest.folder / entry.file) for entry in manifest.entries]
    seen = {name: np.array([about[name] for about in found]) for name in RANGED}
    bounds = {name: (0.0, 1.0) if name in DRAWN else KNOWN for name in RANGED}
    return {name: np.quantile(values, bounds[name]).tolist() for name, values in seen.items()}
