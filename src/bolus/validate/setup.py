"""One setting of an experiment: what is varied, how its curves are made, and how outcomes are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np

from bolus.validate.candidate import Candidate
from bolus.validate.curves import Sample
from bolus.validate.judges import Judge
from bolus.validate.outcome import Outcome, joined, solve
from bolus.validate.rows import Conditions, Row, Score, Source


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    name
        Word for tables.
    is_crossed
        Whether every residue shape meets every noise; otherwise only the exponential does, and the others
        meet that of `USUAL_HU`.
    offsets
        Places of the frames on the bolus that a frame interval is tried at: one alone would be chance.
    tissue_voxels
        For each tissue of a CT scan.
    tile_voxels
        For each of the 245 tiles of a grid.
    arteries, artery_voxels
        Arterial curves a DSC setting, and voxels of each tissue for each.
    """

    name: str
    is_crossed: bool
    offsets: int
    tissue_voxels: int
    tile_voxels: int
    arteries: int
    artery_voxels: int


FULL: Final = Effort("full", True, 4, 1000, 25, 12, 80)
"""Enough to tell methods apart: the mean of CBF is known within 1 % of the truth or better."""
FAST: Final = Effort("fast", False, 2, 100, 6, 2, 50)
"""Enough to see the pattern."""

Make: TypeAlias = Callable[[np.random.Generator], Sequence[Sample]]
"""Makes the samples of a setting: the same tissues, each with an arterial curve of its own."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One setting of an experiment."""

    experiment: str
    conditions: Conditions
    make: Make
    judges: tuple[Judge, ...]

    def samples(self, seed: int) -> Sequence[Sample]:
        """Make the curves: the same for the same seed, whatever else is run."""
        key = crc32(repr((self.experiment, sorted(self.conditions.items()))).encode())
        return self.make(np.random.default_rng([seed, key]))

    def outcome(self, candidate: Candidate, samples: Sequence[Sample]) -> Outcome:
        """Run a method on the samples."""
        return joined([solve(candidate, sample) for sample in samples])

    def judged(self, candidate: Candidate, outcome: Outcome) -> Iterator[Row | Score]:
        """Judge what a method made of the samples."""

        def tell(**more: float | str) -> Source:
            told = {**self.conditions, **more}
            return Source(candidate.name, candidate.options, self.experiment, told)

        for judge in self.judges:
            yield from judge(outcome, tell)
