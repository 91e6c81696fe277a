"""Whether a network follows flow: where tissue enhances more it must show more, or it is not exported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Mask
from bolus.core.errors import BadInput
from bolus.learn import patches, sight
from bolus.learn.infer import Network
from bolus.learn.patches import Patch

FACTORS: Final = (0.5, 0.75, 1.0, 1.25, 1.5)
FAITHFUL: Final = (0.9, 1.1)
N_PATCHES: Final = 8
SIZE: Final = 64
_USUAL: Final[dict[str, Any]] = {
    "dt_s": 1.5,
    "after_s": 50.0,
    "noise_hu": 1.5,
    "filter": "profile",
    "artery_noise": 0.003,
}
_FIRST_SEED: Final = 90_000


def prove(network: Network) -> dict[str, float]:
    """Measure how flow and volume answer to scaled enhancement on simulated patches.

    Parameters
    ----------
    network
        Of the task `net`.

    Returns
    -------
    Slope of ``ln(map)`` against ``ln(k)``, median over pixels: `CBF whole` and `CBV whole` where all tissue
    is scaled, `CBF part` and `CBV part` where one half of it is and the other is not.

    Raises
    ------
    BadInput
        If a slope is not within 0.9-1.1: such a network prints what it expects.
    """
    found: dict[str, list[float]] = {}
    for seed in range(_FIRST_SEED, _FIRST_SEED + N_PATCHES):
        rng = np.random.default_rng(seed)
        patch = patches.make(replace(patches.draw("A", SIZE, rng), **_USUAL), rng)
        for name, where in (("whole", patch.tissue), ("part", patch.tissue & _half(patch))):
            for output, slope in _slopes(network, patch, where).items():
                found.setdefault(f"{output} {name}", []).append(slope)
    slopes = {name: float(np.median(values)) for name, values in found.items()}
    low, high = FAITHFUL
    wrong = [f"{name} {slope:.2f}" for name, slope in slopes.items() if not low <= slope <= high]
    if wrong:
        raise BadInput(
            "the network does not follow flow and is not exported",
            wanted=f"slopes of {low}-{high}",
            found=", ".join(wrong),
            where=network.where,
            remedy="Train it longer, or on flow that is drawn apart from anatomy.",
        )
    return slopes


def _half(patch: Patch) -> Mask:
    return np.asarray(np.arange(patch.mask.shape[1])[None, :] < patch.mask.shape[1] // 2)


def _slopes(network: Network, patch: Patch, where: Mask) -> dict[str, float]:
    maps = [_maps(network, patch, where, factor) for factor in FACTORS]
    x = np.log(FACTORS) - np.mean(np.log(FACTORS))
    logs = {name: np.log(np.maximum([m[name] for m in maps], 1e-9)) for name in ("CBF", "CBV")}
    return {name: float(np.median(x @ rows / np.sum(x**2))) for name, rows in logs.items()}


def _maps(network: Network, patch: Patch, where: Mask, factor: float) -> dict[str, Float32s]:
    """Return the maps where tissue is scaled, shape `(pixels,)`."""
    patch = patch.scaled(where, factor)
    clock = sight.clock_of(patch.aif, patch.times)
    scale, noise = sight.measure(patch.curves[patch.tissue[patch.mask]], clock)
    features, token = patches.seen(patch, clock, (scale, noise))
    image = sight.channels(features, token, patch.mask)
    return sight.maps_of(network(image[None])[0][: len(sight.OUTPUTS), where], scale)
