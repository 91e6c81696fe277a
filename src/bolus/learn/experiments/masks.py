"""Experiment 3: what keeping only the largest component does to the masks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from bolus.core.arrays import Mask
from bolus.core.errors import BadRecipe
from bolus.learn.cases import Case, CaseSet
from bolus.learn.experiments.bench import Bench, Finished, shown
from bolus.learn.ica import THRESHOLD
from bolus.learn.score import dice, over_patients
from bolus.vessels import largest_part

KINDS: Final = ("as found", "largest component", "largest, if 60 % of all")


def postprocess(bench: Bench) -> Finished:
    """Compare Dice on the test patients with and without keeping the largest component."""
    if bench.segment is None:
        raise BadRecipe("this experiment needs a network", wanted="--weights, --run or the shipped one")
    cases = CaseSet(bench.cases, lambda _case: {}, cache_mb=0)
    scored: list[tuple[Case, tuple[Mask, ...], tuple[float, ...]]] = []
    for i in range(len(cases)):
        case = cases.case(i)
        masks = _variants(bench.segment.probability(case.image[0]) >= THRESHOLD)
        scored.append((case, masks, tuple(dice(m, case.target[0] > 0) for m in masks)))
        bench.progress("postprocess", i + 1, len(cases))
    patients = [case.patient for case, _, _ in scored]
    found = {k: over_patients([s[2][i] for s in scored], patients) for i, k in enumerate(KINDS)}
    rows = tuple(
        (name, shown(one.mean), f"{shown(one.low)} to {shown(one.high)}", shown(one.sd), shown(one.least))
        for name, one in found.items()
        if one is not None
    )
    gain = np.array([s[2][1] - s[2][0] for s in scored])
    numbers: dict[str, Any] = {
        "dice": {k: None if one is None else one.mean for k, one in found.items()},
        "better": int(np.count_nonzero(gain > 0.001)),
        "worse": int(np.count_nonzero(gain < -0.001)),
        "images": int(gain.size),
    }
    return Finished(
        "Largest component: Dice by patient",
        ("mask", "mean", "95 %", "SD", "least"),
        rows,
        "0.875 as found; below 0.875 with the largest component, 0.882 without the one patient it spoils.",
        numbers,
        {"good_and_bad": _extremes(scored, gain)},
    )


def _variants(mask: Mask) -> tuple[Mask, ...]:
    """Return a mask `(y, x)` as it is, its largest part, and that part only where it is most of it."""
    flat = mask[:, :, None]
    always, _ = largest_part(flat, at_least=0.0)
    guarded, _ = largest_part(flat)
    return mask, always[:, :, 0], guarded[:, :, 0]


def _extremes(scored: list[tuple[Case, tuple[Mask, ...], tuple[float, ...]]], gain: Any) -> Figure:
    """Draw the case that gains most and the one that loses most, with what is kept in a colour of its own."""
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    for axes, index in zip(figure.subplots(1, 2), (int(gain.argmax()), int(gain.argmin())), strict=True):
        case, masks, scores = scored[index]
        axes.imshow(-case.image[0], cmap="gray", interpolation="nearest")
        for mask, colour in ((case.target[0] > 0, "#e69f00"), (masks[0], "#56b4e9"), (masks[1], "#d55e00")):
            if mask.any() and not mask.all():
                axes.contour(mask, levels=[0.5], colors=[colour], linewidths=0.9)
        axes.set_title(f"Dice {scores[0]:.3f} to {scores[1]:.3f}", fontsize=10)
        axes.set_axis_off()
    figure.suptitle("truth orange, found blue, kept red", fontsize=9)
    return figure
