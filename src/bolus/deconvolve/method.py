"""What every deconvolution method looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bolus.core.arrays import Curve, Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Estimate


@runtime_checkable
class Deconvolve(Protocol):
    """A function from tissue curves and their arterial curve to an `Estimate`.

    Data are positional, options are keyword-only with a default each, and each row of the result
    depends on the same row of the curves alone.
    """

    def __call__(self, curves: Floats, aif: Curve, dt: float, /, *args: Any, **options: Any) -> Estimate:
        """Estimate flow and times.

        Parameters
        ----------
        curves
            Tissue contrast, shape `(voxels, t)`.
        aif
            Arterial contrast in the same unit, shape `(t,)`.
        dt
            Frame interval [s].

        Returns
        -------
        One value a voxel and parameter; NaN where no flow could be found.
        """
        ...


class Tune(Protocol):
    """A function that settles options from the whole scan, before a method sees its blocks."""

    def __call__(
        self, curves: Floats, aif: Curve, dt: float, options: Mapping[str, Any], /
    ) -> Mapping[str, Any]:
        """Return the options with what had to be settled."""
        ...


def is_number(value: object) -> bool:
    """Tell whether an option is one number, as no text, switch, list or table of a recipe is."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def require_switch(value: object, name: str) -> bool:
    """Return an option that must be true or false, or raise `BadRecipe`: the text "false" would be true."""
    if not isinstance(value, (bool, np.bool_)):
        raise BadRecipe(f"{name} is out of range", wanted="true or false", found=repr(value))
    return bool(value)


def require_fraction(value: float, name: str) -> float:
    """Return an option that must lie between 0 and 1, or raise `BadRecipe`."""
    if not is_number(value) or not 0 < value < 1:
        raise BadRecipe(f"{name} is out of range", wanted="a number between 0 and 1", found=repr(value))
    return float(value)


def require_not_negative(value: float, name: str) -> float:
    """Return an option that must be a number from 0 on, or raise `BadRecipe`."""
    if not is_number(value) or not 0 <= value < float("inf"):
        raise BadRecipe(f"{name} is out of range", wanted="a number from 0 on", found=repr(value))
    return float(value)


def require_one_of(value: str, name: str, choices: tuple[str, ...]) -> str:
    """Return an option that must be one of some words, or raise `BadRecipe`."""
    if value not in choices:
        raise BadRecipe(f"unknown {name}", wanted=" or ".join(choices), found=repr(value))
    return value
