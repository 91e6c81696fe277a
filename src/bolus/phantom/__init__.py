"""Studies with known truth: a grid of tiles and a head with a stroke, by CT and by MR.

Each generator returns a `Study`: the series as a scanner would give it, and the `Truth` behind it.
`write_study` writes both, the series as DICOM and as NIfTI. Everything random comes from the seed.
"""

from bolus.phantom.ct import ct
from bolus.phantom.files import write_study
from bolus.phantom.kudo import kudo
from bolus.phantom.mr import mr
from bolus.phantom.options import CtOptions, KudoOptions, MrOptions
from bolus.phantom.study import Study, Truth

__all__ = ["CtOptions", "KudoOptions", "MrOptions", "Study", "Truth", "ct", "kudo", "mr", "write_study"]
