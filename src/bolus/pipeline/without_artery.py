"""What a run does and says where no artery can be found."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from bolus import lesions
from bolus.core.arrays import Mask
from bolus.core.errors import NoVessel
from bolus.core.finding import Finding, Severity
from bolus.core.result import Result
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve, Vessels

TALLEST: Final = 0.01
"""Part of the brain's curves that the stand-in is the mean of: those that rise highest."""


def stand_in(contrast: Concentration, tissue: Mask) -> VesselCurve:
    """Return the mean of the curves of the brain that rise highest; it is in no artery.

    Parameters
    ----------
    contrast
        Before the noise filter.
    tissue
        Shape `(x, y, z)`.
    """
    rows = contrast.rows(tissue & contrast.mask)
    peaks = contrast.curves[rows].max(axis=1)
    n = max(round(TALLEST * rows.size), 1)
    tallest = rows[np.argsort(-np.nan_to_num(peaks, nan=-np.inf), kind="stable")[:n]]
    values = contrast.curves[tallest].mean(axis=0, dtype=np.float64)
    origin = "the tallest curves of the brain: no artery"
    return VesselCurve("AIF", contrast.times, values, contrast.unit, origin)


def no_artery(error: NoVessel) -> Finding:
    """Tell that there is none, and what is shown instead."""
    text = (
        f"No artery was found ({error.found or error.what}), and the method uses none; what is shown as AIF "
        f"is the mean of the tallest {TALLEST:.0%} of the brain's curves: findings on it mean no artery."
    )
    return Finding("NO_ARTERY", Severity.WARN, text)


def made_of_tissue(found: Vessels, rule: str, error: NoVessel | None = None) -> Vessels:
    """Say why the arterial curve was made of tissue, and what follows for a lesion rule.

    Parameters
    ----------
    found
        With the finding `NO_ARTERY` of `bolus.vessels`.
    rule
        A key of `bolus.lesions.RULES`. One that compares flow or volume with a number fails: their scale
        is an assumption.
    error
        Why there is no artery; None where the user asked for the curve.
    """
    why = "" if error is None else f"No artery was found ({error.found or error.what}). "
    fails = lesions.RULES[rule].needs_scale
    then = (
        f" The rule {rule} compares CBF or CBV with a number: its volumes are withheld; rapid compares with"
        " healthy tissue."
    )

    def told(finding: Finding) -> Finding:
        severity = Severity.FAIL if fails else finding.severity
        return replace(finding, severity=severity, text=why + finding.text + (then if fails else ""))

    findings = tuple(told(f) if f.code == "NO_ARTERY" else f for f in found.findings)
    return replace(found, findings=findings)


def unused(found: Vessels) -> Vessels:
    """Leave out what a curve made of tissue does to flow and volume, for methods that use no artery."""
    return replace(found, findings=tuple(f for f in found.findings if f.code != "NO_ARTERY"))


def require_artery(result: Result) -> Result:
    """Return a result whose arterial curve was measured, as maps that teach or judge others need.

    Raises
    ------
    NoVessel
        If it was made of tissue: flow and volume are then on an assumed scale.
    """
    if not result.vessels.aif.measured:
        raise NoVessel(
            "no artery could be found, and the maps of this scan have no scale",
            wanted="an arterial curve that was measured",
            found=f"one {result.vessels.aif.origin}",
            remedy="Leave the scan out, or give the arterial curve with --aif.",
        )
    return result
