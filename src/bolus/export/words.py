"""How numbers, verdicts and text from files are put into words."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from typing import Final

from bolus.core.finding import Severity
from bolus.core.lesion import Intervals, Lesions
from bolus.core.result import Result
from bolus.core.units import Modality, Unit

RESEARCH_USE: Final = "Research use only - not for diagnosis"
"""Stands on every page, figure and summary."""
LABEL_WORDS: Final = "criteria met on imaging numbers, not advice"
"""Stands beside every trial label."""
VERDICTS: Final = {Severity.INFO: "PASS", Severity.WARN: "CAUTION", Severity.FAIL: "FAIL"}
"""The verdict that a worst finding makes."""
MODALITIES: Final = {
    Modality.CT: "CT perfusion",
    Modality.MR: "DSC-MRI",
    Modality.XA: "X-ray angiography",
}
"""Modalities as a reader calls them."""
_LONGEST_TEXT = 2000
_LONGEST_NAME = 200
_RATIO_CAP = 99.0


def visible(text: str) -> str:
    """Return text on one line, without control, direction and private characters."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))
    return " ".join(kept.split())


def clean(text: str) -> str:
    """Return text from a file as one visible line of bounded length."""
    return visible(text)[:_LONGEST_TEXT]


def title(result: Result) -> str:
    """Return the series description, cleaned and short; empty where there is none."""
    return clean(result.acquisition.description)[:_LONGEST_NAME]


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    """Write a number with its unit; `n/a` where there is none."""
    if value is None or not math.isfinite(value):
        return "n/a"
    shown = f"{value:.{digits}f}"
    if float(shown) == 0:
        shown = shown.lstrip("-")
    return f"{shown} {unit}".strip()


def peak_digits(unit: Unit) -> int:
    """Return how many decimals the peak of a vessel's curve is told with: density is of the order of 1."""
    return 2 if unit is Unit.NAT else 0


def volume(value_ml: float | None, bounds_ml: tuple[float, float] | None = None) -> str:
    """Write a volume [mL], as `52 mL (48-57)` where its interval is known."""
    if bounds_ml is None:
        return number(value_ml, 1, "mL")
    digits = 0 if max(map(abs, bounds_ml)) >= 10 else 1
    low, high = (number(bound, digits) for bound in bounds_ml)
    return f"{number(value_ml, digits, 'mL')} ({low}{' to ' if bounds_ml[0] < 0 else '-'}{high})"


def lesion_volume(lesions: Lesions, name: str) -> str:
    """Write a volume of lesions or their `mismatch`, with its interval where there is one."""
    value = lesions.mismatch_ml if name == "mismatch" else lesions.volumes_ml.get(name)
    return volume(value, lesions.intervals.volumes_ml.get(name) if lesions.intervals else None)


def interval_meaning(intervals: Intervals) -> str:
    """Say what the numbers in brackets mean, and what they do not."""
    part = f"{100 * intervals.level:.0f} %"
    return (
        f"In brackets: {part} interval, made to hold the true volume in {part} of simulated patients. It "
        "covers noise and errors of the model; not motion that was left, nor a wrong artery, nor whether the "
        "thresholds mean dead or endangered tissue. No patient's outcome stands behind it."
    )


def ratio(lesions: Lesions) -> str:
    """Write the mismatch ratio: a word where it is not a number, capped above 99."""
    value = lesions.mismatch_ratio
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return "infinite"
    return f">{_RATIO_CAP:g}" if value > _RATIO_CAP else f"{value:.1f}"


def verdict(result: Result) -> str:
    """Return `PASS`, `CAUTION` or `FAIL`."""
    return VERDICTS[result.verdict]


def worst(results: Sequence[Result]) -> Result:
    """Return the result with the worst verdict; the first of equals."""
    return max(results, key=lambda r: list(Severity).index(r.verdict))


def reasons(result: Result) -> tuple[str, ...]:
    """Return the texts of the findings that made the verdict; none for `PASS`."""
    if result.verdict is Severity.INFO:
        return ()
    return tuple(clean(f.text) for f in result.findings if f.severity is result.verdict)


def view(result: Result) -> str:
    """Return `AP`, `lateral` or `oblique`, with the angle of the positioner; empty where unknown."""
    xray = result.acquisition.xray
    if xray is None or xray.primary_deg is None:
        return ""
    name = {"AP": "AP", "LAT": "Lateral"}.get(xray.view, "Oblique")
    return f"{name} ({xray.primary_deg:+.0f} degrees)"


def rule(result: Result) -> str:
    """Return the lesion rule's name for a reader."""
    named = {} if result.lesions is None else result.lesions.criteria
    return named.get("rule") or f"{result.recipe.rule} rule"


def criterion(lesions: Lesions, region: str) -> str:
    """Return what makes tissue `core` or `hypoperfused`, or the region's name where it is not given."""
    return lesions.criteria.get(region, region)


def series_tag(result: Result) -> str:
    """Return eight characters that tell series apart and name nobody."""
    uid = result.acquisition.series_uid
    return hashlib.sha256(uid.encode()).hexdigest()[:8] if uid else "no UID"


def footer(result: Result) -> str:
    """Return the line that stands under every figure."""
    version = result.versions.get("bolus", "")
    lesions = () if result.modality is Modality.XA else (rule(result),)
    parts = (RESEARCH_USE, f"bolus {version}".strip(), *lesions, f"series {series_tag(result)}")
    return "   |   ".join((*parts, verdict(result)))
