"""The only door in: finds the perfusion series of a study and reads it, with its clock."""

from bolus.read.options import ReadOptions

__all__ = ["ReadOptions"]
