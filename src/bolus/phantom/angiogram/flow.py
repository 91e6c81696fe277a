"""How contrast runs through the tree: arrivals, a clot, and what collaterals bring behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s
from bolus.phantom.angiogram.branch import Branch, length_along, transit
from bolus.phantom.angiogram.curves import Kind

PLACE: Final = {
    "ICA": (0.82, 0.99),
    "M1": (0.12, 0.9),
    "M2": (0.15, 0.9),
    "M3": (0.1, 0.7),
    "A2": (0.15, 0.8),
}
"""Part of the artery that the clot sits at."""
SIZE_MM: Final = (3.0, 9.0)
STUMP_POINTS: Final = 9
"""Points of an artery before a clot where blood hardly moves."""
NO_STRENGTH: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Strand:
    """A tube that is filled in one way.

    Parameters
    ----------
    name, kind
        Name of the vessel and what happened to the contrast in it.
    course
        Points and radii in head coordinates [mm], shape `(n, 4)`.
    delay_s, strength
        Arrival after the injection [s], and contrast as a part of what its curve says, shape `(n,)` each.
    """

    name: str
    kind: Kind
    course: Float64s
    delay_s: Float64s
    strength: Float64s

    def part(self, first: int, last: int | None) -> Strand:
        """Return the strand from its point `first` to before its point `last`."""
        cut = slice(first, last)
        return replace(self, course=self.course[cut], delay_s=self.delay_s[cut], strength=self.strength[cut])


@dataclass(frozen=True, slots=True, eq=False)
class Terminals:
    """Where arteries end and tissue begins, shape `(n, 3)` and `(n,)`.

    Parameters
    ----------
    place, weight
        Head coordinates [mm] and share of the blood.
    delay_s, late
        Arrival after the injection [s], and whether it came through collaterals.
    """

    place: Float64s
    weight: Float64s
    delay_s: Float64s
    late: Float64s


@dataclass(frozen=True, slots=True, eq=False)
class Clot:
    """A clot and what lies behind it.

    Parameters
    ----------
    branch, at, last
        Branch that it sits in, and its first and last point there.
    place
        Its near face in head coordinates [mm], shape `(3,)`.
    behind
        For each branch the first point that no antegrade contrast reaches; beyond its last: all of it
        is reached.
    only_late
        Whether what lies behind is filled as densely as without a clot, only later.
    """

    branch: int
    at: int
    last: int
    place: Float64s
    behind: tuple[int, ...]
    only_late: bool = False


def with_arrivals(branches: Sequence[Branch], speed: float) -> list[Branch]:
    """Return branches with their arrivals after the injection; parents come before their branches."""
    timed: list[Branch] = []
    for branch in branches:
        start = 0.0 if branch.parent < 0 else float(timed[branch.parent].delay_s[branch.leaves_at])
        timed.append(branch.moved(delay_s=start + transit(branch.course, speed)))
    return timed


def place_clot(branches: Sequence[Branch], site: str, rng: np.random.Generator) -> Clot | None:
    """Put a clot into one of the arteries of a site; None if there is none."""
    able = [n for n, branch in enumerate(branches) if _belongs(branch.name, site)]
    if not able:
        return None
    number = int(rng.choice(able))
    course = branches[number].course
    along = length_along(course)
    at = int(np.searchsorted(along, rng.uniform(*PLACE[site]) * along[-1]))
    at = min(max(at, 1), len(course) - 2)
    last = min(int(np.searchsorted(along, along[at] + rng.uniform(*SIZE_MM))), len(course) - 1)
    return Clot(number, at, last, course[at, :3], _behind(branches, number, at))


def _belongs(name: str, site: str) -> bool:
    return name == site or (site in {"M2", "M3"} and name.startswith(f"{site} "))


def _behind(branches: Sequence[Branch], number: int, at: int) -> tuple[int, ...]:
    """Return for each branch the first point that lies behind a point of one of them."""
    first: list[int] = []
    for n, branch in enumerate(branches):
        end = len(branch.course)
        if n == number:
            first.append(at)
        elif branch.parent < 0:
            first.append(end)
        else:
            leaves = range(len(branches[branch.parent].course))[branch.leaves_at]
            first.append(0 if leaves >= first[branch.parent] else end)
    return tuple(first)


def strands(branches: Sequence[Branch], clot: Clot | None, collaterals: tuple[float, float]) -> list[Strand]:
    """Return all arteries as they fill.

    Parameters
    ----------
    collaterals
        Strength of what they bring, and their delay after the near face of the clot [s].
    """
    filled: list[Strand] = []
    for n, branch in enumerate(branches):
        stop = len(branch.course) if clot is None else clot.behind[n]
        stands = clot is not None and clot.branch == n and not clot.only_late
        still = max(stop - STUMP_POINTS, 1) if stands else stop
        filled += _filled(branch, (0, still), Kind.ARTERY) + _filled(branch, (still - 1, stop), Kind.STUMP)
        if clot is not None and stop < len(branch.course):
            filled += _behind_clot(branches, n, clot, collaterals)
    return filled


def _filled(branch: Branch, ends: tuple[int, int], kind: Kind) -> list[Strand]:
    """Return the part of a branch between two points as a strand, if it is one."""
    part = slice(*ends)
    if ends[1] - ends[0] < 2:
        return []
    strength = np.broadcast_to(np.asarray(branch.strength, dtype=np.float64), len(branch.course))
    return [Strand(branch.name, kind, branch.course[part], branch.delay_s[part], strength[part])]


def _behind_clot(
    branches: Sequence[Branch], n: int, clot: Clot, collaterals: tuple[float, float]
) -> list[Strand]:
    """Return the part of a branch that fills backwards, the far ends first; the clot itself stays empty."""
    strength, delay = collaterals
    branch = branches[n]
    if clot.only_late:
        late = late_arrivals(branch.delay_s, branches, clot, delay)
        return _filled(replace(branch, delay_s=late), (max(clot.behind[n] - 1, 0), len(late)), Kind.ARTERY)
    first = clot.last + 1 if n == clot.branch else clot.behind[n]
    if strength < NO_STRENGTH or len(branch.course) - first < 2:
        return []
    part = slice(first, len(branch.course))
    late = late_arrivals(branch.delay_s[part], branches, clot, delay)
    return [Strand(branch.name, Kind.COLLATERAL, branch.course[part], late, np.full(len(late), strength))]


def late_arrivals(antegrade_s: Float64s, branches: Sequence[Branch], clot: Clot, delay_s: float) -> Float64s:
    """Return arrivals through collaterals where the antegrade ones would have been [s], same shape."""
    start = float(branches[clot.branch].delay_s[clot.at])
    lost = [b.delay_s[-1] for b, first in zip(branches, clot.behind, strict=True) if first < len(b.course)]
    return np.asarray(start + delay_s + np.maximum(max(lost) - antegrade_s, 0.0))


def terminals(branches: Sequence[Branch], clot: Clot | None, delay_s: float) -> Terminals:
    """Return the ends of all arteries of the brain that nothing leaves, weighted with their cross section."""
    mothers = {branch.parent for branch in branches}
    ends = [n for n, b in enumerate(branches) if n not in mothers and _feeds_brain(b.name)]
    if not ends:
        nothing = np.empty(0)
        return Terminals(np.empty((0, 3)), nothing, nothing, nothing)
    place = np.array([branches[n].course[-1] for n in ends])
    arrival = np.array([branches[n].delay_s[-1] for n in ends])
    late = np.array([clot is not None and clot.behind[n] < len(branches[n].course) for n in ends])
    if clot is not None and late.any():
        arrival = np.where(late, late_arrivals(arrival, branches, clot, delay_s), arrival)
    strength = np.array([np.mean(branches[n].strength) for n in ends])
    weight = place[:, 3] ** 2
    return Terminals(place[:, :3], weight / weight.sum() * strength, arrival, late.astype(np.float64))


def _feeds_brain(name: str) -> bool:
    return not name.startswith(("ECA", "ICA", "aneurysm", "ophthalmic", "PCom"))
