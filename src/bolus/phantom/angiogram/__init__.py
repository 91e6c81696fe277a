"""X-ray runs of the head after an injection of contrast, from a vessel tree, seen from two sides."""

from bolus.phantom.angiogram.run import Film, Scene, films, scenes, takes, xa
from bolus.phantom.angiogram.study import Angiogram, View, ViewTruth

__all__ = ["Angiogram", "Film", "Scene", "View", "ViewTruth", "films", "scenes", "takes", "xa"]
