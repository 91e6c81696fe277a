"""Arterial input and venous output: found, given or read, corrected for partial volume, and judged."""

from bolus.vessels.candidates import ArterySearch
from bolus.vessels.carotid import carotid_input, find_carotid, largest_part
from bolus.vessels.contralateral import is_ipsilateral_and_late
from bolus.vessels.from_tissue import NAME as OF_TISSUE
from bolus.vessels.from_tissue import curve_from_tissue
from bolus.vessels.given import curve_from_csv
from bolus.vessels.kmeans import find_by_kmeans
from bolus.vessels.search import find_by_score
from bolus.vessels.selection import METHODS, find_vessels

__all__ = [
    "METHODS",
    "OF_TISSUE",
    "ArterySearch",
    "carotid_input",
    "curve_from_csv",
    "curve_from_tissue",
    "find_by_kmeans",
    "find_by_score",
    "find_carotid",
    "find_vessels",
    "is_ipsilateral_and_late",
    "largest_part",
]
