"""What `--aif tissue` costs where there is an artery: the same simulated patients with either curve.

`python -m benchmarks.without_artery [N]` simulates N (6) patients, every third by MR, runs each by `net`,
`posterior` and `csvd` with the arterial curve that is searched for, with the one made of tissue, and with the
true one, and prints medians over the patients; correlations of maps are of ranks. Voxels next to vessels are
left out. A patient takes a quarter of a minute of processor time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from scipy import ndimage
from scipy.stats import spearmanr

from bolus import phantom, pipeline
from bolus.core.finding import Severity
from bolus.core.recipe import Recipe
from bolus.core.result import Result
from bolus.learn import MAPPERS
from bolus.learn.score import dice
from bolus.phantom.options import Physiology
from bolus.phantom.study import Study

FIRST_SEED = 900
SHAPE = (96, 96, 4)
NOISE_HU = (3.0, 4.5, 6.0)
LESIONS = ("mca-right", "mca-left", "blob-left", "aca-right", "mca-left", "pca-right")
RESIDUES = ("exponential", "gamma", "linear")
NEXT_TO = np.ones((3, 3, 1), dtype=bool)
METHODS = ("net", "posterior", "csvd")


def patient(number: int) -> Study:
    """Simulate a patient whose bolus, flow and volume are his own."""
    draw = np.random.default_rng(number)
    physiology = Physiology(
        aif_alpha=draw.uniform(2.0, 4.5),
        aif_beta_s=draw.uniform(1.2, 2.4),
        recirculation=draw.uniform(0.15, 0.4),
        flow=draw.uniform(0.75, 1.25),
        volume=draw.uniform(0.85, 1.2),
        dispersion_s=draw.uniform(0.0, 1.0),
        decoupling=0.1,
    )
    common = {
        "seed": FIRST_SEED + number,
        "lesion": LESIONS[number % len(LESIONS)],
        "residue": RESIDUES[number // 2 % 3],
        "shape": SHAPE,
        "physiology": physiology,
    }
    if number % 3 == 2:
        return phantom.mr(**common, snr=float(draw.uniform(30.0, 80.0)))
    return phantom.ct(**common, noise_hu=NOISE_HU[number // 2 % 3], n_frames=46, onset_s=10.0)


def judged(result: Result, study: Study) -> dict[str, float]:
    """Compare the arterial curve, the maps and the lesions with the truth."""
    truth, found = study.truth, result.lesions
    curves = (np.asarray(result.vessels.aif.values), np.asarray(truth.aif.values))
    vessels = truth.masks["artery"] | truth.masks["vein"]
    tissue = truth.masks["tissue"] & result.brain.tissue & ~ndimage.binary_dilation(vessels, NEXT_TO)
    quiet = tissue & ~truth.masks["hypoperfused"]
    scores = {"AIF r": float(np.corrcoef(*curves)[0, 1])}
    for name in ("CBF", "CBV"):
        made, true = result.maps[name].values, truth.maps[name].values
        both = np.isfinite(made) & np.isfinite(true) & tissue
        scores[f"{name} over truth"] = float(np.median(made[both & quiet] / true[both & quiet]))
        scores[f"{name} r"] = float(spearmanr(made[both], true[both]).statistic)
    late = result.maps["Tmax"].values - truth.maps["Tmax"].values
    scores["Tmax error s"] = float(np.nanmedian(late[quiet]))
    for name in ("hypoperfused", "core"):
        mask = None if found is None else getattr(found, name)
        scores[f"{name} Dice"] = float("nan") if mask is None else dice(mask, truth.masks[name])
    return scores


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    console = Console(width=200)
    rows: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    with TemporaryDirectory() as folder:
        true = Path(folder) / "true.csv"
        for number in range(n):
            study = patient(number)
            aif = study.truth.aif
            np.savetxt(true, np.column_stack([aif.times, aif.values]), delimiter=",")
            for method in METHODS:
                for name in ("auto", "tissue", str(true)):
                    recipe = Recipe(method=method, motion="none", aif=name, partial_volume=name == "auto")
                    result = pipeline.run(study.series, recipe, mappers=MAPPERS)
                    key = (result.modality.value, method, Path(name).stem)
                    rows.setdefault(key, []).append(judged(result, study))
                    shown = {what: round(v, 2) for what, v in rows[key][-1].items()}
                    fails = [f.code for f in result.findings if f.severity is Severity.FAIL]
                    nets = [f.code for f in result.findings if f.code.startswith("NET")]
                    console.print(number, *key, shown, fails, nets)
    for key, scores in sorted(rows.items()):
        names = scores[0]
        console.print(
            *key, {what: round(float(np.nanmedian([s[what] for s in scores])), 2) for what in names}
        )


if __name__ == "__main__":
    main()
