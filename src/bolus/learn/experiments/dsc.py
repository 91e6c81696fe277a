"""The DSC paper's evaluation: temp-pix2pix against pix2pix, and fine-tuning on a second site.

Kossen et al., Front Neurol 13:1051397 (2023), doi:10.3389/fneur.2022.1051397.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt

from bolus.core.arrays import Float32s
from bolus.core.errors import BadRecipe
from bolus.learn.cases import Case, CaseSet
from bolus.learn.evaluate import Row, evaluate
from bolus.learn.experiments.bench import Bench, Finished, trained
from bolus.learn.infer import Network
from bolus.learn.maps import DSC
from bolus.learn.score import Interval, over_patients

KINDS: Final = ("MAE", "NRMSE", "SSIM", "PSNR")
MAPS: Final = tuple(DSC.maps)
_SHOWN_WITHOUT_ARTERY: Final = 4
_ARTERY_PERCENTILE: Final = 95.0
_WINDOWS: Final = {"CBF": (0, 80), "CBV": (0, 6), "MTT": (0, 12), "Tmax": (0, 12), "TTP": (10, 40)}


def comparison(bench: Bench) -> Finished:
    """Train both networks, of one size and for as many epochs, and compare them on the test patients."""
    networks = {name: trained(bench, name, recipe, bench.split) for name, recipe in arms(bench).items()}
    tested = bench.cases.of(bench.split.test)
    rows = {
        name: evaluate(bench.task, one, tested, progress=bench.progress) for name, one in networks.items()
    }
    told = {name: _summary(found) for name, found in rows.items()}
    differences = _differences(rows)
    without = _without_arteries(bench, networks)
    best = _median_case(bench, rows["temp-pix2pix"])
    return Finished(
        f"temp-pix2pix and pix2pix on {len(tested.patients)} test patients: mean over patients (95 %)",
        ("map", "score", *networks, "difference"),
        tuple(_lines(told, differences)),
        "SSIM 0.92-0.99 and 0.86-0.98 of whole slices, Tmax 0.92 and 0.86, TTP 0.95 and 0.91; 41 patients.",
        {"arms": _plain(told), "differences": _plain(differences), "without_arteries": without["numbers"]},
        {"maps": _maps_figure(bench, networks, best), "without_arteries": without["figure"]},
    )


def fine_tuning(bench: Bench) -> Finished:
    """Train on on the second site's patients; compare with the network as it was and one begun anew."""
    if bench.begin_with is None:
        raise BadRecipe("fine-tuning needs a training", wanted="--run", remedy="Give that of the first site.")
    networks = {
        "as it was": _untouched(bench, bench.begin_with.parent),
        "fine-tuned": trained(bench, "fine-tuned", bench.recipe, bench.split, begin_with=bench.begin_with),
        "this site alone": trained(bench, "alone", bench.recipe, bench.split),
    }
    tested = bench.cases.of(bench.split.test)
    told = {name: _summary(evaluate(bench.task, one, tested)) for name, one in networks.items()}
    return Finished(
        f"Fine-tuning on {len(bench.split.train)} patients of another site, {len(tested.patients)} to test",
        ("map", "score", *networks),
        tuple(
            (name, kind, *(_cell(one.get(f"{name} {kind}")) for one in told.values()))
            for name in MAPS
            for kind in (*KINDS, "MAE in brain", "SSIM in brain")
        ),
        "after 50 epochs on 50 patients: SSIM 0.84-0.99, MTT 0.84 and 0.78 of temp-pix2pix and pix2pix.",
        {"arms": _plain(told)},
    )


def _untouched(bench: Bench, run: Path) -> Network:
    """Return the network of a training: not one step is made, which would move its normalisations too."""
    from bolus.learn.export import export
    from bolus.learn.infer import load

    path = bench.out / "trainings" / "as-it-was.onnx"
    export(bench.task, run, path)
    return load(path, task=bench.task.name)


