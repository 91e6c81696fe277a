"""What is put to the test: a deconvolution method with its options."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bolus.core.errors import BadRecipe
from bolus.deconvolve import METHODS, Deconvolve, method_of
from bolus.deconvolve.blocks import check_options
from bolus.validate.rows import label


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method under test.

    Parameters
    ----------
    name
        What rows call it.
    method
        A name in `bolus.deconvolve.METHODS`, or any function like them.
    options
        Keyword options of the method.
    """

    name: str
    method: str | Deconvolve
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and options in one word."""
        return label(self.name, self.options)


def candidates(texts: Iterable[str] = ()) -> tuple[Candidate, ...]:
    """Return the methods that texts name, each once; all of them when there is no text.

    Parameters
    ----------
    texts
        Such as `osvd` or `osvd:limit=7.8`; several options are parted by commas.

    Raises
    ------
    BadRecipe
        If a method or an option is unknown.
    """
    found = {c.label: c for c in map(_parsed, texts or METHODS)}
    return tuple(found.values())


def _parsed(text: str) -> Candidate:
    name, _, rest = text.partition(":")
    options = dict(_option(part, text) for part in rest.split(",") if part)
    check_options(method_of(name), options)
    return Candidate(name, name, options)


def _option(part: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise BadRecipe("an option has no value", wanted="METHOD:option=value", found=text)
    try:
        return name.strip(), literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return name.strip(), value.strip()
