"""A large core or not, as `bolus run --core-size` says: by the maps, with the network's answer beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from bolus.core.errors import BadInput
from bolus.core.research import About, Bounds, Quantity, Reply, ResearchResult, Score
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn import core_size
from bolus.learn.core_volume import Measured, lies_still, measured
from bolus.learn.infer import Network, load
from bolus.learn.likeness import strangest
from bolus.pipeline import Seen

SHIPPED: Final = Path(__file__).parent / "weights" / "core-size.onnx"
SURE: Final = 0.8
"""Chance from which the answer is yes, and 1 minus which it is no; between them it is not known."""
_SITES: Final = ("A", "B")
_AGAIN: Final = "By maps of contrast averaged more widely, because noise withholds the volumes of this study."
_NOISY: Final = (
    " This study is so noisy that no volume of it is given: look at the maps before believing a chance."
)
_FEWEST: Final = 10
"""Patients without whom there is no score worth telling."""


@dataclass(frozen=True, slots=True, eq=False)
class LargeCore:
    """Answers whether the core is large.

    Parameters
    ----------
    network
        That of the task `core-size`, whose answer stands beside that of the maps.
    levels
        The ganglionic and the supraganglionic slice, counted from 0; None: found.
    """

    network: Network
    levels: tuple[int, int] | None = None

    @property
    def limit_ml(self) -> float:
        """Volume from which a core is large [mL]: that which the network was trained with."""
        return core_size.limit_of(self.network)

    @property
    def about(self) -> About:
        """What it is, and how good it is on patients who had no part in it."""
        card = self.network.card
        n = int(card.data.get("train", {}).get("patients", 0))
        return About(
            name="core-size",
            question=f"Is the core {self.limit_ml:.0f} mL or larger?",
            modality=Modality.CT,
            how="The chance is that of the core's volume in the maps, by its interval; where noise withholds "
            "it, in maps of contrast averaged more widely. A network that sees two slices and no maps "
            "answers beside it." + _unanswered(card.scores),
            caution="Not for diagnosis, nor for selecting patients for treatment.",
            trained_on=f"{n} simulated patients (the network)" if n else "",
            scores=_scores(card.scores),
        )

    def __call__(self, seen: Seen) -> ResearchResult:
        """Return its answer about a CT perfusion study.

        Raises
        ------
        BadInput
            If the volumes of the maps are withheld for more than noise, or have no intervals.
        """
        core = measured(seen.series, seen.result)
        chance, large = (core.chance_above(limit) for limit in (self.limit_ml, core_size.TRIALS_ML))
        by_network, doubt = self._by_network(seen)
        said = (_doubt(chance, self.limit_ml), _AGAIN if core.again else "", doubt)
        return ResearchResult(
            self._about(core),
            reply(chance),
            " ".join(text for text in said if text),
            Bounds(chance, chance, chance),
            (
                *_volume(core),
                Quantity(f"chance of {core_size.TRIALS_ML:.0f} mL or more", "%", _percent(large)),
                *by_network,
            ),
        )

    def _about(self, core: Measured) -> About:
        """Return what it is, with a word of caution where the study is noisy."""
        return replace(self.about, caution=self.about.caution + _NOISY) if core.again else self.about

    def _by_network(self, seen: Seen) -> tuple[tuple[Quantity, ...], str]:
        """Return what the network says, or nothing and why."""
        try:
            found = ask(self.network, seen.series, levels=self.levels, still=lies_still(seen.result))
        except BadInput as error:
            return (), f"The network does not answer: {error}"
        return (Quantity("chance by the network", "%", _percent(found.chance)),), ""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network says of a study.

    Parameters
    ----------
    chance
        Of a large core, 0-1.
    image
        What it was shown, shape `(2, 32, 128, 128)` [HU].
    levels
        The two slices.
    where
        Chance of each cell to be core, shape `(2, 64, 64)`; None where the network gives none.
    """

    chance: float
    image: Any
    levels: Any
    where: Any = None


def ask(
    network: Network, series: Series, *, levels: tuple[int, int] | None = None, still: bool = False
) -> Answer:
    """Ask a network of the task `core-size` about a CT perfusion study.

    Parameters
    ----------
    network
        Of the task.
    series, levels, still
        As `bolus.learn.core_size.network_input` takes them.

    Raises
    ------
    BadInput
        If the study is no CT, has one slice or too few frames, shows no brain or no bolus, or is unlike the
        studies that the network was trained with.
    BadRecipe
        If a given slice does not exist.
    """
    image, found = core_size.network_input(series, levels=levels, still=still)
    core_size.require_bolus(image)
    strange = strangest(network.card.calibration.get("ranges", {}), core_size.features(image))
    if strange is not None:
        raise BadInput("the study is unlike those that the network was trained with", found=str(strange))
    case = core_size.make_case(image, core_ml=0.0, patient="asked", levels=found)
    chance, where = core_size.reading(network, case)
    return Answer(chance, image, found, where)


def reply(chance: float, band: tuple[float, float] = (1.0 - SURE, SURE)) -> Reply:
    """Return yes, no, or that it is not known, of a chance and the band in which it is not."""
    if band[0] < chance < band[1]:
        return Reply.UNSURE
    return Reply.YES if chance >= band[1] else Reply.NO


@cache
def shipped() -> Network:
    """Return the network that comes with `bolus`, loaded once."""
    return load(SHIPPED, task="core-size")


def large_core(*, levels: tuple[int, int] | None = None) -> LargeCore:
    """Return what answers whether the core of a CT perfusion study is large, for `bolus.run`.

    Parameters
    ----------
    levels
        The ganglionic and the supraganglionic slice for the network, counted from 0; None: found.

    Raises
    ------
    UnreadableFile, BadInput
        If the shipped network is missing or was changed.
    """
    return LargeCore(shipped(), levels)


def _doubt(chance: float, limit_ml: float) -> str:
    if reply(chance) is not Reply.UNSURE:
        return ""
    return f"The volume is too near to {limit_ml:.0f} mL to tell."


def _volume(core: Measured) -> tuple[Quantity, ...]:
    """Return the volume, unless the run withholds it."""
    return () if core.again else (Quantity("core volume", "mL", Bounds(core.volume_ml, *core.bounds_ml)),)


def _percent(chance: float) -> Bounds:
    return Bounds(100.0 * chance, 100.0 * chance, 100.0 * chance)


def _scores(scores: Mapping[str, Any]) -> tuple[Score, ...]:
    """Return what maps and network reached on the patients that the card knows, where they are enough."""
    found = []
    for site in _SITES:
        known = scores.get(f"site {site}", {})
        for who, verdicts in (
            ("maps", known.get("rivals", {}).get("maps")),
            ("network", known.get("verdicts")),
        ):
            if verdicts and int(verdicts["all"]["cases"]) >= _FEWEST:
                auc, n = verdicts["all"]["auc"], int(verdicts["all"]["cases"])
                bounds = Bounds(*(float(auc[name]) for name in ("value", "low", "high")))
                found.append(Score(f"simulated patients of site {site} by the {who}", n, bounds))
    return tuple(found)


def _unanswered(scores: Mapping[str, Any]) -> str:
    """Say in how many of the card's patients the maps did not answer."""
    told = []
    for site in _SITES:
        known = scores.get(f"site {site}", {})
        if "verdicts" in known and "maps" in known.get("rivals", {}):
            n, answered = (int(v["all"]["cases"]) for v in (known["verdicts"], known["rivals"]["maps"]))
            told.append(f"{n - answered} of {n} of site {site}")
    return f" The maps gave no answer in {' and '.join(told)}." if told else ""
