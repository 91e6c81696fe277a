"""Experiment 4: maps made with the network's mask against maps made with the true one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from bolus.core.arrays import Float64s, Mask, Volume
from bolus.core.errors import BadInput, BadRecipe, BolusError
from bolus.core.recipe import DEFAULT
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn import angiograms
from bolus.learn.experiments.bench import Bench, Finished, shown
from bolus.learn.ica import THRESHOLD, Segmenter
from bolus.learn.score import dice
from bolus.pipeline import angiogram
from bolus.vessels import carotid_input, largest_part

MAPS: Final = ("CBV", "CBF", "MTT", "Tmax")
SMALLEST: Final = 0.01
"""Values below this count as 0 before percentages are taken, and where the true map is then 0 none is."""
BINS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the Dice intervals."""
MARGIN: Final = 0.05
"""Means that differ by less than this part of the true one count as equivalent."""
FULL_SCALE: Final = 255.0
_THUMB: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One run with two masks.

    Parameters
    ----------
    name, dice
        Patient and view, and how well the network's mask fits.
    rmse
        Between the two arterial curves, on a scale on which the run's greatest contrast is 255.
    r
        Correlation of the two curves.
    means
        Mean of each map with the network's and with the true mask.
    absolute, percent
        Mean absolute and mean absolute percentage difference of the pixels of each map.
    gaps
        Absolute differences of each map over its 99th percentile, `(y, x)`, shrunk to at most 256 pixels.
    """

    name: str
    dice: float
    rmse: float
    r: float
    means: Mapping[str, tuple[float, float]]
    absolute: Mapping[str, float]
    percent: Mapping[str, float]
    gaps: Mapping[str, NDArray[np.float16]] = field(default_factory=dict)


def quantitative(bench: Bench) -> Finished:
    """Compare arterial curves and maps of the network's masks with those of the true masks (table 3)."""
    if bench.segment is None:
        raise BadRecipe("this experiment needs a network", wanted="--weights, --run or the shipped one")
    pairs: list[Pair] = []
    failed: list[dict[str, str]] = []
    for i, (name, series, truth) in enumerate(_runs(bench)):
        try:
            pairs.append(compare(name, series, truth, bench.segment))
        except BolusError as error:
            failed.append({"run": name, "reason": str(error)})
        bench.progress("quantitative", i + 1, len(bench.cases.entries))
    if len(pairs) < 3:
        raise BadInput(
            "too few runs to compare", wanted="3", found=str(len(pairs)), remedy="Give more cases."
        )
    tests = {name: _test(np.array([pair.means[name] for pair in pairs])) for name in MAPS}
    numbers = {
        "pairs": [_plain(pair) for pair in pairs],
        "tests": tests,
        "failed": failed,
        "by_dice": _by_dice(pairs),
    }
    return Finished(
        f"Maps of the network's mask against those of the true mask, {len(pairs)} runs",
        (
            "map",
            "network",
            "true",
            "difference",
            "95 %",
            "t",
            "p",
            f"p (TOST {100 * MARGIN:.0f} %)",
            "difference of pixels [%]",
        ),
        tuple(_row(name, tests[name], pairs) for name in MAPS),
        "63 sequences: CBV 0.337/0.342 (p 0.487), CBF 3.740/3.869 (0.259), MTT 0.110/0.110 (0.935), Tmax "
        "0.180/0.178 (0.437), in minutes by all appearances; under 10 % of change where Dice > 0.8.",
        numbers,
        {"by_dice": _scatter(pairs), "aif_rmse": _rmse(pairs), "differences": _images(pairs)},
    )


def compare(name: str, series: Series, truth: Mask, segment: Segmenter) -> Pair:
    """Make maps of a run with the network's and with the true mask.

    Raises
    ------
    BadInput
        If the network finds no artery, or the run cannot be used.
    """
    recipe = DEFAULT.settled(Modality.XA)
    run = angiogram.prepare_run(series, recipe)
    mask, _ = largest_part(segment(run.minip, run.field) >= THRESHOLD)
    if not mask.any():
        raise BadInput("the network found no artery")
    contrast = angiogram.shown(run, recipe)
    inputs = [carotid_input(run.contrast, which, "") for which in (mask, truth & run.field)]
    found, true = (angiogram.make_maps(contrast, one, recipe) for one in inputs)
    curves = [one.aif.values for one in inputs]
    scale = FULL_SCALE / float(run.minip.max())
    compared = {n: _differences(found[n].values, true[n].values) for n in MAPS}
    return Pair(
        name,
        dice(mask, truth),
        float(np.sqrt(np.mean((curves[0] - curves[1]) ** 2))) * scale,
        float(np.corrcoef(curves[0], curves[1])[0, 1]),
        {n: c[0] for n, c in compared.items()},
        {n: c[1] for n, c in compared.items()},
        {n: c[2] for n, c in compared.items()},
        {n: _gap(found[n].values, true[n].values) for n in MAPS},
    )


def _runs(bench: Bench) -> Iterator[tuple[str, Series, Mask]]:
    if bench.studies is not None:
        return _of_folder(bench.studies)
    return angiograms.simulated_again(bench.cases)


def _of_folder(folder: Path) -> Iterator[tuple[str, Series, Mask]]:
    for patient, name, series, mask in angiograms.runs_of(folder):
        yield f"{patient} {name}", series, mask


