"""`--method net` against `posterior` on simulated CT patients, from the series to the volumes of lesions.

`python -m benchmarks.net_patients [N] [WEIGHTS]` simulates N (6) patients, runs each by both methods, with
all frames and with every second, and prints Dice coefficients of core and hypoperfused tissue with the truth,
and the mean error of their volumes. A patient takes about half a minute of processor time.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from rich.console import Console

from bolus import phantom, pipeline
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.core.series import Series
from bolus.learn import MAPPERS, net
from bolus.learn.score import dice
from bolus.pipeline import Mapper

FIRST_SEED = 500
NOISE_HU = (3.0, 4.5, 6.0)
SHAPE = (128, 128, 8)
METHODS = ("net", "posterior")


def patient(number: int) -> phantom.Study:
    """Simulate a patient."""
    draw = np.random.default_rng(number)
    return phantom.ct(
        seed=FIRST_SEED + number,
        lesion=("mca-right", "mca-left")[number % 2],
        noise_hu=NOISE_HU[number % 3],
        peak_hu=float(draw.uniform(200, 350)),
        shape=SHAPE,
        n_frames=46,
        onset_s=14.0,  # so that half of the frames hold a baseline
    )


def thinned(series: Series, step: int) -> Series:
    """Return a series of every `step`-th frame."""
    return replace(series, frames=series.frames[..., ::step], times=series.times[..., ::step])


def judged(result: Result, study: phantom.Study) -> dict[str, float]:
    """Return Dice coefficients and errors of volumes [mL]; NaN where volumes are withheld."""
    found = result.lesions
    scores = {}
    for name in ("core", "hypoperfused"):
        truth = study.truth.masks[name]
        mask = np.zeros_like(truth) if found is None else getattr(found, name)
        scores[f"{name} Dice"] = dice(mask, truth) if found is not None else float("nan")
        volume = float("nan") if found is None else found.volumes_ml[name] - study.truth.volumes_ml[name]
        scores[f"{name} mL"] = volume
    return scores


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    network = net.deconvolver(sys.argv[2]) if len(sys.argv) > 2 else net.shipped()
    mappers = {**MAPPERS, "net": Mapper(network)}
    console = Console(width=200)
    rows: dict[tuple[str, int], list[dict[str, float]]] = {}
    for number in range(n):
        study = patient(number)
        for step in (1, 2):
            series = thinned(study.series, step)
            for method in METHODS:
                result = pipeline.run(series, Recipe(method=method, motion="none"), mappers=mappers)
                rows.setdefault((method, step), []).append(judged(result, study))
                noticed = [f.code for f in result.findings if f.code.startswith("NET")]
                shown = {name: round(v, 2) for name, v in rows[method, step][-1].items()}
                console.print(
                    number, method, f"1/{step}", shown, noticed, round(result.timings_s["deconvolve"], 1)
                )
    for (method, step), scores in rows.items():
        means = {name: float(np.nanmean([one[name] for one in scores])) for name in scores[0]}
        console.print(method, f"1/{step} of the frames:", ", ".join(f"{k} {v:.3f}" for k, v in means.items()))


if __name__ == "__main__":
    main()
