"""Contrast bolus to perfusion: CT perfusion, DSC-MRI and perfusion DSA. Research software."""

__version__ = "0.1.0"
