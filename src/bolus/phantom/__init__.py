"""Studies with known truth: a grid of tiles, a head with a stroke by CT and by MR, and X-ray runs.

Each generator returns a `Study`: the series as a scanner would give it, and the `Truth` behind it; `xa` an
`Angiogram` of two views, each with its own.
`write_study` writes both, the series as DICOM and as NIfTI. Everything random comes from the seed.
"""

from bolus.phantom.angiogram import Angiogram, View, ViewTruth, xa
from bolus.phantom.ct import ct
from bolus.phantom.files import require_empty, write_study
from bolus.phantom.kudo import kudo
from bolus.phantom.mr import mr
from bolus.phantom.options import CtOptions, KudoOptions, MrOptions, Physiology, XaOptions
from bolus.phantom.study import Study, Truth

__all__ = [
    "Angiogram", "CtOptions", "KudoOptions", "MrOptions", "Physiology", "Study", "Truth", "View", "ViewTruth",
    "XaOptions", "ct", "kudo", "mr", "require_empty", "write_study", "xa",
]  # fmt: skip
