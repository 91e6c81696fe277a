"""The numbers of a result: as one JSON document for programs, and as lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from typing import Any, Final

import numpy as np

from bolus.core.lesion import Intervals, Lesions
from bolus.core.maps import Map, window_of
from bolus.core.result import MotionTrace, Result
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.export import layout, research, words
from bolus.export.regions import plain, regions, statistics

SCHEMA_VERSION: Final = "1.3"
"""Version of the document: the first number changes when a reader must change."""
KIND: Final = "bolus-result"
"""What marks a summary, and so its folder, as ours."""
KIND_OF_VIEWS: Final = "bolus-views"
"""The same for two views of one injection."""
_TIMES: Final = frozenset({"MTT", "Tmax"})


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the summary."""
    text = package_files("bolus.export").joinpath("summary.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def summarise(result: Result) -> dict[str, Any]:
    """Put the numbers of a result into one document that JSON can hold.

    Parameters
    ----------
    result
        What `bolus.run` gave.

    Returns
    -------
    Numbers, texts, lists and dictionaries in a fixed order, after `schema()`. Numbers that do not
    exist are None; volumes and lesion statistics are left out where a `fail` finding withheld them.
    """
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "notice": words.RESEARCH_USE,
        "verdict": {"word": words.verdict(result), "reasons": list(words.reasons(result))},
        "input": _input(result),
        "recipe": result.recipe.sections(),
        "steps": [words.clean(step) for step in result.steps],
        "findings": [
            {
                "code": f.code,
                "severity": f.severity.value,
                "text": words.clean(f.text),
                "value": plain(f.value),
            }
            for f in result.findings
        ],
        "lesions": None if result.lesions is None else _lesions(result.lesions),
        "maps": {name: _map(result, result.maps[name]) for name in layout.map_names(result)},
        "vessels": _vessels(result),
        "motion": None if result.motion is None else _motion(result.motion),
        "noise": {"value": plain(result.noise), "unit": result.curves.unit.value},
        "research": [research.document(one) for one in result.research],
        "timings_s": {stage: plain(seconds) for stage, seconds in result.timings_s.items()},
        "versions": dict(result.versions),
        "files": list(layout.files(result)),
    }


def summarise_views(results: Sequence[Result]) -> dict[str, Any]:
    """Put the numbers of the views of one injection into one document, after `schema()`.

    Parameters
    ----------
    results
        What `bolus.run` gave for each view.
    """
    named = layout.views(results)
    worst = words.worst(results)
    return {
        "kind": KIND_OF_VIEWS,
        "schema_version": SCHEMA_VERSION,
        "notice": words.RESEARCH_USE,
        "verdict": {"word": words.verdict(worst), "reasons": list(words.reasons(worst))},
        "views": {name: summarise(result) for name, result in named.items()},
        "files": list(layout.files_of_views(results)),
    }


def _input(result: Result) -> dict[str, Any]:
    a, grid = result.acquisition, result.grid
    return {
        "modality": result.modality.value,
        "source": a.source,
        "description": words.title(result),
        "manufacturer": words.clean(a.manufacturer),
        "model": words.clean(a.model),
        "study_uid": words.clean(a.study_uid),
        "series_uid": words.clean(a.series_uid),
        "frame_of_reference_uid": words.clean(a.frame_uid),
        "n_files": a.n_files,
        "kvp": plain(a.kvp),
        "te_ms": plain(a.te_ms),
        "tr_ms": plain(a.tr_ms),
        "slice_thickness_mm": plain(a.thickness_mm),
        "shape": list(grid.shape),
        "spacing_mm": [plain(s) for s in grid.spacing_mm],
        "affine": [[float(v) for v in row] for row in grid.affine],
        "time": _time(result),
    }


def _time(result: Result) -> dict[str, Any]:
    times = result.times
    steps = np.diff(times, axis=-1)
    return {
        "n_frames": int(times.shape[-1]),
        "duration_s": plain(float(times.max() - times.min())),
        "dt_median_s": plain(float(np.median(steps))) if steps.size else None,
        "dt_min_s": plain(float(steps.min())) if steps.size else None,
        "dt_max_s": plain(float(steps.max())) if steps.size else None,
        "per_slice": times.ndim == 2,
        "clock": words.clean(result.acquisition.clock),
        "baseline_frames": list(result.baseline),
    }


def _lesions(lesions: Lesions) -> dict[str, Any]:
    return {
        "rule": lesions.rule,
        "criteria": dict(lesions.criteria),
        "side": lesions.side,
        "volumes_ml": {name: plain(v) for name, v in lesions.volumes_ml.items()},
        "intervals": None if lesions.intervals is None else _intervals(lesions.intervals),
        "mismatch_ml": plain(lesions.mismatch_ml),
        "mismatch_ratio": plain(lesions.mismatch_ratio),
        "mismatch_ratio_words": words.ratio(lesions),
        "hypoperfusion_intensity_ratio": plain(lesions.hypoperfusion_intensity_ratio),
        "cbv_index": plain(lesions.cbv_index),
        "reference": {name: plain(v) for name, v in lesions.reference.items()},
        "midline": None if lesions.midline is None else {
            "normal": [plain(float(v)) for v in lesions.midline.normal],
            "offset_mm": plain(lesions.midline.offset_mm),
            "similarity": plain(lesions.midline.similarity),
        },
        "labels": [
            {"trial": label.trial, "met": label.met, "text": label.text, "notice": words.LABEL_WORDS}
            for label in lesions.labels
        ],
    }  # fmt: skip


