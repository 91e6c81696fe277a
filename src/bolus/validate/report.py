"""A validation on disk: one JSON document, tables, and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bolus.core.finding import Progress, silent
from bolus.export import folder, words
from bolus.export.regions import plain
from bolus.export.summary import dumps
from bolus.validate.assess import Validation
from bolus.validate.figures import FIGURES, figures
from bolus.validate.rows import Row, Score, Source, label
from bolus.validate.tables import Table, tables

SCHEMA_VERSION: Final = "1.0"
"""Version of the document: the first number changes when a reader must change."""
KIND: Final = "bolus-validation"
MANIFEST: Final = folder.Manifest("validation.json", (KIND,))
"""How an earlier validation is known."""
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "noise": ("noise_cbf", "noise_cbv"),
    "times": ("noise_mtt", "noise_tmax", "noise_delay"),
    "grid": ("grid",),
    "delay": ("delay_cbf", "delay_tmax"),
    "shape": ("residue", "dispersion_cbf", "dispersion_tmax"),
    "sampling": ("sampling", "length_cbf", "length_cbv"),
    "dsc": ("dsc",),
    "core": ("core",),
    "coverage": ("coverage",),
    "others": ("osipi", "bezier"),
}
"""Tables by the figure that they stand under."""


def write(found: Validation, out: str | Path, *, progress: Progress = silent) -> Path:
    """Write a validation into a folder: `validation.json`, `validation.md`, two CSV tables and figures.

    The folder appears whole or not at all; one that holds an earlier validation alone is replaced.

    Parameters
    ----------
    out
        Folder; made where it is missing.
    progress
        Called as `progress("export", done, total)`.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputFailed
        If the folder holds something else, or the disk refuses; nothing half-written stays.
    """
    with folder.replaced(out, MANIFEST) as made:
        _write_all(found, made, progress)
    return folder.resolved(out)


def require_writable(out: str | Path) -> None:
    """Make sure, before minutes of work, that a validation may be written to a folder.

    Raises
    ------
    OutputFailed
        If it is a file, holds something else than an earlier validation, or lies where nothing may be
        written.
    """
    folder.require_writable(out, MANIFEST)


def _write_all(found: Validation, made: Path, progress: Progress) -> None:
    """Write every file; the document comes last, so that it vouches for the others."""
    total = len(FIGURES) + 1
    (made / "figures").mkdir()
    drawn = []
    for name, png in figures(found):
        (made / "figures" / f"{name}.png").write_bytes(png)
        drawn.append(name)
        progress("export", len(drawn), total)
    (made / "errors.csv").write_text(_errors_csv(found.rows), encoding="utf-8")
    (made / "scores.csv").write_text(_scores_csv(found.scores), encoding="utf-8")
    (made / "validation.md").write_text(markdown(found, drawn), encoding="utf-8")
    files = sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file())
    whole = {**document(found), "files": [*files, MANIFEST.name]}
    (made / MANIFEST.name).write_text(dumps(whole), encoding="utf-8")
    progress("export", total, total)


def document(found: Validation) -> dict[str, Any]:
    """Put all numbers into one document that JSON can hold; numbers that do not exist are None."""
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "notice": f"{words.RESEARCH_USE}; simulated curves, not patients",
        "effort": found.effort.name,
        "seed": found.seed,
        "versions": dict(found.versions),
        "methods": [{"method": c.name, "options": dict(c.options)} for c in found.candidates],
        "n_curves": found.n_curves,
        "timings_s": {name: plain(seconds) for name, seconds in found.seconds.items()},
        "rows": [_row(row) for row in found.rows],
        "scores": [_score(score) for score in found.scores],
    }


def _source(source: Source) -> dict[str, Any]:
    conditions = {k: v if isinstance(v, str) else plain(v) for k, v in source.conditions.items()}
    return {
        "method": source.method,
        "options": dict(source.options),
        "experiment": source.experiment,
        "conditions": conditions,
    }


def _row(row: Row) -> dict[str, Any]:
    told = {name: plain(getattr(row, name)) for name in ("bias", "sd", "median")}
    about = {"quantity": row.quantity, "unit": row.unit}
    return {**_source(row.source), **about, **told, "n": row.n, "n_failed": row.n_failed}


def _score(score: Score) -> dict[str, Any]:
    told = {"quantity": score.quantity, "measure": score.measure, "value": plain(score.value)}
    return {**_source(score.source), **told, "n": score.n, "n_failed": score.n_failed}


def _errors_csv(rows: Sequence[Row]) -> str:
    return _csv([_row(row) for row in rows])


def _scores_csv(scores: Sequence[Score]) -> str:
    return _csv([_score(score) for score in scores])


def _csv(records: list[dict[str, Any]]) -> str:
    """Write records as CSV, a column a condition; empty where one does not apply or there is no number."""
    conditions = list(dict.fromkeys(name for record in records for name in record["conditions"]))
    rest = [
        name for name in (records[0] if records else ()) if name not in {"method", "options", "conditions"}
    ]
    names = ["method", "options", *rest[:1], *conditions, *rest[1:]]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n", restval="")
    writer.writeheader()
    for record in records:
        told = {name: record[name] for name in rest}
        options = label("", record["options"]).lstrip(":")
        writer.writerow({"method": record["method"], "options": options, **record["conditions"], **told})
    return buffer.getvalue()


def markdown(found: Validation, drawn: Sequence[str]) -> str:
    """Write the tables, with the figures that were drawn between them, as one Markdown page."""
    made = tables(found)
    parts = ["# Accuracy of deconvolution\n", _about(found), _section(made["headline"])]
    for name, members in SECTIONS.items():
        parts += [f"![{name}](figures/{name}.png)\n"] if name in drawn else []
        parts += [_section(made[member]) for member in members if member in made]
    return "\n".join(parts)


def _section(table: Table) -> str:
    return f"## {table.title}\n\n{table.markdown()}"


def _about(found: Validation) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    run = f"{found.effort.name.capitalize()} run of {found.n_curves} curves a method, seed {found.seed}"
    return (
        f"{words.RESEARCH_USE}. These are simulated curves, not patients. {run}; {versions}.\n\n"
        "Cells are the mean error ± its standard deviation; `-` where a method has no such value. Normal "
        "tissue has CBF 60, MTT 4 s and no delay, penumbra 24, 10 s and 5 s, core 11.25, 8 s and 6 s. The "
        "page on accuracy in the documentation tells how to read them.\n"
    )