def _differences(found: Volume, true: Volume) -> tuple[tuple[float, float], float, float]:
    """Return the two means, the mean absolute and the mean absolute percentage difference."""
    both = np.isfinite(found) & np.isfinite(true)
    new, old = found[both].astype(np.float64), true[both].astype(np.float64)
    cut_new, cut_old = (np.where(np.abs(v) < SMALLEST, 0.0, v) for v in (new, old))
    some = cut_old != 0
    percent = 100.0 * np.abs(cut_new[some] - cut_old[some]) / np.abs(cut_old[some])
    means = (float(new.mean()), float(old.mean()))
    return means, float(np.abs(new - old).mean()), float(percent.mean()) if percent.size else float("nan")


def _test(means: Float64s) -> dict[str, float]:
    """Test whether paired means `(runs, 2)` differ, and whether they are equivalent (two one-sided tests).

    References
    ----------
    Schuirmann, J Pharmacokinet Biopharm 15:657-680 (1987), doi:10.1007/BF01068419
    """
    new, old = means.T
    difference = new - old
    n, mean = difference.size, float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf(0.975, n - 1)) * error
    margin = MARGIN * abs(float(old.mean()))
    if error == 0:
        return {"network": float(new.mean()), "true": float(old.mean()), "difference": mean, "low": mean,
                "high": mean, "t": 0.0, "p": 1.0, "p_tost": 0.0}  # fmt: skip
    t = mean / error
    tost = max(
        float(stats.t.sf((mean + margin) / error, n - 1)), float(stats.t.cdf((mean - margin) / error, n - 1))
    )
    return {
        "network": float(new.mean()),
        "true": float(old.mean()),
        "difference": mean,
        "low": mean - half,
        "high": mean + half,
        "t": t,
        "p": float(2 * stats.t.sf(abs(t), n - 1)),
        "p_tost": tost,
    }


def _row(name: str, test: Mapping[str, float], pairs: list[Pair]) -> tuple[str, ...]:
    digits = 4 if name in {"CBV", "CBF"} else 3
    unit = {"CBV": "", "CBF": " [1/s]"}.get(name, " [s]")
    percent = float(np.nanmean([pair.percent[name] for pair in pairs]))
    interval = f"{shown(test['low'], digits)} to {shown(test['high'], digits)}"
    cells = [shown(test[key], digits) for key in ("network", "true", "difference")]
    return (
        name + unit,
        *cells,
        interval,
        shown(test["t"], 2),
        shown(test["p"]),
        f"{test['p_tost']:.1e}",
        shown(percent, 1),
    )


def _plain(pair: Pair) -> dict[str, Any]:
    return {
        "run": pair.name,
        "dice": pair.dice,
        "aif_rmse_255": pair.rmse,
        "aif_r": pair.r,
        "means": {n: list(v) for n, v in pair.means.items()},
        "absolute": dict(pair.absolute),
        "percent": {n: v if np.isfinite(v) else None for n, v in pair.percent.items()},
    }


def _by_dice(pairs: list[Pair]) -> list[dict[str, Any]]:
    """Return the mean percentage difference of each map in each interval of Dice that holds runs."""
    rows = []
    for low, high in pairwise(BINS):
        inside = [p for p in pairs if low < p.dice <= high or (p.dice == low == 0)]
        if inside:
            means = {n: float(np.nanmean([p.percent[n] for p in inside])) for n in MAPS}
            rows.append({"dice": [low, high], "runs": len(inside), "percent": means})
    return rows


def _gap(found: Volume, true: Volume) -> NDArray[np.float16]:
    top = float(np.nanpercentile(true, 99)) if np.isfinite(true).any() else 1.0
    step = -(-max(true.shape) // _THUMB)
    gap = np.abs(found - true)[::step, ::step, 0].T / max(top, 1e-6)
    return np.asarray(gap, dtype=np.float16)


def _scatter(pairs: list[Pair]) -> Figure:
    """Draw differences against Dice: absolute for each run, and percentages by interval (figure 8)."""
    figure = Figure(figsize=(12.0, 5.4), layout="constrained")
    axes = figure.subplots(2, 4)
    bins = _by_dice(pairs)
    labels = [f"{row['dice'][0]:g}-{row['dice'][1]:g}\nn {row['runs']}" for row in bins]
    for column, name in enumerate(MAPS):
        upper, lower = axes[:, column]
        upper.plot([p.dice for p in pairs], [p.absolute[name] for p in pairs], "o", ms=4, color="#0072b2")
        upper.set(title=name, xlabel="Dice", ylabel="mean absolute difference" if column == 0 else "")
        lower.bar(range(len(bins)), [row["percent"][name] for row in bins], color="#56b4e9")
        lower.axhline(10.0, color="#6b7280", lw=1, ls="--")
        lower.set_xticks(range(len(bins)), labels, fontsize=8)
        lower.set(xlabel="Dice", ylabel="mean absolute difference [%]" if column == 0 else "")
    return figure


def _rmse(pairs: list[Pair]) -> Figure:
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([p.dice for p in pairs], [p.rmse for p in pairs], "o", ms=4, color="#0072b2")
    axes.set(xlabel="Dice", ylabel="RMSE of the arterial curves [of 255]")
    return figure


def _images(pairs: list[Pair]) -> Figure:
    """Draw the absolute differences of the maps with the best, the median and the worst mask (figure 11)."""
    ranked = sorted(pairs, key=lambda p: -p.dice)
    chosen = (ranked[0], ranked[len(ranked) // 2], ranked[-1])
    figure = Figure(figsize=(3.0 * len(MAPS) + 0.6, 3.1 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), len(MAPS))
    for row, pair in zip(axes, chosen, strict=True):
        for one, name in zip(row, MAPS, strict=True):
            image = one.imshow(100.0 * pair.gaps[name].astype(np.float32), cmap="magma", vmin=0, vmax=20)
            one.set_axis_off()
            one.set_title(f"|{name} difference|, Dice {pair.dice:.3f}", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6, label="% of the map's 99th percentile")
    return figure
