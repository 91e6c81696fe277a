"""Units, modalities and the physical constants that belong to no single formula.

The forward model of every method here (Meier & Zierler 1954; Østergaard et al. 1996,
doi:10.1002/mrm.1910360510) is ``C_t = (rho / kappa_H) * F * (C_a convolved with R)`` with flow F in
mL/g/s. `k(t) = (rho / kappa_H) * F * R(t)` is what deconvolution gives [1/s]. `TISSUE_SCALE` turns it
into flow; it is applied once, in `bolus.quantify`, and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

HEMATOCRIT_LARGE: Final = 0.45
"""Haematocrit in large vessels."""
HEMATOCRIT_SMALL: Final = 0.25
"""Haematocrit in capillaries."""
KAPPA_H: Final = (1 - HEMATOCRIT_LARGE) / (1 - HEMATOCRIT_SMALL)
"""Haematocrit correction kappa_H, about 0.7333 [no unit]."""
TISSUE_DENSITY_G_ML: Final = 1.04
"""Density rho of brain tissue [g/mL]."""
TISSUE_SCALE: Final = KAPPA_H / TISSUE_DENSITY_G_ML
"""kappa_H / rho, about 0.7051 [mL/g]."""
ML_100G_MIN_PER_ML_G_S: Final = 6000.0
"""How many mL/100 g/min make one mL/g/s."""


class Modality(StrEnum):
    """Kind of machine that made the series."""

    CT = "CT"
    MR = "MR"
    XA = "XA"


class Unit(StrEnum):
    """Unit of a series, a curve or a map, spelt as in reports."""

    HU = "HU"
    SIGNAL = "a.u."
    PER_SECOND = "1/s"
    NAT = "nat"
    FLOW = "mL/100 g/min"
    VOLUME = "mL/100 g"
    SECOND = "s"
    RATIO = "1"
