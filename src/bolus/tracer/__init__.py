"""Signal to contrast: when the bolus arrives, what was there before, and how much came."""

from bolus.tracer.baseline import Baseline, find_baseline
from bolus.tracer.enhancement import to_concentration
from bolus.tracer.leakage import correct_leakage

__all__ = ["Baseline", "correct_leakage", "find_baseline", "to_concentration"]