def arms(bench: Bench) -> dict[str, Any]:
    """Return the recipes of both networks: that of the bench, and its partner of the same size.

    Raises
    ------
    BadRecipe
        If no preset is the partner.
    """
    own = bench.recipe
    if own.network != "temp_pix2pix":
        raise BadRecipe("the comparison starts from temp-pix2pix", wanted="temp_pix2pix", found=own.network)
    for name, preset in bench.task.presets.items():
        if preset.options == own.options:
            for partner in (f"{name}-pix2pix-matched", f"{name}-pix2pix"):
                if partner in bench.task.presets:
                    other = bench.task.presets[partner]
                    changed = replace(own, network=other.network, options=other.options)
                    return {"temp-pix2pix": own, "pix2pix": changed}
    raise BadRecipe("no network of the same size is known", found=str(dict(own.options)))


def without_arteries(case: Case) -> Case:
    """Return a case whose arteries show the curves of the tissue beside them: no input can be chosen in it.

    Arteries are the pixels of the brain whose signal falls furthest below what it was before contrast.
    """
    brain = case.extra["brain"] > 0
    before = case.image[3:6].mean(axis=0)
    fall = 1.0 - case.image[3:].min(axis=0) / np.maximum(before, 1.0)
    vessels = brain & (fall > np.percentile(fall[brain], _ARTERY_PERCENTILE))
    y, x = distance_transform_edt(vessels | ~brain, return_distances=False, return_indices=True)
    image = np.where(vessels, case.image[:, y, x], case.image)
    return replace(case, image=image.astype(np.float32))


