"""Questions to classifiers, after the maps: what they are shown, and what becomes of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bolus.core.errors import BadInput, BadRecipe
from bolus.core.research import About, ResearchResult, refused
from bolus.core.result import Result
from bolus.core.series import Concentration, Series
from bolus.core.units import Modality
from bolus.pipeline.watch import Stopwatch

_KINDS = {Modality.CT: "CT perfusion", Modality.MR: "DSC-MRI", Modality.XA: "X-ray runs"}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a classifier is shown.

    Parameters
    ----------
    series
        As it was read.
    result
        All that the run found: brain, motion, maps, and lesions with their intervals.
    contrast
        Of X-ray runs: contrast over time before the noise filter [nat], still and evenly in time; None for
        CT and MR.
    """

    series: Series
    result: Result
    contrast: Concentration | None = None


class Classifier(Protocol):
    """What answers a question about a study, such as `bolus.learn.core_size_classifier()`."""

    @property
    def about(self) -> About:
        """Return what it is."""

    def __call__(self, seen: Seen) -> ResearchResult:
        """Return its answer; `BadInput` or `BadRecipe` if it cannot look at such a study, or not as told."""


def require_fitting(classifiers: Sequence[Classifier], modality: Modality) -> None:
    """Refuse now what would be left out.

    Raises
    ------
    BadRecipe
        If a classifier looks at studies of another modality.
    """
    for one in classifiers:
        if one.about.modality is not modality:
            raise BadRecipe(
                f"{one.about.name} is not told from such a study",
                wanted=_KINDS[one.about.modality],
                found=_KINDS[modality],
                remedy=f"Leave --{one.about.name} out.",
            )


def classified(seen: Seen, classifiers: Sequence[Classifier], watch: Stopwatch) -> Result:
    """Return the result with the answers of classifiers; who cannot answer refuses, and the run goes on."""
    if not classifiers:
        return seen.result
    answers = []
    with watch("classify"):
        for one in classifiers:
            try:
                answers.append(one(seen))
            except (BadInput, BadRecipe) as error:
                answers.append(refused(one.about, str(error)))
    return replace(seen.result, research=tuple(answers), timings_s=watch.seconds)
