"""What physics makes of a scan, which the network of `--method net` sees beside the curves, and corrects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.finding import silent
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import Place, learn_shapes, posterior
from bolus.deconvolve.atoms import SHAPES
from bolus.deconvolve.blocks import solve_in_blocks
from bolus.deconvolve.neighbours import allow_for_blur, lean_on_neighbours, read_with_neighbours
from bolus.learn import sight

N_LEARNED: Final = 256
"""Voxels from which the likelihood of shapes is learned: as many as a patch of training can spare."""
UNKNOWN_SD: Final = 3.0
"""Deviation of what is not known, on the network's scale."""
SPAN: Final = (0.003, 3.0)
"""Deviations are shown between these."""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """What physics makes of a scan.

    Parameters
    ----------
    estimate
        By `posterior` that leans on neighbours, as `bolus.deconvolve.deconvolve` makes it.
    alone
        The same of each voxel alone, which no edge blurs; its Tmax is the expected one, not a peak.
    settled
        What was learned from the scan: the likelihood of each `shapes`, and `independence`.
    """

    estimate: Estimate
    alone: Estimate
    settled: Mapping[str, Any]


def first_guess(contrast: Concentration, aif: VesselCurve, *, place: Place | None = None) -> Guess:
    """Deconvolve by `posterior` that leans on neighbours, with shapes learned from few voxels.

    Parameters
    ----------
    contrast, aif
        Of a scan, on one clock.
    place
        What puts curves on a device; None: in memory.

    Raises
    ------
    NoBolus
        If the arterial curve holds no bolus.
    """
    step = max(len(contrast.curves) // N_LEARNED, 1)
    first, last = contrast.baseline
    options = learn_shapes(
        contrast.curves[::step], aif.values, contrast.dt, {"baseline": float(last - first)}
    )
    run = partial(solve_in_blocks, posterior, contrast, aif, progress=silent, place=place)
    undecided = np.zeros((len(contrast.curves), 4), dtype=np.float32)
    alone = run({**options, "peaks": False}, leaning=undecided)
    mask, grid = contrast.mask, contrast.grid
    leant = run(options, leaning=lean_on_neighbours(alone, mask, grid))
    return Guess(allow_for_blur(read_with_neighbours(leant, mask, grid), mask, grid), alone, options)


def shown(guess: Guess, scale: float) -> Float32s:
    """Return what the network sees of a guess, shape `(voxels, 17)`.

    CBF, CBV, MTT, Tmax and delay as it answers them (`bolus.learn.sight.numbers_of`), the tenth logarithms of
    their deviations, the chance that Tmax exceeds 6 s, whether anything is known at all; and CBF, MTT, delay
    and the tenth logarithms of the last two's deviations of each voxel alone.
    """
    means, sds, known = _numbers(guess.estimate, scale)
    own, own_sds, own_known = _numbers(guess.alone, scale)
    rows = [
        *(_filled(means[name], known, 0.0) for name in sight.GUESSED),
        *(_deviation(sds[name], known) for name in sight.GUESSED),
        _filled(guess.estimate.extra["PTmax6"], known, 0.5),
        known.astype(np.float32),
        *(_filled(own[name], own_known, 0.0) for name in ("CBF", "MTT", "delay")),
        *(_deviation(own_sds[name], own_known) for name in ("MTT", "delay")),
    ]
    return np.stack(rows, axis=1)


def learned(guess: Guess) -> Float32s:
    """Return what was learned from the scan as the network sees it, shape `(6,)`; see `Guess.settled`."""
    likely = guess.settled.get("shapes", {})
    even = 1.0 / len(SHAPES)
    numbers = [*(likely.get(name, even) for name in SHAPES), guess.settled.get("independence", 1.0)]
    return np.array(numbers, dtype=np.float32)


_KEYS: Final = {"CBF": "flow", "CBV": "volume", "MTT": "mtt", "Tmax": "tmax", "delay": "delay"}


def _numbers(estimate: Estimate, scale: float) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return means and deviations on the network's scale, and where anything is known."""
    mtt, delay = _there(estimate.mtt), _there(estimate.delay)
    known = np.isfinite(estimate.flow) & np.isfinite(mtt)
    means = {
        "CBF": estimate.flow,
        "CBV": estimate.flow * mtt,
        "MTT": mtt,
        "Tmax": estimate.tmax,
        "delay": delay,
    }
    sds = {name: estimate.sd[key] / sight.unit(name, scale) for name, key in _KEYS.items()}
    return {name: values / sight.unit(name, scale) for name, values in means.items()}, sds, known


def _there(values: Float32s | None) -> Float32s:
    if values is None:
        raise TypeError("the guess lacks delay or MTT")
    return values


def _filled(values: Any, known: Any, otherwise: float) -> Float32s:
    clipped = np.clip(values, -sight.LARGEST, sight.LARGEST)
    return np.where(known & np.isfinite(values), clipped, np.float32(otherwise)).astype(np.float32)


def _deviation(values: Any, known: Any) -> Float32s:
    safe = np.where(known & np.isfinite(values), values, UNKNOWN_SD)
    return np.asarray(np.log10(np.clip(safe, *SPAN)), dtype=np.float32)