def _without_arteries(bench: Bench, networks: Mapping[str, Network]) -> dict[str, Any]:
    """Ask for Tmax where no arterial curve can be had: the paper's figure 7B, with a truth beside it."""
    cases = CaseSet(bench.cases.of(bench.split.test), lambda _case: {}, cache_mb=0)
    errors: dict[str, dict[str, list[float]]] = {name: {"with": [], "without": []} for name in networks}
    whose, shown = [], []
    n = len(cases.manifest.entries)
    for i in range(0, n, max(n // 40, 1)):
        case = cases.case(i)
        bare = without_arteries(case)
        whose.append(case.patient)
        answers = {name: bench.task.answer(network, bare)[3] for name, network in networks.items()}
        for name, network in networks.items():
            whole = bench.task.answer(network, case)[3]
            errors[name]["without"].append(_error(answers[name], case))
            errors[name]["with"].append(_error(whole, case))
        shown.append((float((case.target[3] > 6).mean()), case, answers))
    numbers = {
        name: {how: _interval(over_patients(values, whose)) for how, values in both.items()}
        for name, both in errors.items()
    }
    shown.sort(key=lambda one: -one[0])
    return {"numbers": numbers, "figure": _bare_figure(shown[:_SHOWN_WITHOUT_ARTERY])}


def _error(found: Float32s, case: Case) -> float:
    brain = case.extra["brain"] > 0
    return float(np.abs(found - case.target[3])[brain].mean())


def _summary(rows: Sequence[Row]) -> dict[str, Interval]:
    whose = [row.patient for row in rows]
    told = {}
    for name in rows[0].scores:
        if (one := over_patients([row.scores[name] for row in rows], whose)) is not None:
            told[name] = one
    return told


def _differences(rows: Mapping[str, Sequence[Row]]) -> dict[str, Interval]:
    """Return what temp-pix2pix is more than pix2pix, case by case: both were asked about the same ones."""
    one, other = rows["temp-pix2pix"], rows["pix2pix"]
    whose = [row.patient for row in one]
    told = {}
    for name in one[0].scores:
        gaps = [a.scores[name] - b.scores[name] for a, b in zip(one, other, strict=True)]
        if (found := over_patients(gaps, whose)) is not None:
            told[name] = found
    return told


def _lines(
    told: Mapping[str, Mapping[str, Interval]], differences: Mapping[str, Interval]
) -> list[tuple[str, ...]]:
    kinds = [*KINDS, *(f"{kind} in brain" for kind in KINDS)]
    return [
        (name, kind, *(_cell(one.get(f"{name} {kind}")) for one in (*told.values(), differences)))
        for name in MAPS
        for kind in kinds
    ]


def _cell(one: Interval | None) -> str:
    return f"{one.mean:.3f} ({one.low:.3f}-{one.high:.3f})" if one else "n/a"


def _interval(one: Interval | None) -> dict[str, float] | None:
    return asdict(one) if one else None


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    return {n: asdict(one) if isinstance(one, Interval) else _plain(one) for n, one in told.items()}


def _median_case(bench: Bench, rows: Sequence[Row]) -> Case:
    """Return a case that is answered as well as most, among those with a lesion if there are any."""
    cases = CaseSet(bench.cases.of(bench.split.test), lambda _case: {}, cache_mb=0)
    order = sorted(range(len(rows)), key=lambda i: rows[i].scores["Tmax MAE in brain"])
    found = [cases.case(i) for i in order[len(order) // 3 : -len(order) // 4 or None]] or [
        cases.case(order[0])
    ]
    sick = [case for case in found if float((case.extra["lesion"] > 0).mean()) > 0.03]
    return (sick or found)[len(sick or found) // 2]


def _maps_figure(bench: Bench, networks: Mapping[str, Network], case: Case) -> Figure:
    """Draw reference, both networks, and how far each is off, a row a map."""
    answers = {name: bench.task.answer(network, case) for name, network in networks.items()}
    figure = Figure(figsize=(11.0, 11.0), layout="constrained")
    panels = figure.subplots(len(MAPS), 1 + 2 * len(networks), squeeze=False)
    for row, name in enumerate(MAPS):
        truth, (low, high) = case.target[row], _WINDOWS[name]
        unit = {"CBF": "mL/100 g/min", "CBV": "mL/100 g"}.get(name, "s")
        images = [("reference", truth)] + [(arm, maps[row]) for arm, maps in answers.items()]
        for axes, (title, image) in zip(panels[row], images, strict=False):
            drawn = axes.imshow(image, cmap="turbo", vmin=low, vmax=high)
            axes.set_title(f"{name}, {title}" if row else f"{title}\n{name}", fontsize=8)
        figure.colorbar(drawn, ax=panels[row, len(images) - 1], label=unit, shrink=0.8)
        reach = 0.4 * (high - low)
        for axes, (arm, maps) in zip(panels[row, len(images) :], answers.items(), strict=True):
            drawn = axes.imshow(maps[row] - truth, cmap="RdBu_r", vmin=-reach, vmax=reach)
            axes.set_title(f"{arm} less reference", fontsize=8)
        figure.colorbar(drawn, ax=panels[row, -1], label=unit, shrink=0.8)
    _bare(panels)
    return figure


def _bare_figure(shown: Sequence[tuple[float, Case, Mapping[str, Float32s]]]) -> Figure:
    names = list(shown[0][2])
    figure = Figure(figsize=(2.6 * len(shown) + 1, 2.6 * (len(names) + 1)), layout="constrained")
    panels = figure.subplots(1 + len(names), len(shown), squeeze=False)
    for column, (_, case, answers) in enumerate(shown):
        for axes, title, image in zip(
            panels[:, column],
            ("true Tmax", *(f"{name}, no artery shown" for name in names)),
            (case.target[3], *(answers[name] for name in names)),
            strict=True,
        ):
            drawn = axes.imshow(image, cmap="turbo", vmin=0, vmax=12)
            axes.set_title(title, fontsize=8)
    figure.colorbar(drawn, ax=panels, label="Tmax [s]", shrink=0.6)
    _bare(panels)
    return figure


def _bare(panels: Any) -> None:
    for axes in np.ravel(panels):
        axes.set_xticks([])
        axes.set_yticks([])
