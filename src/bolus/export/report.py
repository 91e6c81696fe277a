"""The report: one HTML file that holds all it shows and asks no network for anything."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bolus.core.finding import Severity
from bolus.core.grid import Grid
from bolus.core.result import Result
from bolus.core.units import Modality
from bolus.core.vessel import VesselCurve
from bolus.export import layout, research, words
from bolus.export.methods import describe_methods
from bolus.export.regions import regions, statistics
from bolus.export.summary import lesion_lines, motion_words

_CAPTIONS = {
    "mismatch": "Core and hypoperfused tissue on the images before contrast.",
    "thresholds": "Tissue beyond each threshold; volumes in mL after small components are dropped.",
    "maps": "Maps over the same slices, each in its fixed window.",
    "vessels": "Where the arterial and venous curves were taken (right: close up on CBV), and the curves. "
    "Shaded: frames before the bolus. Dotted: width at half of the peak.",
    "motion": "Head motion that was found and undone, frame by frame. Dashed: 3 mm and 3 degrees.",
}
_NAMES = {
    "CBF": "Cerebral blood flow (CBF)",
    "CBV": "Cerebral blood volume (CBV)",
    "MTT": "Mean transit time (MTT)",
    "Tmax": "Time to the maximum of the residue function (Tmax)",
    "TTP": "Time to peak of the tissue curve (TTP)",
    "delay": "Arrival after the arterial curve (delay)",
    "BAT": "Bolus arrival time (BAT)",
    "FM": "First moment (FM)",
}
_QUALITY = {
    "peak": ("peak", 1, ""),
    "ttp_s": ("time of peak", 1, "s"),
    "arrival_s": ("arrival", 1, "s"),
    "fwhm_s": ("width at half of the peak", 1, "s"),
    "tail": ("end over peak", 2, ""),
    "cnr": ("peak over noise", 1, ""),
    "gamma_r2": ("r² of a gamma-variate", 3, ""),
}


def render(result: Result, figures: Mapping[str, bytes]) -> str:
    """Write the report of a result.

    Parameters
    ----------
    result
        What `bolus.run` gave.
    figures
        PNG files by name, as `figures.draw_all` gives them.

    Returns
    -------
    HTML. Text that comes from files is cleaned of control and direction characters and escaped.
    """
    return page("report.html.j2").render(_content(result, figures))


def page(name: str) -> Template:
    """Return a template of a page, which cleans and escapes all text that is put into it."""
    environment = Environment(
        loader=PackageLoader("bolus.export", "."),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _visible(value: Any) -> Any:
    """Take what nobody can see out of every text that a template inserts; markup of ours stays."""
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _content(result: Result, figures: Mapping[str, bytes]) -> dict[str, Any]:
    images = {name: Markup(base64.b64encode(png).decode("ascii")) for name, png in figures.items()}  # noqa: S704 - letters and digits
    order = list(Severity)
    findings = sorted(result.findings, key=lambda f: -order.index(f.severity))
    return {
        "title": words.title(result) or words.MODALITIES[result.modality],
        "modality": words.MODALITIES[result.modality],
        "notice": words.RESEARCH_USE,
        "label_words": words.LABEL_WORDS,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "verdict": words.verdict(result),
        "reasons": words.reasons(result),
        "rule": words.rule(result),
        "acquisition": acquisition(result),
        "lesions": result.lesions,
        "interval": result.lesions
        and result.lesions.intervals
        and words.interval_meaning(result.lesions.intervals),
        "volumes": [] if result.lesions is None else lesion_lines(result.lesions),
        "labels": [] if result.lesions is None else [_label(t) for t in result.lesions.labels],
        "regions": _regions(result),
        "vessels": [(c.name, *vessel_rows(c)) for c in layout.curves(result).values()],
        "motion": motion_words(result.motion),
        "research": research.entries(result),
        "research_notice": research.NOTICE,
        "findings": [(f.severity.value, f.code, words.clean(f.text)) for f in findings],
        "methods": describe_methods(result),
        "timings": [(k, words.number(v, 1, "s")) for k, v in result.timings_s.items()],
        "total": words.number(sum(result.timings_s.values()), 1, "s"),
        "versions": list(result.versions.items()),
        "images": images,
        "captions": _CAPTIONS,
        "single_maps": [(_NAMES.get(n, n), f"map_{layout.stem(n)}") for n in layout.map_names(result)],
    }


def acquisition(result: Result) -> list[tuple[str, str]]:
    """Return what is known of how the series was acquired, as pairs of a label and a text."""
    a, grid = result.acquisition, result.grid
    scanner = words.clean(f"{a.manufacturer} {a.model}")
    rows = [
        ("scanner", scanner or "not stated"),
        ("source", f"{a.source or 'not stated'}{f', {a.n_files} files' if a.n_files else ''}"),
        ("series", words.series_tag(result)),
        *_extent(grid, flat=result.modality is Modality.XA),
        *_timing(result),
        ("tube voltage", "" if a.kvp is None else f"{a.kvp:g} kV"),
        ("echo time", "" if a.te_ms is None else f"{a.te_ms:g} ms"),
        ("repetition time", "" if a.tr_ms is None else f"{a.tr_ms:g} ms"),
        ("slice thickness", "" if a.thickness_mm is None else f"{a.thickness_mm:g} mm"),
    ]
    return [(label, text) for label, text in rows if text]


def _extent(grid: Grid, *, flat: bool) -> list[tuple[str, str]]:
    """Return size and spacing; a projection has pixels of the detector, and no slices."""
    n = 2 if flat else 3
    rows = [
        ("matrix", " x ".join(str(s) for s in grid.shape[:n])),
        ("pixel" if flat else "voxel", " x ".join(f"{s:.3g}" for s in grid.spacing_mm[:n]) + " mm"),
    ]
    coverage = f"{grid.shape[2] * grid.spacing_mm[2]:.0f} mm in {grid.shape[2]} slices"
    return rows if flat else [*rows, ("coverage", coverage)]


def _timing(result: Result) -> list[tuple[str, str]]:
    times = result.times
    steps = np.diff(times, axis=-1)
    rows = [("frames", f"{times.shape[-1]} over {float(times.max() - times.min()):.1f} s")]
    if steps.size:
        median, low, high = float(np.median(steps)), float(steps.min()), float(steps.max())
        uneven = high - low > 0.01 * median
        rows.append(
            ("interval", f"{median:.3g} s" + (f" (from {low:.3g} to {high:.3g} s)" if uneven else ""))
        )
    clock = words.clean(result.acquisition.clock) or "not stated"
    rows.append(("clock", clock + (", each slice its own" if times.ndim == 2 else "")))
    return rows


def _label(label: Any) -> tuple[str, str, str]:
    met = {True: "met", False: "not met", None: "open"}[label.met]
    return words.clean(label.trial), met, words.clean(label.text)


def _regions(result: Result) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """Return the regions' names, and for each map its name, unit and median (quartiles) by region."""
    masks = {name: mask for name, mask in regions(result).items() if mask.any()}
    rows = []
    for name in layout.map_names(result):
        made = result.maps[name]
        rows.append((name, made.unit.value, [spread(made.values[mask]) for mask in masks.values()]))
    return list(masks), rows


def spread(values: Any, digits: int = 1) -> str:
    """Write median and quartiles of values."""
    s = statistics(values)
    if s["median"] is None:
        return "n/a"
    return f"{s['median']:.{digits}f} ({s['p25']:.{digits}f} to {s['p75']:.{digits}f})"


def vessel_rows(curve: VesselCurve) -> tuple[str, list[tuple[str, str]]]:
    """Return where a vessel's curve came from, and its figures as pairs of a label and a text."""
    peak = ("peak", max(words.peak_digits(curve.unit), 1), curve.unit.value)
    rows = [
        (label, words.number(curve.quality.get(key), digits, unit))
        for key, (label, digits, unit) in {**_QUALITY, "peak": peak}.items()
        if key in curve.quality
    ]
    n = int(curve.voxels.shape[0])
    return words.clean(curve.origin) + (f", {n} voxels" if n else ""), rows
