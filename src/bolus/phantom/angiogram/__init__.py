"""X-ray runs of the head after an injection of contrast, from a vessel tree, seen from two sides."""

from bolus.phantom.angiogram.run import Film, films, takes, xa
from bolus.phantom.angiogram.study import Angiogram, View, ViewTruth

__all__ = ["Angiogram", "Film", "View", "ViewTruth", "films", "takes", "xa"]
