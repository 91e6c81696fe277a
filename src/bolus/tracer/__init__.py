"""Signal to contrast: when the bolus arrives, what was there before, and how much came."""

from bolus.tracer.baseline import Baseline, find_baseline
from bolus.tracer.density import to_density
from bolus.tracer.enhancement import noise_level, to_concentration
from bolus.tracer.leakage import correct_leakage
from bolus.tracer.projection import minip
from bolus.tracer.subtraction import subtract

__all__ = [
    "Baseline",
    "correct_leakage",
    "find_baseline",
    "minip",
    "noise_level",
    "subtract",
    "to_concentration",
    "to_density",
]
