"""Classifiers that `bolus run` is asked to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bolus.core.errors import BadRecipe

if TYPE_CHECKING:
    from bolus.pipeline import Classifier


def asked(*, core_size: bool, levels: str) -> tuple[Classifier, ...]:
    """Return the classifiers of options of `bolus run`.

    Raises
    ------
    BadRecipe
        If levels are no two slices, or nobody asks for what needs them.
    """
    if not core_size:
        if levels:
            raise BadRecipe("--levels goes with --core-size", found=levels)
        return ()
    from bolus import learn

    return (learn.large_core(levels=two_slices(levels)),)


def two_slices(levels: str) -> tuple[int, int] | None:
    """Return the two slices of a text such as `9,14`; None where it is empty.

    Raises
    ------
    BadRecipe
        If it is no two slices.
    """
    if not levels:
        return None
    parts = [part.strip() for part in levels.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise BadRecipe("no two slices", wanted="two numbers from 0 on, such as 9,14", found=levels)
    return int(parts[0]), int(parts[1])
