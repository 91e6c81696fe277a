"""What an experiment finds: errors of quantities, and single figures of merit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bolus.core.units import Unit

Conditions: TypeAlias = Mapping[str, float | str]
"""What an experiment varies and what it holds, by name; the names carry the units."""

PERCENT: Final = "%"
UNITS: Final[Mapping[str, str]] = {
    "CBF": PERCENT,
    "CBV": Unit.VOLUME.value,
    "MTT": Unit.SECOND.value,
    "Tmax": Unit.SECOND.value,
    "delay": Unit.SECOND.value,
}
"""Quantities, in the order of reading, and the unit of their errors: CBF in percent of the truth."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a row or a score is about.

    Parameters
    ----------
    method, options
        Name of the deconvolution method, and the options that it was given.
    experiment
        One of `bolus.validate.EXPERIMENTS`, `osipi` or `bezier`.
    conditions
        True tissue, noise, sampling and whatever else the experiment sets.
    """

    method: str
    options: Mapping[str, Any]
    experiment: str
    conditions: Conditions

    @property
    def label(self) -> str:
        """Method and options in one word."""
        return label(self.method, self.options)


@dataclass(frozen=True, slots=True)
class Row:
    """Error of one quantity over the voxels of one tissue.

    Parameters
    ----------
    quantity
        A key of `UNITS`.
    bias, sd
        Mean and standard deviation of the error, in its unit; NaN where there are too few numbers.
    median
        Median of the error: far from the bias where a few voxels are far off.
    n, n_failed
        Voxels, and those of them that hold no number.
    """

    source: Source
    quantity: str
    bias: float
    sd: float
    median: float
    n: int
    n_failed: int

    @property
    def unit(self) -> str:
        """Unit of `bias` and `sd`."""
        return UNITS[self.quantity]


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of merit.

    Parameters
    ----------
    quantity
        What it is about: a key of `UNITS`, or `core`.
    measure
        What was measured, such as `r`, `slope` or `coverage_90`; the documentation lists them.
    value
        The figure; NaN where it cannot be had.
    n, n_failed
        Voxels, and those of them that hold no number.
    """

    source: Source
    quantity: str
    measure: str
    value: float
    n: int
    n_failed: int


def label(method: str, options: Mapping[str, Any]) -> str:
    """Return method and options in one word, such as `osvd:limit=7.8`."""
    told = ",".join(f"{name}={value}" for name, value in options.items())
    return f"{method}:{told}" if told else method
