"""What the arterial curve of a whole run does to the times of `--method net`, which its card holds.

`python -m benchmarks.net_whole WEIGHTS -o FILE [-n PATIENTS]` runs the network on simulated patients of site
A and on decoupled ones (PATIENTS of each, 8), CT and MR, whom neither a training nor
`benchmarks.head_to_head` has seen, with the arterial curve that the run finds; and writes to FILE, for `bolus
learn export net --scores whole=FILE`, for each modality the `floor` [s] of each map of times: what must be
added in quadrature to its deviations so that intervals hold what they should. An arterial curve that is late
or too wide moves all voxels alike, which no patch with its true curve can teach; of MR it shares its voxels
with tissue. CBF and CBV have none: what a diluted artery does to their scale is in no deviation. Deviations
that hold more than they should stay: these patients are easier than others may be.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.head_to_head.exams import CT_SETTINGS, MR_SETTINGS, Exam
from benchmarks.head_to_head.judging import HELD, judged_tissue
from bolus import pipeline
from bolus.core.errors import BolusError
from bolus.core.recipe import Recipe
from bolus.learn import files, net
from bolus.pipeline import Mapper

FIRST = 100
"""Number of the first patient; `benchmarks.head_to_head` begins with 0."""
SITES = ("A", "decoupled")
MAPS = ("MTT", "Tmax", "delay", "TTP")
PER_SCAN = 2000
FLOORS_S = np.arange(0.0, 3.0, 0.02)

Errors = NDArray[np.float64]


def exams(n: int) -> Iterator[Exam]:
    """Yield a scan of each patient and modality; the settings take turns."""
    for number in range(FIRST, FIRST + n):
        for modality, settings in (("CT", CT_SETTINGS), ("MR", MR_SETTINGS)):
            for site in SITES:
                yield Exam(modality, site, number, settings[number % len(settings)])


def errors_of(exam: Exam, network: net.Deconvolver) -> dict[str, Errors]:
    """Return errors and deviations of each map in tissue, `(2, voxels)`, where the network made them."""
    study, series, truth = exam.scan()
    recipe = Recipe(method="net", motion="none", ttp_origin="scan")
    try:
        result = pipeline.run(series, recipe, mappers={"net": Mapper(network)})
    except BolusError:  # no artery and no bolus in tissue, as every method says of it
        return {}
    if any(finding.code == "NET_FALLBACK" for finding in result.findings):
        return {}
    found: dict[str, Errors] = {}
    for name in (name for name in MAPS if name in truth and name in result.maps):
        shown, true = result.maps[name], truth[name].astype(np.float64)
        known = judged_tissue(study) & np.isfinite(shown.values) & np.isfinite(true)
        if shown.sd is None or not known.any():
            continue
        both = np.stack([shown.values[known] - true[known], shown.sd[known]]).astype(np.float64)
        found[name] = both[:, :: max(both.shape[1] // PER_SCAN, 1)]
    return found


def fitted(parts: list[Errors]) -> dict[str, float]:
    """Return the floor with which 68 and 90 % intervals hold most nearly that, and what they hold."""
    off, sd = np.concatenate(parts, axis=1)

    def held(floor: float) -> dict[str, float]:
        wide = np.hypot(sd, floor)
        return {k: float(np.mean(np.abs(off) <= z * wide)) for k, z in HELD.items()}

    def missed(floor: float) -> float:
        return sum((part - int(k) / 100.0) ** 2 for k, part in held(floor).items())

    best = float(min(FLOORS_S, key=missed))
    without = {f"held {k} without": part for k, part in held(0.0).items()}
    return {"floor": best, **{f"held {k}": part for k, part in held(best).items()}, **without}


def told(found: list[dict[str, Errors]]) -> dict[str, Any]:
    """Return what the scans of a modality say of each map, and how many there are."""
    known = [errors for errors in found if errors]
    names = [name for name in MAPS if any(name in errors for errors in known)]
    maps = {name: fitted([errors[name] for errors in known if name in errors]) for name in names}
    return {"scans": len(known), "left out": len(found) - len(known), "maps": maps}


def main() -> None:
    """Measure, print and write."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.net_whole", description=__doc__)
    asked.add_argument("weights", type=Path)
    asked.add_argument("-n", "--patients", type=int, default=8, help="of each site")
    asked.add_argument("-o", "--out", type=Path, required=True)
    chosen = asked.parse_args()
    network = net.deconvolver(chosen.weights).without_floor()
    found: dict[str, list[dict[str, Errors]]] = {}
    for exam in exams(chosen.patients):
        found.setdefault(exam.modality, []).append(errors_of(exam, network))
    whole = {modality: told(errors) for modality, errors in found.items()}
    Console(width=200).print(whole)
    files.write_json(chosen.out, whole)


if __name__ == "__main__":
    main()
