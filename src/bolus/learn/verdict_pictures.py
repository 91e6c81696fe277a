"""Pictures of what classifiers reached: characteristics, and whether chances are what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bolus.learn.calibration import reliability
from bolus.learn.roc import Curve, auc, curve
from bolus.learn.verdicts import Verdict


def write(out: Path, judged: Mapping[str, Sequence[Verdict]]) -> list[str]:
    """Draw the characteristic and the reliability of each classifier into a folder.

    Parameters
    ----------
    out
        Folder for `roc.png` and `reliability.png`.
    judged
        Verdicts by the name of who gave them; those on cases of one kind only have no characteristic.

    Returns
    -------
    The files that were written: none where no cases are of both kinds.
    """
    both = {name: found for name, found in judged.items() if len({v.truth for v in found}) > 1}
    if not both:
        return []
    characteristics({n: curve(*_said(found)) for n, found in both.items()}, _areas(both)).savefig(
        out / "roc.png", dpi=120
    )
    _reliabilities(both).savefig(out / "reliability.png", dpi=120)
    return ["roc.png", "reliability.png"]


def characteristics(curves: Mapping[str, Curve], labels: Mapping[str, str]) -> Figure:
    """Draw receiver operating characteristics; a mean over folds has a band of one standard deviation.

    Parameters
    ----------
    curves
        By name.
    labels
        What stands beside the name in the legend.
    """
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for name, one in curves.items():
        (line,) = axes.plot(one.false_rate, one.true_rate, label=f"{name}, {labels[name]}")
        if one.sd.size:
            low, high = (one.true_rate + side * one.sd for side in (-1.0, 1.0))
            shade = line.get_color()
            axes.fill_between(one.false_rate, low.clip(0, 1), high.clip(0, 1), color=shade, alpha=0.2, lw=0)
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    axes.set(xlabel="part of the negative cases called positive", ylabel="part of the positive cases")
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="lower right")
    return figure


def _reliabilities(judged: Mapping[str, Sequence[Verdict]]) -> Figure:
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for name, found in judged.items():
        one = reliability(*_said(found))
        axes.plot(one.said, one.found, marker="o", label=f"{name}, error {one.error:.3f}")
        for x, y, n in zip(one.said, one.found, one.n, strict=True):
            axes.annotate(f"{n:.0f}", (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    axes.set(xlabel="chance that was said", ylabel="part that is positive (cases beside the points)")
    axes.legend(frameon=False, loc="upper left")
    return figure


def _areas(judged: Mapping[str, Sequence[Verdict]]) -> dict[str, str]:
    return {name: f"AUC {auc(*_said(found)):.3f}" for name, found in judged.items()}


def _said(found: Sequence[Verdict]) -> tuple[list[float], list[bool]]:
    return [v.chance for v in found], [v.truth for v in found]
