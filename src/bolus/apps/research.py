"""Classifiers that `bolus run` is asked to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bolus.core.errors import BadRecipe

if TYPE_CHECKING:
    from bolus.core.result import Result
    from bolus.pipeline import Classifier


def asked(*, core_size: bool, levels: str, thrombus: bool = False) -> tuple[Classifier, ...]:
    """Return the classifiers of options of `bolus run`.

    Raises
    ------
    BadRecipe
        If levels are no two slices, or nobody asks for what needs them.
    """
    if levels and not core_size:
        raise BadRecipe("--levels goes with --core-size", found=levels)
    if not (core_size or thrombus):
        return ()
    from bolus import learn

    chosen: list[Classifier] = [learn.large_core(levels=two_slices(levels))] if core_size else []
    return (*chosen, *([learn.clot_finder()] if thrombus else []))


def joined(results: list[Result], asked: Sequence[Classifier]) -> list[Result]:
    """Return the results of the views of one injection with what is said of them together."""
    from bolus import learn

    for one in asked:
        if isinstance(one, learn.ClotFinder):
            results = one.paired(results)
    return results


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
