"""The CTP paper's evaluation: three-fold cross-validation, lesions on both kinds of map, and dose reduction.

Gava et al., Front Neuroinform 17:852105 (2023), doi:10.3389/fninf.2023.852105. Dose reduction is ours: the
paper proposes it as future work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Mask
from bolus.core.errors import BadInput, BadRecipe
from bolus.learn import agreement
from bolus.learn.cases import Case, CaseSet, Manifest
from bolus.learn.evaluate import evaluate
from bolus.learn.experiments.bench import Bench, Finished, shown, trained
from bolus.learn.image_scores import mse
from bolus.learn.infer import Network
from bolus.learn.maps import CTP, chosen
from bolus.learn.raters import RATERS, outlines
from bolus.learn.score import dice, over_patients
from bolus.learn.splits import Split, folds, split_patients
from bolus.phantom.field import image_noise

FOLDS: Final = 3
CHOOSING: Final = 0.1
"""Part of the patients that are trained with which chooses when to stop."""
DOSES: Final = ((1, 1.0), (2, 1.0), (3, 1.0), (1, 2.0), (1, 3.0), (1, 4.0), (3, 2.0))
"""Every how many-th frame is kept, and how many times the noise."""
_GRAIN_PX: Final = 1.5
_KINDS: Final = ("core", "hypoperfused")


def cross_validation(bench: Bench) -> Finished:
    """Train on two thirds of the patients, three times over, and tell MSE of both parts (table 1).

    Some of the two thirds choose when to stop: the third that is told of chooses nothing.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for i, fold in enumerate(folds(bench.cases.patients, FOLDS, seed=bench.recipe.seed)):
        split = _choosing(fold)
        network = trained(bench, f"fold-{i}", bench.recipe, split)
        both = [_mse(bench, network, part) for part in (split.train, split.test)]
        for name in chosen(CTP, bench.recipe.fitting.get("maps", ())):
            found.setdefault(name, []).append((both[0][name], both[1][name]))
        bench.progress("cross-validation", i + 1, FOLDS)
    rows = []
    for name, pairs in found.items():
        cells = [f"{train:.4f}/{validation:.4f}" for train, validation in pairs]
        middle = [f"{np.mean(side):.4f} (SD {np.std(side, ddof=1):.4f})" for side in zip(*pairs, strict=True)]
        rows.append((name, *cells, *middle))
    return Finished(
        "Three-fold cross-validation by patient: MSE of maps from 0 to 1, training/validation",
        ("map", *(f"fold {i + 1}" for i in range(FOLDS)), "training", "validation"),
        tuple(rows),
        "CBV 0.010 (0.001) / 0.011 (0.003), CBF 0.012 (0.001) / 0.013 (0.002), TTP 0.017 (0.002) / 0.035 "
        "(0.010), of 100 patients at 512 pixels, one network a map.",
        {"mse": {name: [list(pair) for pair in pairs] for name, pairs in found.items()}},
    )


def lesions(bench: Bench) -> Finished:
    """Let two thresholding raters outline lesions on the network's and on the reference maps (table 2)."""
    network = _network(bench)
    _require_comparable(bench, network)
    outlined: list[dict[str, dict[str, Mask]]] = []
    volumes: list[dict[str, dict[str, float]]] = []
    for done, (cases, n) in enumerate(_patients(bench.cases), 1):
        masks = _outlined(bench, network, cases)
        ml = float(cases[0].meta.get("voxel_ml", 1.0))
        outlined.append(masks)
        volumes.append({k: {who: ml * float(m.sum()) for who, m in one.items()} for k, one in masks.items()})
        bench.progress("lesions", done, n)
    rows, numbers = [], {}
    for kind in _KINDS:
        told = _agreement([one[kind] for one in outlined], [one[kind] for one in volumes])
        numbers[kind] = told
        rows += [(kind, *line) for line in _lines(told)]
        rows.append((kind, "all four", *_together(told)))
    return Finished(
        f"Lesions by two thresholding raters (no radiologists) on network and reference maps, "
        f"{len(outlined)} patients",
        ("lesion", "pair", "Dice (SD)", "r", "bias [mL]", "CR [mL]", "mean absolute difference [mL]"),
        tuple(rows),
        "two radiologists a kind of map, 15 patients: Dice 0.79-0.86 (CBV) and 0.82-0.87 (CBF/TTP), r "
        "0.98-0.99, CR 17.7-20.9 mL, ICC 0.98 and 0.99, Friedman without difference, mean absolute "
        "difference 1.20 and 2.27 mL of core, 9.37 and 8.52 mL of hypoperfused tissue.",
        {"lesions": numbers, "volumes_ml": volumes},
    )


