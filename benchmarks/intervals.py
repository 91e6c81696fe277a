"""Intervals of volumes: how often they hold the truth in simulated patients, for a grid of error models.

`python -m benchmarks.intervals [N]` simulates 2 N patients, N to choose the error model on and N to report it
on, and prints the coverage of 90 % intervals. Patients whose volumes are withheld do not count. A patient
takes about 10 s.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product

import numpy as np
from rich.console import Console

import bolus
from bolus import lesions, phantom
from bolus.core.result import Result
from bolus.lesions import ErrorModel

FIRST_SEED = 100
_SHARES, _TIMES_S = (0.01, 0.03, 0.1), (0.35, 0.5)
MODELS = tuple(ErrorModel(share, 0.04, time_s) for share, time_s in product(_SHARES, _TIMES_S))
VOLUMES = ("core", "hypoperfused", "mismatch")
_SIDES = ("mca-right", "mca-left")
_NOISE_HU = (4.0, 6.0, 8.0, 10.0)
_SNR = (30.0, 50.0, 80.0)


@dataclass(frozen=True)
class Case:
    """A simulated patient: what was found, and what is true [mL]."""

    arm: str
    result: Result
    truth: dict[str, float]

    def bounds(self, model: ErrorModel) -> dict[str, tuple[float, float]]:
        """Return the intervals that an error model gives [mL]."""
        found = self.result.lesions
        assert found is not None  # noqa: S101  a simulated patient has lesions
        rng = np.random.default_rng(0)
        made = lesions.volume_intervals(self.result.maps, self.result.brain, found, rng=rng, model=model)
        assert made is not None  # noqa: S101  and the default method has deviations
        return dict(made.volumes_ml)


def patient(number: int) -> tuple[str, phantom.Study]:
    """Simulate a patient: two thirds CT of 4 to 10 HU, one third MR; every tenth has a core alone."""
    seed, draw = FIRST_SEED + number, np.random.default_rng(number)
    lesion = "core-only-right" if number % 10 == 9 else _SIDES[number % 2]
    if number % 3 == 2:
        snr = _SNR[(number // 3) % 3]
        return "MR", phantom.mr(seed=seed, lesion=lesion, snr=snr, shape=(96, 96, 12), n_frames=45)
    noise, peak = _NOISE_HU[(number // 2) % 4], float(draw.uniform(200, 350))
    arm = "CT 4-6 HU" if noise <= 6 else "CT 8-10 HU"
    shape = (128, 128, 12)
    study = phantom.ct(seed=seed, lesion=lesion, noise_hu=noise, peak_hu=peak, shape=shape, n_frames=40)
    return arm, study


def case(number: int) -> Case:
    """Simulate a patient and run it as `bolus.run` does unasked, without motion correction."""
    arm, study = patient(number)
    truth = {name: float(v) for name, v in study.truth.volumes_ml.items()}
    truth["mismatch"] = truth["hypoperfused"] - truth["core"]
    return Case(arm, bolus.run(study.series, bolus.Recipe(motion="none")), truth)


def coverage(bounds: list[dict[str, tuple[float, float]]], cases: list[Case], name: str) -> float:
    """Return the part of the cases whose true volume lies within its interval."""
    inside = [b[name][0] <= c.truth[name] <= b[name][1] for b, c in zip(bounds, cases, strict=True)]
    return float(np.mean(inside))


def run(n: int = 20) -> list[dict[str, object]]:
    """Return rows: coverage of each model on the first patients, then of the model in use on the others."""
    chosen_on, reported_on = (
        [found for i in half if (found := case(i)).result.lesions] for half in (range(n), range(n, 2 * n))
    )
    rows: list[dict[str, object]] = []
    for model in MODELS:
        bounds = [c.bounds(model) for c in chosen_on]
        rows.append(
            _row(f"shared {100 * model.common:g} %, times {model.bias_time_s:g} s", chosen_on, bounds)
        )
    kept = [c.bounds(lesions.ErrorModel()) for c in reported_on]
    rows.append(_row("in use, held out: all", reported_on, kept))
    for arm in sorted({c.arm for c in reported_on}):
        of_arm = [i for i, c in enumerate(reported_on) if c.arm == arm]
        rows.append(
            _row(f"in use, held out: {arm}", [reported_on[i] for i in of_arm], [kept[i] for i in of_arm])
        )
    return rows


def _row(label: str, cases: list[Case], bounds: list[dict[str, tuple[float, float]]]) -> dict[str, object]:
    widths = {f"{n} width [mL]": float(np.mean([b[n][1] - b[n][0] for b in bounds])) for n in VOLUMES[:2]}
    return {"model": label, "n": len(cases), **{n: coverage(bounds, cases, n) for n in VOLUMES}, **widths}


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        Console().print({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()})
