"""The only door in: finds the perfusion series of a study and reads it, with its clock."""

from bolus.read.mask import load_mask
from bolus.read.options import ReadOptions
from bolus.read.study import load, load_views, survey
from bolus.read.survey import Candidate, Survey
from bolus.read.volume import load_volume

__all__ = ["Candidate", "ReadOptions", "Survey", "load", "load_mask", "load_views", "load_volume", "survey"]
