"""All experiments, all methods: the main path of `bolus validate`."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from bolus.core.finding import Progress, silent
from bolus.validate.candidate import Candidate
from bolus.validate.experiments import EXPERIMENTS
from bolus.validate.others import bezier, osipi
from bolus.validate.rows import Row, Score
from bolus.validate.setup import FULL, Effort, Setup

_T = TypeVar("_T", Row, Score)
_PACKAGES = ("bolus", "numpy", "scipy", "numba")


@dataclass(frozen=True)
class Validation:
    """What all methods made of all experiments.

    Parameters
    ----------
    candidates
        Methods, in the order of the tables.
    effort, seed
        With the versions, what the numbers can be made again from.
    rows, scores
        Errors and figures of merit, experiment by experiment.
    seconds
        Time that each method took to make maps of all curves, by its label [s]; its compilation counts.
    n_curves
        Curves that each method was given.
    versions
        Versions by package.
    """

    candidates: tuple[Candidate, ...]
    effort: Effort
    seed: int
    rows: tuple[Row, ...]
    scores: tuple[Score, ...]
    seconds: Mapping[str, float]
    n_curves: int
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the candidates."""
        return tuple(c.label for c in self.candidates)

    @cached_property
    def _rows(self) -> Mapping[tuple[str, ...], list[Row]]:
        return _grouped(self.rows, lambda r: (r.source.label, r.source.experiment, r.quantity))

    @cached_property
    def _scores(self) -> Mapping[tuple[str, ...], list[Score]]:
        return _grouped(self.scores, lambda s: (s.source.label, s.source.experiment, s.quantity, s.measure))

    def errors(self, label: str, experiment: str, quantity: str, **conditions: float | str) -> list[Row]:
        """Return the rows of a method that agree with conditions, in the order of the experiment."""
        return _agreeing(self._rows.get((label, experiment, quantity), []), conditions)

    def score(self, label: str, experiment: str, about: tuple[str, str], **conditions: float | str) -> float:
        """Return a figure of merit, or the mean of several that agree with the conditions; NaN without any.

        Parameters
        ----------
        about
            Quantity and measure.
        """
        values = [s.value for s in _agreeing(self._scores.get((label, experiment, *about), []), conditions)]
        return sum(values) / len(values) if values else float("nan")


def assess(
    candidates: Iterable[Candidate],
    *,
    effort: Effort = FULL,
    seed: int = 0,
    osipi_folder: Path | None = None,
    bezier_folder: Path | None = None,
    progress: Progress = silent,
) -> Validation:
    """Measure methods against known truth in every experiment.

    Parameters
    ----------
    candidates
        Methods; see `candidates`.
    effort
        How many voxels.
    seed
        Same seed, same curves: those of an experiment depend on nothing else.
    osipi_folder, bezier_folder
        Reference data of others, where they are at hand; see `read_osipi` and `read_bezier`.
    progress
        Called as `progress(experiment, done, total)`.

    Raises
    ------
    UnreadableFile
        If a folder does not hold the data.
    BadRecipe
        If an option of a method is out of range.
    """
    methods = tuple(candidates)
    setups = [setup for experiment in EXPERIMENTS.values() for setup in experiment(effort)]
    setups += osipi(osipi_folder) if osipi_folder else []
    setups += bezier(bezier_folder) if bezier_folder else []
    found: list[Row | Score] = []
    seconds = dict.fromkeys((c.label for c in methods), 0.0)
    n_curves = 0
    for setup, tell in _told(setups, progress):
        samples = setup.samples(seed)
        n_curves += sum(len(s.scan.curves) for s in samples)
        for candidate in methods:
            start = perf_counter()
            outcome = setup.outcome(candidate, samples)
            seconds[candidate.label] += perf_counter() - start
            found += setup.judged(candidate, outcome)
        tell()
    return Validation(
        methods,
        effort,
        seed,
        tuple(f for f in found if isinstance(f, Row)),
        tuple(f for f in found if isinstance(f, Score)),
        seconds,
        n_curves,
        {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    )


def _told(setups: list[Setup], progress: Progress) -> Iterator[tuple[Setup, Callable[[], None]]]:
    """Yield settings, each with what tells that it is done."""
    totals, done = Counter(s.experiment for s in setups), Counter[str]()
    for setup in setups:

        def tell(name: str = setup.experiment) -> None:
            done[name] += 1
            progress(name, done[name], totals[name])

        yield setup, tell


def _grouped(items: Iterable[_T], key: Callable[[_T], tuple[str, ...]]) -> Mapping[tuple[str, ...], list[_T]]:
    groups: dict[tuple[str, ...], list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _agreeing(items: list[_T], conditions: Mapping[str, float | str]) -> list[_T]:
    return [i for i in items if all(i.source.conditions.get(k) == v for k, v in conditions.items())]