def dose(bench: Bench) -> Finished:
    """Leave out frames and add noise, without training again: MSE in the brain, and Dice of late tissue."""
    network = _network(bench)
    rows, numbers = [], []
    for done, (step, factor) in enumerate(DOSES, 1):
        scores: dict[str, list[float]] = {}
        whose: list[str] = []
        for i, case in enumerate(_cases(bench.cases)):
            dosed = with_dose(case, step, factor, np.random.default_rng([7, i]))
            found = bench.task.answer(network, dosed)
            whose.append(case.patient)
            for name, value in _dose_scores(found, case).items():
                scores.setdefault(name, []).append(value)
        told = {name: over_patients(values, whose) for name, values in scores.items()}
        numbers.append({"every": step, "noise": factor} | {n: asdict(t) for n, t in told.items() if t})
        cells = [f"{t.mean:.4f} ({t.low:.4f}-{t.high:.4f})" if t else "n/a" for t in told.values()]
        rows.append((f"1/{step}", f"{factor:g}", *cells))
        bench.progress("dose", done, len(DOSES))
    return Finished(
        "Dose: fewer frames and more noise, no training on them; mean over patients (95 %)",
        ("frames", "noise", *(f"{name} MSE in brain" for name in CTP.maps), "Dice, TTP > 6 s"),
        tuple(rows),
        "nothing: the paper names lower dose as a hope.",
        {"doses": numbers},
    )


def with_dose(case: Case, step: int, factor: float, rng: np.random.Generator) -> Case:
    """Return a case with every `step`-th frame, and noise added so that there is `factor` times as much.

    The noise of the case is what its simulation says, else what frames before contrast differ by.
    """
    image, times = case.image[::step], case.extra["times"][::step]
    if factor > 1:
        sd = np.sqrt(factor**2 - 1.0) * noise_of(case)
        grain = float(case.meta.get("noise_fwhm_px", _GRAIN_PX))
        _, y, x = image.shape
        drawn = [image_noise(rng, (y, x, 1), sd, grain)[:, :, 0] for _ in image]
        image = image + np.stack(drawn)
    return replace(case, image=image.astype(np.float32), extra={**case.extra, "times": times})


def noise_of(case: Case) -> float:
    """Return the standard deviation of a sample in the brain before contrast [unit of the frames]."""
    if "noise_hu" in case.meta:
        return float(case.meta["noise_hu"])
    gaps = np.diff(case.image[:4], axis=0)[:, case.extra["brain"] > 0]
    return float(1.4826 * np.median(np.abs(gaps)) / np.sqrt(2.0))


def _dose_scores(found: Float32s, case: Case) -> dict[str, float]:
    brain = case.extra["brain"] > 0
    errors = {
        name: mse(CTP.scaled(name, one), CTP.scaled(name, truth), brain)
        for name, one, truth in zip(CTP.maps, found, case.target, strict=True)
    }
    late = [(maps[2] > 6.0) & brain for maps in (found, case.target)]
    return errors | {"Dice": dice(late[0], late[1]) if late[1].any() else float("nan")}


def _choosing(fold: Split) -> Split:
    """Return a fold whose test is a third, and whose other patients train but for a few that choose."""
    inner = split_patients((*fold.train, *fold.validation), (1.0 - CHOOSING, CHOOSING, 0.0), seed=fold.seed)
    return replace(inner, test=fold.test)


def _mse(bench: Bench, network: Network, patients: Sequence[str]) -> dict[str, float]:
    """Return the mean over patients of each map's error."""
    rows = evaluate(bench.task, network, bench.cases.of(patients))
    whose = [row.patient for row in rows]
    means = {}
    for name in CTP.maps:
        told = over_patients([row.scores.get(f"{name} MSE", float("nan")) for row in rows], whose)
        means[name] = told.mean if told else float("nan")
    return means


