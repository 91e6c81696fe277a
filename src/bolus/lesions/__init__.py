"""Core and hypoperfused tissue: rules by style, the midline, healthy reference, clean-up, volumes."""

from bolus.lesions.intervals import volume_intervals, with_intervals
from bolus.lesions.labels import trial_labels
from bolus.lesions.midline import find_midline, midline_findings
from bolus.lesions.rules import RULES, Against, Rule, Threshold
from bolus.lesions.sampling import ErrorModel
from bolus.lesions.volumes import find_lesions

__all__ = [
    "RULES",
    "Against",
    "ErrorModel",
    "Rule",
    "Threshold",
    "find_lesions",
    "find_midline",
    "midline_findings",
    "trial_labels",
    "volume_intervals",
    "with_intervals",
]
