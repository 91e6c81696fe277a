"""All map methods, networks and physics, on the same simulated patients: errors, lesions, intervals, seconds.

`python -m benchmarks.head_to_head [PATIENTS] [-o FOLDER]` simulates PATIENTS (4) of site A, of site B and of
those whose flow strays from anatomy, CT and MR, and the grid of Kudo; runs each at 1.5, 3 and 6 HU and with
1, 1/2 and 1/3 of the frames by every method, as `bolus run` would; and writes FOLDER/runs/*.json, a file a
scan, FOLDER/scores.json and FOLDER/tables.md; FOLDER is benchmarks/results/head-to-head unless given. A run
that was stopped goes on where it was; after a change of code begin in a new folder. One patient of each site
takes about six minutes of processor time.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rich.console import Console

import bolus
from benchmarks.head_to_head.exams import Exam, exams
from benchmarks.head_to_head.judging import judge
from benchmarks.head_to_head.tables import document
from bolus.deconvolve import METHODS
from bolus.learn import MAPPERS, files

EVERY = (*METHODS, *MAPPERS)
RESULTS = Path(__file__).parents[1] / "results" / "head-to-head"


def main() -> None:
    """Judge what has not been judged, and write the tables of all."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.head_to_head", description=__doc__)
    asked.add_argument("patients", nargs="?", type=int, default=4, help="of each site")
    asked.add_argument(
        "-m", "--method", action="append", choices=EVERY, help="all unless given; may be repeated"
    )
    asked.add_argument("-o", "--out", type=Path, default=RESULTS)
    chosen = asked.parse_args()
    console = Console(width=200)
    wanted = list(exams(chosen.patients))
    runs = []
    for done, exam in enumerate(wanted, 1):
        runs += judged(exam, chosen.out / "runs", chosen.method or EVERY)
        console.print(f"{done}/{len(wanted)} {exam.name}", highlight=False)
    write(runs, chosen.out)
    console.print(f"{chosen.out / 'tables.md'}", highlight=False)


def judged(exam: Exam, folder: Path, methods: Collection[str]) -> list[dict[str, Any]]:
    """Return what methods made of an exam; only those that are not in its file are run."""
    path = folder / f"{exam.name}.json"
    kept = files.read_json(path, "judged runs")["runs"] if path.is_file() else []
    about = {
        "modality": exam.modality, "site": exam.site, "patient": exam.patient, "setting": exam.setting.name,
    }  # fmt: skip
    known = {run["method"] for run in kept}
    missing = [method for method in exam.methods if method in methods and method not in known]
    if missing:
        kept += [{**about, **judge(exam, method)} for method in missing]
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {"bolus": bolus.__version__, "options": repr(exam.options()), "runs": kept})
    return [run for method in exam.methods for run in kept if run["method"] == method]


def write(runs: list[dict[str, Any]], folder: Path) -> None:
    """Write all scores and their tables."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "scores.json", {"bolus": bolus.__version__, "runs": runs})
    (folder / "tables.md").write_text(document(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
