"""What is varied on simulated CT curves: the axes of tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bolus.physics.transport import RESIDUES
from bolus.validate.assess import Validation
from bolus.validate.experiments import DISPERSIONS_S, INTERVALS_S, LENGTHS_S, NOISES_HU, SHIFTS_S, USUAL_HU
from bolus.validate.rows import UNITS, Conditions, Row

EXPONENTIAL: Final[Conditions] = MappingProxyType({"residue": "exponential"})
USUAL: Final[Conditions] = MappingProxyType({"residue": "exponential", "noise_hu": USUAL_HU})
_TIMES = {"Tmax": "Tmax - delay", "delay": "delay error"}


@dataclass(frozen=True, slots=True)
class Axis:
    """One condition that is varied.

    Parameters
    ----------
    name
        What it is, with the unit.
    experiment
        Whose rows show it.
    key, values
        The condition.
    given
        Conditions that are held.
    """

    name: str
    experiment: str
    key: str
    values: tuple[float | str, ...]
    given: Conditions

    def rows(self, found: Validation, label: str, quantity: str, tissue: str) -> list[Row | None]:
        """Return the row at each value, None where there is none."""
        told = found.errors(label, self.experiment, quantity, tissue=tissue, **self.given)
        there = {row.source.conditions[self.key]: row for row in told}
        return [there.get(value) for value in self.values]


AXES: Final[Mapping[str, Axis]] = MappingProxyType(
    {
        "noise": Axis("noise [HU]", "noise", "noise_hu", NOISES_HU, EXPONENTIAL),
        "residue": Axis("residue", "noise", "residue", tuple(RESIDUES), {"noise_hu": USUAL_HU}),
        "delay": Axis("delay [s]", "delay", "delay_s", SHIFTS_S, USUAL),
        "dispersion": Axis("dispersion [s]", "dispersion", "dispersion_s", DISPERSIONS_S, USUAL),
        "sampling": Axis("frame interval [s]", "sampling", "dt_s", INTERVALS_S, USUAL),
        "length": Axis("length of the scan [s]", "length", "duration_s", LENGTHS_S, USUAL),
    }
)
"""Axes by name, in the order of reading."""


def error_name(quantity: str) -> str:
    """Return what the error of a quantity is called, with its unit."""
    return f"{_TIMES.get(quantity, f'{quantity} error')} [{UNITS[quantity]}]"
