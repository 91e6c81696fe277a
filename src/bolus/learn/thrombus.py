"""A clot or not, and where, as `bolus run --thrombus` answers it: of one view, or of both together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid
from bolus.core.research import About, Bounds, Marker, Quantity, Reply, ResearchResult, Score
from bolus.core.result import Result
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn import runs
from bolus.learn.calibration import mean_chance, put_right, undone
from bolus.learn.clots import grey_frames
from bolus.learn.ica import THRESHOLD, carotid
from bolus.learn.infer import Network, load
from bolus.learn.likeness import strangest
from bolus.learn.score import chance_of
from bolus.pipeline import Seen
from bolus.pipeline.angiogram import Run, carotid_doubts

SHIPPED: Final = Path(__file__).parent / "weights" / "thrombus.onnx"
NAME: Final = "thrombus"
READERS_PERCENT: Final = 2.0
"""How far apart two readers of the paper put the same clot [% of the image's width]."""
FEWEST_FRAMES: Final = 8
LEAST_S: Final = 6.0
"""Shorter runs end before late vessels fill [s]."""
_SITES: Final = ("A", "B")


@dataclass(frozen=True, slots=True, eq=False)
class ClotFinder:
    """Answers whether an X-ray run of the carotid shows a clot, and points at it.

    Parameters
    ----------
    network
        Of the task `thrombus`.

    References
    ----------
    Mittmann et al., Int J CARS 17:1633-1641 (2022), doi:10.1007/s11548-022-02654-8 (the question, and how
    far apart readers point).
    """

    network: Network

    @property
    def about(self) -> About:
        """What it is, and how good it is on patients who had no part in it."""
        card = self.network.card
        n = int(card.data.get("train", {}).get("patients", 0))
        return About(
            name=NAME,
            question="Does the run show a clot in the carotid artery or its branches?",
            modality=Modality.XA,
            how=_how("one view; both views together are surer"),
            caution="Not for diagnosis, nor for finding or excluding clots in patients.",
            trained_on=f"{n} simulated patients" if n else "",
            scores=_scores(card.scores),
        )

    def __call__(self, seen: Seen) -> ResearchResult:
        """Return its answer about one view.

        Raises
        ------
        BadInput
            If no carotid artery was injected, the run is too short, or unlike those of the training.
        """
        _refuse_without_carotid(seen.result.findings)
        require_length(seen.series)
        if seen.contrast is None:
            raise BadInput("the contrast of the run was not kept")
        frames, known = grey_frames(seen.contrast), self.network.card.calibration
        found = ask(self.network, frames)
        chance = _put_right([chance_of(found)], known)
        shape = (frames.shape[1], frames.shape[2])
        return self._said(chance, known, marked(found, shape, seen.result.grid, known))

    def paired(self, results: Sequence[Result]) -> list[Result]:
        """Return the results of views of one injection, each with the answer of both views together.

        The log-odds of the views are averaged. Where only one view was answered for, it stays as it is.
        """
        own = [next((one for one in r.research if one.about.name == NAME), None) for r in results]
        said = [one for one in own if one is not None and one.probability is not None]
        if len(said) < 2:
            return list(results)
        known = self.network.card.calibration
        raw = [float(c) for c in undone([one.probability.value for one in said if one.probability], known)]
        chance = _put_right(raw, known.get("pair", {}))
        return [
            result if one is None or one.probability is None else _with(result, self._both(one, chance))
            for result, one in zip(results, own, strict=True)
        ]

    def _both(self, one: ResearchResult, chance: float) -> ResearchResult:
        together = self._said(chance, self.network.card.calibration.get("pair", {}), one.markers)
        alone = 100.0 * (one.probability.value if one.probability else float("nan"))
        told = Quantity("chance by this view alone", "%", Bounds(alone, alone, alone))
        about = replace(together.about, how=_how("both views together"))
        return replace(together, about=about, quantities=(told, *together.quantities))

    def _said(self, chance: float, known: Mapping[str, Any], markers: tuple[Marker, ...]) -> ResearchResult:
        said = reply(chance, known)
        low, high = known.get("unsure", (0.5, 0.5))
        reason = f"Chances of {low:.2f} to {high:.2f} are too often wrong to say."
        return ResearchResult(
            self.about,
            said,
            reason if said is Reply.UNSURE else "",
            Bounds(chance, chance, chance),
            markers=() if said is Reply.NO else markers,
        )


@cache
def clot_finder() -> ClotFinder:
    """Return what answers whether an X-ray run shows a clot, with the network of this installation.

    Raises
    ------
    BadRecipe
        If its file is missing.
    UnreadableFile, BadInput
        If its card is missing, or it was changed.
    """
    if not SHIPPED.is_file():
        raise BadRecipe(
            "this installation has no network for clots",
            wanted=str(SHIPPED),
            remedy="Train one with `make weights-thrombus`, or put an exported network and its card there.",
        )
    return ClotFinder(load(SHIPPED, task=NAME))


def ask(network: Network, frames: Float32s) -> Float32s:
    """Return what a network itself says of a run: where and whether, shape `(2, y, x)`, or `(1,)`.

    Parameters
    ----------
    network
        Of the task `thrombus`.
    frames
        Of `bolus.learn.clots.grey_frames`, shape `(t, y, x)`.

    Raises
    ------
    BadInput
        If the run is unlike those that the network was trained with.
    """
    strange = strangest(network.card.calibration.get("ranges", {}), runs.features(frames))
    if strange is not None:
        raise BadInput("the run is unlike those that the network was trained with", found=str(strange))
    return runs.raw_answer(network, runs.make_case(frames, patient="asked", clot=False))


def reply(chance: float, known: Mapping[str, Any]) -> Reply:
    """Return yes, no, or that it is not known, of a chance and the `unsure` band in a card."""
    low, high = (float(bound) for bound in known.get("unsure", (0.5, 0.5)))
    if low < chance < high:
        return Reply.UNSURE
    return Reply.YES if chance >= high else Reply.NO


def in_words(one: Mapping[str, Any]) -> str:
    """Write one entry of `bolus.learn.clot_answer.predict` as a line."""
    if one["chance"] is None:
        return f"{one['view']}: refused: {one['reason']}"
    where = f", at column {one['place']['x']:.0f}, row {one['place']['y']:.0f}" if one["place"] else ""
    seen = where if one["reply"] != Reply.NO.value else ""
    return f"{one['view']}: a clot: {one['reply']}, chance {one['chance']:.2f}{seen}"


def _how(views: str) -> str:
    return (
        f"A network sees how dark each pixel is over time, and answers for {views}. The ring marks where it "
        f"sees the clot; two readers differ by {READERS_PERCENT:g} % of the image's width."
    )


def require_carotid(run: Run) -> None:
    """Refuse runs in which the network for the carotid artery finds none, as `bolus run` does.

    Raises
    ------
    BadInput
        If it outlines nothing, or is sure that another artery was injected.
    """
    segment = carotid()
    empty = not (segment(run.minip, run.field) >= THRESHOLD).any()
    _refuse_without_carotid(carotid_doubts(segment.doubt(run.minip, run.field), empty=empty))


def _refuse_without_carotid(findings: Iterable[Finding]) -> None:
    """Refuse runs in which the search for the carotid artery failed: vertebral injections, no head."""
    for finding in findings:
        if finding.code == "NO_CAROTID" and finding.severity is Severity.FAIL:
            raise BadInput(
                "no internal carotid artery was found in the run",
                wanted="an injection of the carotid artery",
                remedy="If it is one, outline the artery with --aif MASK.nii.gz.",
            )


def require_length(series: Series) -> None:
    """Refuse runs that end before vessels fill late.

    Raises
    ------
    BadInput
        If there are fewer than 8 frames, or they last less than 6 s.
    """
    n, lasts = series.n_frames, float(np.ptp(series.times))
    if n < FEWEST_FRAMES or lasts < LEAST_S:
        raise BadInput(
            "the run is too short to see late vessels fill",
            wanted=f"at least {FEWEST_FRAMES} frames over {LEAST_S:g} s",
            found=f"{n} over {lasts:.1f} s",
            remedy="Give the whole run, from before the contrast to the veins.",
        )


def _put_right(chances: Sequence[float], known: Mapping[str, Any]) -> float:
    """Return the chance of mean log-odds, put right as was measured."""
    return float(put_right([mean_chance(chances)], known)[0])


def marked(found: Any, shape: tuple[int, int], grid: Grid, known: Mapping[str, Any]) -> tuple[Marker, ...]:
    """Return the place in the answer, with a circle as wide as past errors, in pixels as stored."""
    place = runs.pointed(found, shape)
    if place is None or not known.get("place"):
        return ()
    reach, level = (float(known["place"][name]) for name in ("reach", "level"))
    radius = max(reach * place.spread_percent, READERS_PERCENT / 2) / 100.0 * shape[1]
    return (Marker("clot", *as_stored(place, grid), radius, level),)


def as_stored(place: runs.Pointed, grid: Grid) -> tuple[float, float, float]:
    """Return column, row and frame of a place in the pixels of the file, however the grid was turned."""
    here = (place.x, place.y, 0.0)
    x, y, z = (
        grid.shape[axis] - 1 - here[axis] if flipped else here[axis]
        for axis, flipped in zip(grid.axes, grid.flips, strict=True)
    )
    return x, y, z


def _with(result: Result, one: ResearchResult) -> Result:
    others = tuple(one if each.about.name == NAME else each for each in result.research)
    return replace(result, research=others)


def _scores(scores: Mapping[str, Any]) -> tuple[Score, ...]:
    """Return what pairs of views reached on the patients that the card knows."""
    found = []
    for site in _SITES:
        reached = scores.get(f"site {site}", {}).get("verdicts", {}).get("pair")
        if reached:
            auc = Bounds(*(float(reached["auc"][name]) for name in ("value", "low", "high")))
            found.append(Score(f"simulated patients, both views, site {site}", int(reached["cases"]), auc))
    return tuple(found)