def _intervals(intervals: Intervals) -> dict[str, Any]:
    return {
        "level": plain(intervals.level),
        "n_samples": intervals.n_samples,
        "meaning": words.interval_meaning(intervals),
        "volumes_ml": {n: [plain(low), plain(high)] for n, (low, high) in intervals.volumes_ml.items()},
        "sd_ml": {name: plain(sd) for name, sd in intervals.sd_ml.items()},
    }


def _map(result: Result, made: Map) -> dict[str, Any]:
    described = {}
    window = window_of(made.name, result.modality)
    for name, mask in regions(result).items():
        volume_ml = plain(float(np.count_nonzero(mask) * result.grid.voxel_ml))
        described[name] = {"volume_ml": volume_ml, **statistics(made.values[mask])}
    return {
        "unit": made.unit.value,
        "file": f"maps/{layout.stem(made.name)}.nii.gz",
        "window": None if window is None else list(window),
        "n_voxels": int(np.count_nonzero(result.brain.inside)),
        "n_failed": made.n_failed(result.brain.inside),
        "regions": described,
    }


def _vessels(result: Result) -> dict[str, Any]:
    vessels = result.vessels
    return {
        "aif": _curve(vessels.aif),
        "vof": None if vessels.vof is None else _curve(vessels.vof),
        "partial_volume": plain(vessels.partial_volume),
    }


def _curve(curve: VesselCurve) -> dict[str, Any]:
    return {
        "origin": words.clean(curve.origin),
        "unit": curve.unit.value,
        "n_voxels": int(curve.voxels.shape[0]),
        "quality": {name: plain(v) for name, v in curve.quality.items()},
    }


def _motion(motion: MotionTrace) -> dict[str, Any]:
    return {
        "reference": words.clean(motion.reference),
        "max_shift_mm": plain(motion.max_shift_mm),
        "max_rotation_deg": plain(motion.max_rotation_deg),
        "rejected_frames": [int(i) for i in motion.rejected],
        "min_similarity": plain(float(motion.similarity.min())) if motion.similarity.size else None,
        "parameters": [[plain(float(v)) for v in row] for row in motion.parameters],
    }


def summary_lines(result: Result) -> list[tuple[str, str]]:
    """Return what a reader wants first, as pairs of a label and a text: the terminal's table."""
    lesions = result.lesions
    lines = [("verdict", words.verdict(result))]
    if result.modality is Modality.XA:
        lines += _projection_lines(result)
    else:
        lines += _withheld() if lesions is None else lesion_lines(lesions)
    lines += research.lines(result)
    lines += [("AIF", curve_words(result.vessels.aif))]
    if result.vessels.vof is not None:
        lines.append(("VOF", curve_words(result.vessels.vof)))
    lines.append(("motion", motion_words(result.motion)))
    lines.append(("time", f"{sum(result.timings_s.values()):.1f} s"))
    return lines


def _projection_lines(result: Result) -> list[tuple[str, str]]:
    """Return the view, and the median of each map in what is no vessel."""
    medians = [(name, result.maps[name]) for name in ("CBV", "CBF", "MTT", "Tmax") if name in result.maps]
    lines = []
    for name, made in medians:
        value = statistics(made.values[result.brain.tissue])["median"]
        unit = "of the artery's" if made.unit is Unit.RATIO else made.unit.value
        lines.append((f"{name} of tissue, median", words.number(value, 1 if name in _TIMES else 3, unit)))
    return [("view", words.view(result) or "not stated"), *lines]


def _withheld() -> list[tuple[str, str]]:
    return [("volumes", "withheld: see the findings; the maps are written")]


def lesion_lines(lesions: Lesions) -> list[tuple[str, str]]:
    """Return the volumes and what is made of them, as pairs of a label and a text."""
    core, low = words.criterion(lesions, "core"), words.criterion(lesions, "hypoperfused")
    return [
        (_once("core", core), words.lesion_volume(lesions, "core")),
        (_once("hypoperfused", low), words.lesion_volume(lesions, "hypoperfused")),
        ("mismatch volume", words.lesion_volume(lesions, "mismatch")),
        ("mismatch ratio", words.ratio(lesions)),
        ("hypoperfusion intensity ratio", words.number(lesions.hypoperfusion_intensity_ratio, 2)),
        ("CBV index", words.number(lesions.cbv_index, 2)),
        ("affected side", lesions.side),
    ]


def _once(region: str, criterion: str) -> str:
    return region if criterion == region else f"{region} ({criterion})"


def curve_words(curve: VesselCurve) -> str:
    """Describe a vessel's curve in one line."""
    quality: Mapping[str, float] = curve.quality
    shown = [
        words.number(quality.get(key), digits, unit)
        for key, digits, unit in (
            ("peak", words.peak_digits(curve.unit), curve.unit.value),
            ("ttp_s", 1, "s"),
            ("fwhm_s", 1, "s"),
        )
    ]
    peak, when, width = shown
    text = f"peak {peak} at {when}, width {width}"
    n = int(curve.voxels.shape[0])
    return f"{text}, {n} voxels" if n else text


def motion_words(motion: MotionTrace | None) -> str:
    """Describe the head motion in one line."""
    if motion is None:
        return "not corrected"
    text = f"up to {motion.max_shift_mm:.1f} mm, {motion.max_rotation_deg:.1f} degrees"
    n = len(motion.rejected)
    return f"{text}; {n} frame{'s' if n != 1 else ''} rejected" if n else text


def dumps(document: Mapping[str, Any]) -> str:
    """Write a document as JSON text; a NaN that slipped through is an error, never invalid JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