def _network(bench: Bench) -> Network:
    if bench.network is None:
        raise BadRecipe("this experiment needs a network", wanted="--weights, --run or the shipped one")
    return bench.network


def _require_comparable(bench: Bench, network: Network) -> None:
    """Refuse what raters cannot be compared on: a single patient, or less than all maps."""
    n = len(bench.cases.patients)
    if n < 2:
        raise BadInput(
            "agreement needs patients", wanted="2 or more to test", found=str(n), where=bench.cases.folder
        )
    answered = chosen(CTP, network.card.recipe.get("fitting", {}).get("maps", ()))
    if set(answered) != set(CTP.maps):
        raise BadRecipe(
            "raters need all maps of one network", wanted=", ".join(CTP.maps), found=", ".join(answered)
        )


def _cases(manifest: Manifest) -> Iterator[Case]:
    cases = CaseSet(manifest, lambda _case: {}, cache_mb=0)
    return (cases.case(i) for i in range(len(manifest.entries)))


def _patients(manifest: Manifest) -> Iterator[tuple[list[Case], int]]:
    """Yield the slices of each patient, and how many patients there are."""
    for patient in manifest.patients:
        yield list(_cases(manifest.of((patient,)))), len(manifest.patients)


def _outlined(bench: Bench, network: Network, cases: list[Case]) -> dict[str, dict[str, Mask]]:
    """Return what each rater outlines of each kind on each map: by kind, then by rater and map."""
    brain = np.stack([case.extra["brain"] > 0 for case in cases])
    made = np.stack([bench.task.answer(network, case) for case in cases], axis=1)
    true = np.stack([case.target for case in cases], axis=1).astype(np.float32)
    found: dict[str, dict[str, Mask]] = {kind: {} for kind in _KINDS}
    for where, maps in (("network", made), ("reference", true)):
        for i, rate in enumerate(RATERS.values(), 1):
            for kind, mask in zip(_KINDS, outlines(maps, brain, rate), strict=True):
                found[kind][f"T{i} {where}"] = mask
    return found


def _agreement(masks: list[dict[str, Mask]], volumes: list[dict[str, float]]) -> dict[str, Any]:
    """Return the agreement of each pair, and of all; patients without any lesion do not count for Dice."""
    table = np.array([list(one.values()) for one in volumes])
    pairs = {}
    for (i, a), (j, b) in combinations(enumerate(masks[0]), 2):
        some = [one for one in masks if one[a].any() or one[b].any()]
        pairs[f"{a} / {b}"] = {
            "dice": [dice(one[a], one[b]) for one in some],
            "pearson": agreement.pearson(table[:, i], table[:, j])[0],
            "p": agreement.pearson(table[:, i], table[:, j])[1],
            "bland_altman": asdict(agreement.bland_altman(table[:, i], table[:, j])),
            "absolute_ml": [float(v) for v in np.abs(table[:, i] - table[:, j])],
        }
    return {
        "pairs": _plain(pairs),
        "icc1k": _plain(asdict(agreement.icc1k(table))),
        "friedman_p": _number(agreement.friedman_p(table)),
    }


def _lines(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, one in told["pairs"].items():
        limits, gaps = one["bland_altman"], one["absolute_ml"]
        yield (
            name,
            _with_sd(one["dice"], 2),
            _shown(one["pearson"], 3),
            _shown(limits["bias"], 1),
            _shown(limits["repeatability"], 1),
            _with_sd(gaps, 1),
        )


def _together(told: Mapping[str, Any]) -> tuple[str, ...]:
    icc = told["icc1k"]
    text = f"ICC(1,k) {_shown(icc['icc'], 3)} ({_shown(icc['low'], 3)}-{_shown(icc['high'], 3)})"
    return text, f"Friedman p {_shown(told['friedman_p'], 3)}", "", "", ""


def _with_sd(values: Sequence[float], digits: int) -> str:
    if len(values) < 2:
        return "n/a"
    return f"{np.mean(values):.{digits}f} (SD {np.std(values, ddof=1):.{digits}f})"


def _shown(value: float | None, digits: int) -> str:
    return "n/a" if value is None else shown(value, digits)


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return numbers that JSON can hold: NaN becomes null."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _number(value) if isinstance(value, float) else value
