"""The card of a network: what it is, what it was made from, how good it is, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from bolus.core.errors import BadInput, BadRecipe, UnreadableFile
from bolus.learn import files

KIND: Final = "bolus network card"
RESEARCH_ONLY: Final = (
    "Research software, not a medical device: not for diagnosis, triage or treatment of any patient."
)


@dataclass(frozen=True, slots=True)
class Card:
    """What goes with weights wherever they go.

    Parameters
    ----------
    task
        A name of `bolus.learn.TASKS`.
    takes, gives
        Input and output in words: axes, units, range.
    data
        Where training cases come from: generator, version, seeds, or files; and how many patients.
    recipe
        Every choice of the training.
    scores
        By set and metric: mean with its interval, and what else was counted.
    intended_use, not_for
        In words.
    files
        SHA-256 by name of the files that this card vouches for.
    version
        Of `bolus` that trained.
    calibration
        What answers are put right with: `temperature`, the `unsure` band of chances, and the `ranges` of the
        training's inputs by feature; empty where nothing was measured.
    guard
        What tells answers that are not to be trusted; see `bolus.learn.guard.Guard`. Empty: nothing does.
    """

    task: str
    takes: str
    gives: str
    data: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = ""
    not_for: tuple[str, ...] = (RESEARCH_ONLY,)
    files: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    guard: Mapping[str, Any] = field(default_factory=dict)


def require_name(network: Path) -> None:
    """Make sure that a network's file is not named as its card will be.

    Raises
    ------
    BadRecipe
        If it does not end in `.onnx`.
    """
    if network.suffix != ".onnx":
        raise BadRecipe(
            "a network is written as ONNX", wanted="a file that ends in .onnx", found=network.name
        )


def write_card(card: Card, path: Path) -> None:
    """Write a card as JSON, whole or not at all."""
    files.write_json(path, {"kind": KIND, **asdict(card)})


def read_card(path: Path) -> Card:
    """Read a card that `write_card` wrote.

    Raises
    ------
    UnreadableFile
        If it is missing or not a card.
    """
    document = files.read_json(path, "the card of the network")
    if not _is_card(document):
        raise UnreadableFile("not the card of a network", where=path)
    chosen = {name: value for name, value in document.items() if name != "kind"}
    return Card(**(chosen | {"not_for": tuple(chosen.get("not_for", ()))}))


def _is_card(document: Any) -> bool:
    """Tell whether a document has what a card has, each of its kind, and nothing else."""
    if not isinstance(document, dict) or document.get("kind") != KIND:
        return False
    like = {"kind": "", **asdict(Card("", "", ""))}
    needed = {"task", "takes", "gives"}
    return needed <= set(document) <= set(like) and all(
        isinstance(value, list if isinstance(like[name], tuple) else type(like[name]))
        for name, value in document.items()
    )


def verify(card: Card, weights: Path) -> None:
    """Make sure that a file of weights is the one that its card vouches for.

    Raises
    ------
    UnreadableFile
        If the file is missing.
    BadInput
        If the card does not name the file, or the file was changed.
    """
    wanted = card.files.get(weights.name)
    found = files.sha256(weights)
    if wanted != found:
        raise BadInput(
            "the weights are not those that their card describes",
            wanted=f"SHA-256 {wanted or 'in the card'}",
            found=found,
            where=weights,
            remedy="Install bolus again, or export the network again with `bolus learn export`.",
        )
