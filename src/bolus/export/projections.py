"""The report of X-ray runs: one view, or two of the same injection side by side."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from bolus.core.finding import Severity
from bolus.core.result import Result
from bolus.export import layout, research, words
from bolus.export.methods import Methods, describe_methods
from bolus.export.report import acquisition, page, spread, vessel_rows
from bolus.export.summary import motion_words

_CAPTIONS: Final = {
    "minip": "Greatest contrast of each pixel over the run, dark as in a minimum-intensity projection. "
    "Red: the artery that the maps are relative to.",
    "curves": "Contrast in that artery, and the mean of what is no vessel. Shaded: frames before the bolus.",
    "maps": "Maps in fixed windows; black: no contrast above the noise.",
    "motion": "Motion that was found and undone, frame by frame.",
}
_RING: Final = " Blue ring: a place that a classifier points at."


def render(views: Sequence[tuple[Result, Mapping[str, bytes]]]) -> str:
    """Write the report of an injection seen from one or two sides.

    Parameters
    ----------
    views
        Each view's result and its figures as PNG files by name, as `figures.draw_all` gives them.

    Returns
    -------
    HTML. Text that comes from files is cleaned of control and direction characters and escaped.
    """
    results = [result for result, _ in views]
    first = results[0]
    seconds = sum(sum(r.timings_s.values()) for r in results)
    return page("angiogram.html.j2").render(
        title=words.title(first) or words.MODALITIES[first.modality],
        modality=words.MODALITIES[first.modality],
        rule="",
        notice=words.RESEARCH_USE,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=words.verdict(words.worst(results)),
        reasons=list(dict.fromkeys(reason for r in results for reason in words.reasons(r))),
        views=[_view(result, drawn) for result, drawn in views],
        regions=_regions(results),
        methods=_methods(results),
        timings=[(words.view(r) or "run", words.number(sum(r.timings_s.values()), 1, "s")) for r in results],
        total=words.number(seconds, 1, "s"),
        versions=list(first.versions.items()),
        captions=_captions(results),
        research_notice=research.NOTICE,
    )


def _captions(results: Sequence[Result]) -> dict[str, str]:
    marked = any(answer.markers for result in results for answer in result.research)
    return _CAPTIONS | {"minip": _CAPTIONS["minip"] + (_RING if marked else "")}


def _methods(results: Sequence[Result]) -> Methods:
    """Describe what was done to the first view, and what was otherwise in the other."""
    told = describe_methods(results[0])
    if len(results) == 1:
        return told
    sentences, references = [f"{words.view(results[0])}:", *told.sentences], dict.fromkeys(told.references)
    for result in results[1:]:
        other = describe_methods(result)
        apart = [sentence for sentence in other.sentences if sentence not in told.sentences]
        sentences += [f"{words.view(result)}, where it differs:", *apart] if apart else []
        references |= dict.fromkeys(other.references)
    return Methods(tuple(sentences), tuple(references))


def _view(result: Result, drawn: Mapping[str, bytes]) -> dict[str, Any]:
    order = list(Severity)
    findings = sorted(result.findings, key=lambda f: -order.index(f.severity))
    origin, rows = vessel_rows(result.vessels.aif)
    return {
        "name": words.view(result),
        "images": {name: Markup(base64.b64encode(png).decode("ascii")) for name, png in drawn.items()},  # noqa: S704 - letters and digits
        "findings": [(f.severity.value, f.code, words.clean(f.text)) for f in findings],
        "research": research.entries(result),
        "vessel": [("origin", origin), *rows],
        "acquisition": [*acquisition(result), ("motion", motion_words(result.motion))],
    }


def _regions(results: Sequence[Result]) -> list[tuple[str, str, list[str]]]:
    """Return name, unit, and median and quartiles in tissue by view, of each map."""
    return [
        (
            name,
            results[0].maps[name].unit.value,
            [
                spread(r.maps[name].values[r.brain.tissue], 3 if name in {"CBF", "CBV"} else 1)
                for r in results
            ],
        )
        for name in layout.map_names(results[0])
    ]
