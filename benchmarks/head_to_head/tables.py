"""Judged runs as Markdown: means over patients with 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.head_to_head.exams import CT_SETTINGS, GRID, MR_SETTINGS, SITES, USUAL
from benchmarks.head_to_head.judging import MAPS
from bolus.learn.score import over_patients

Run = dict[str, Any]
"""A method on an exam: `modality`, `site`, `patient`, `setting`, and what `judging.judge` says."""
SETTINGS = {"CT": [s.name for s in CT_SETTINGS], "MR": [s.name for s in MR_SETTINGS]}
MEASURES = {
    "CBF error": "CBF, error after scaling [mL/100 g/min]",
    "CBV error": "CBV, error after scaling [mL/100 g]",
    "MTT error": "MTT, error [s]",
    "Tmax error": "Tmax, error [s]",
    "TTP error": "TTP, error [s]",
    "CBF scale": "CBF, median found over true",
    "CBF r": "CBF, correlation with the truth in healthy tissue",
    "core Dice": "Core, Dice",
    "core off": "Core, absolute error of the volume [mL]",
    "hypoperfused Dice": "Tmax > 6 s, Dice",
    "hypoperfused off": "Tmax > 6 s, absolute error of the volume [mL]",
    "maps held 68": "True values within 68 % intervals, mean over maps",
    "maps held 90": "True values within 90 % intervals, mean over maps",
}
PAIRED = (
    "CBF error", "CBV error", "MTT error", "Tmax error", "TTP error", "core Dice", "core off",
    "hypoperfused Dice", "hypoperfused off",
)  # fmt: skip
REFERENCE = "posterior"


def document(runs: Sequence[Run]) -> str:
    """Lay all tables out."""
    parts = []
    for modality in ("CT", "MR"):
        here = [run for run in runs if run["modality"] == modality and run["site"] != GRID]
        if here:
            n = {site: len({r["patient"] for r in here if r["site"] == site}) for site in SITES}
            parts.append(f"## {modality}: " + ", ".join(f"{k} of {site}" for site, k in n.items()))
            parts += [paired(here), account(here), calibration(here)]
            parts += [table(title, by_setting(here, key, modality)) for key, title in MEASURES.items()]
    grid = [run for run in runs if run["site"] == GRID]
    if grid:
        parts.append("## The grid of Kudo")
        parts += [
            table(title, by_setting(grid, key, "CT", sites=()))
            for key, title in MEASURES.items()
            if key in ON_GRID
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


ON_GRID = (
    "CBF error",
    "CBV error",
    "MTT error",
    "Tmax error",
    "CBF scale",
    "CBF r",
    "maps held 68",
    "maps held 90",
)


def methods_of(runs: Sequence[Run]) -> list[str]:
    """Return the methods in the order that they were run in."""
    return list(dict.fromkeys(run["method"] for run in runs))


def cell(runs: Iterable[Run], key: str) -> str:
    """Return mean and interval of a score over patients."""
    scored = [(run["scores"][key], run["patient"]) for run in runs if run["scores"].get(key) is not None]
    return shown([v for v, _ in scored], [p for _, p in scored])


def shown(values: Sequence[float], patients: Sequence[str]) -> str:
    """Return a mean and its interval in words."""
    found = over_patients(values, patients)
    if found is None:
        return ""
    if found.n_patients == 1:
        return short(found.mean)
    return f"{short(found.mean)} ({short(found.low)} to {short(found.high)})"


def short(value: float) -> str:
    """Return a number in two or three digits."""
    digits = 0 if abs(value) >= 20 else 1 if abs(value) >= 5 else 2
    return f"{value:.{digits}f}"


def by_setting(
    runs: Sequence[Run], key: str, modality: str, sites: Sequence[str] = SITES
) -> list[dict[str, str]]:
    """Return a row a method: all patients by setting, then the usual setting by site."""
    parts = {setting: [r for r in runs if r["setting"] == setting] for setting in SETTINGS[modality]}
    usual = USUAL[modality]
    parts |= {f"{site}, {usual}": [r for r in parts[usual] if r["site"] == site] for site in sites}
    rows = []
    for method in methods_of(runs):
        row = {"method": f"`{method}`"}
        for name, part in parts.items():
            n = len({run["patient"] for run in part})
            row[f"{name} (n = {n})"] = cell([r for r in part if r["method"] == method], key)
        rows.append(row)
    return [row for row in rows if any(list(row.values())[1:])]


def paired(runs: Sequence[Run]) -> str:
    """Return by how much each method differs from `posterior` on the same scans, all settings together."""
    usual = {(r["patient"], r["setting"]): r["scores"] for r in runs if r["method"] == REFERENCE}
    rows = []
    for method in methods_of(runs):
        row = {"method": f"`{method}`"}
        for key in PAIRED:
            values, patients = [], []
            for run in (r for r in runs if r["method"] == method):
                mine = run["scores"].get(key)
                other = usual.get((run["patient"], run["setting"]), {}).get(key)
                if mine is not None and other is not None:
                    values.append(mine - other)
                    patients.append(run["patient"])
            row[key] = shown(values, patients)
        if method != REFERENCE:
            rows.append(row)
    return table(f"Difference from `{REFERENCE}` on the same scans, all settings", rows)


def account(runs: Sequence[Run]) -> str:
    """Return what happened to each method's runs, and its seconds (the median, as the first compiles)."""
    rows = []
    for method in methods_of(runs):
        mine = [run for run in runs if run["method"] == method]
        made = [run for run in mine if not run["refused"]]
        seconds = [run["scores"]["seconds"] for run in made]
        empty = [v for r in made for name in MAPS if (v := r["scores"].get(f"{name} missing")) is not None]
        row = {"method": f"`{method}`", "scans": str(len(mine)), "refused": str(len(mine) - len(made))}
        row["lesions withheld"] = str(sum(run["withheld"] for run in made))
        for code in ("NET_FALLBACK", "NET_MISFIT", "NETWORK_RANGE", "METHOD_DISAGREE"):
            row[f"`{code}`"] = str(sum(code in run["findings"] for run in made))
        row["voxels without a number"] = f"{100 * float(np.mean(empty)):.1f} %" if empty else ""
        row["processor seconds of maps"] = f"{float(np.median(seconds)):.2f}" if seconds else ""
        rows.append(row)
    return table("What became of the runs", rows)


def calibration(runs: Sequence[Run]) -> str:
    """Return what part of true values lie within intervals, by map and lesion, all settings together."""
    rows = []
    for method in methods_of(runs):
        mine = [run for run in runs if run["method"] == method]
        row = {"method": f"`{method}`"}
        for level in ("68", "90"):
            row |= {f"{name}, {level} %": cell(mine, f"{name} held {level}") for name in MAPS}
        row |= {f"{name}, 90 %": cell(mine, f"{name} held") for name in ("core", "hypoperfused")}
        if any(list(row.values())[1:]):
            rows.append(row)
    return table("True values within intervals, all settings", rows)


def table(title: str, rows: Sequence[dict[str, str]]) -> str:
    """Lay rows out as Markdown; nothing without rows."""
    if not rows:
        return ""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row[name] for name in names) + " |" for row in rows]
    return f"**{title}**\n\n" + "\n".join(lines)
