"""Every choice of a training, as one value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bolus.core.errors import BadRecipe, UnreadableFile
from bolus.learn import files


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    """How a network is made and trained.

    Parameters
    ----------
    network, options
        A name of `bolus.learn.networks.NETWORKS`, and its arguments.
    size
        Pixels along a side of what the network is shown.
    fitting
        Further arguments of the task's `fit`: what of a case is shown, such as `n_frames`, and asked for.
    loss, loss_weight
        A name of `bolus.learn.losses.LOSSES`, and what it is multiplied by beside a critic's.
    critic, critic_options
        A name of `bolus.learn.networks.CRITICS`, for adversarial training, and its arguments; empty: none.
        Its optimiser and step are those of the network.
    augment
        Names of `bolus.learn.augment.AUGMENTATIONS`, in order.
    optimizer, lr, momentum, alpha, betas, weight_decay
        `rmsprop`, `adam` or `adamw`, and its step. Momentum and alpha, the part of mean squares that a step
        keeps (PyTorch 0.99, Keras 0.9), are of RMSprop, betas are of the other two.
    schedule
        `plateau`: times `factor` after `patience` epochs without a better validation score, down to `min_lr`;
        `cosine`: half a cosine over the budget, down to `min_lr`; `constant`.
    stop_after
        Epochs without a better validation score after which training ends.
    epochs, minutes
        Budget: whichever comes first. Minutes are of processor time of this process, which other programs on
        the machine do not change; on a GPU, of the clock. None: no limit.
    batch, accumulate
        Cases a step on each processor, and steps whose gradients are added up.
    clip_norm
        Largest norm of the gradient; None: not clipped.
    average
        Part that a running average of the weights keeps at each step, below 1, after a start that keeps less;
        the averaged network is what is validated and kept. 0: no average.
    precision
        `float32`, `bf16` or `fp16` (CUDA only) in forward and backward; weights stay float32.
    channels_last
        Lay images out with channels last, which is faster.
    seed
        Of weights, order and augmentation.
    """

    network: str = "unet"
    options: Mapping[str, Any] = field(default_factory=dict)
    size: int = 320
    fitting: Mapping[str, Any] = field(default_factory=dict)
    loss: str = "dice_ce"
    loss_weight: float = 1.0
    critic: str = ""
    critic_options: Mapping[str, Any] = field(default_factory=dict)
    augment: tuple[str, ...] = ()
    optimizer: Literal["rmsprop", "adam", "adamw"] = "adamw"
    lr: float = 2e-3
    momentum: float = 0.9
    alpha: float = 0.99
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    schedule: Literal["plateau", "cosine", "constant"] = "cosine"
    patience: int = 10
    factor: float = 0.5
    min_lr: float = 1e-8
    stop_after: int = 50
    epochs: int = 1000
    minutes: float | None = None
    batch: int = 4
    accumulate: int = 1
    clip_norm: float | None = None
    average: float = 0.0
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    channels_last: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (kind, wanted) in _KINDS.items():
            value = getattr(self, name)
            _require(name, _is(kind, value) or (value is None and name in _OPTIONAL), wanted, value)
        for name in ("size", "epochs", "batch", "accumulate", "patience", "stop_after"):
            _require(name, getattr(self, name) >= 1, "at least 1", getattr(self, name))
        _require("lr", self.lr > 0, "a positive number", self.lr)
        _require("factor", 0 < self.factor < 1, "above 0, below 1", self.factor)
        for name in ("momentum", "weight_decay", "min_lr"):
            _require(name, getattr(self, name) >= 0, "0 or more", getattr(self, name))
        _require("alpha", 0 <= self.alpha < 1, "0 or more, below 1", self.alpha)
        _require("betas", _are_betas(self.betas), "two numbers, each 0 or more, below 1", self.betas)
        _require("average", 0 <= self.average < 1, "0 or more, below 1", self.average)
        _require("minutes", self.minutes is None or self.minutes > 0, "a positive number", self.minutes)
        for name, choices in _CHOICES.items():
            _require(name, getattr(self, name) in choices, ", ".join(choices), getattr(self, name))

    def as_dict(self) -> dict[str, Any]:
        """Return all choices as JSON can hold them."""
        plain: dict[str, Any] = json.loads(
            json.dumps({f.name: _plain(getattr(self, f.name)) for f in fields(self)})
        )
        return plain


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


_OPTIONAL = ("minutes", "clip_norm")
_KINDS = {
    **dict.fromkeys(
        ("size", "epochs", "batch", "accumulate", "patience", "stop_after", "seed"), (int, "a whole number")
    ),
    **dict.fromkeys(
        ("lr", "loss_weight", "momentum", "alpha", "weight_decay", "factor", "min_lr", "average", *_OPTIONAL),
        (float, "a number"),
    ),
    **dict.fromkeys(("network", "loss", "critic"), (str, "a name")),
    **dict.fromkeys(("options", "fitting", "critic_options"), (Mapping, "a table such as {width=16}")),
    "augment": (tuple, 'names such as ["flip"]'),
    "betas": (tuple, "two numbers"),
    "channels_last": (bool, "true or false"),
}
"""What each choice must be, and how that is said."""


def _is(kind: type, value: Any) -> bool:
    """Tell whether a value is of a kind: whole numbers are numbers, true and false are none."""
    if kind in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _are_betas(values: Any) -> bool:
    return len(values) == 2 and all(_is(float, value) and 0 <= value < 1 for value in values)


_CHOICES = {
    "optimizer": ("rmsprop", "adam", "adamw"),
    "schedule": ("plateau", "cosine", "constant"),
    "precision": ("float32", "bf16", "fp16"),
}


def _require(name: str, holds: bool, wanted: str, found: Any) -> None:
    if not holds:
        raise BadRecipe(f"{name} of the training recipe is out of range", wanted=wanted, found=str(found))


def from_dict(choices: Mapping[str, Any]) -> TrainRecipe:
    """Return the recipe of choices by name.

    Raises
    ------
    BadRecipe
        If a choice is unknown or out of range.
    """
    unknown = sorted(set(choices) - {f.name for f in fields(TrainRecipe)})
    if unknown:
        raise BadRecipe("unknown choice in the training recipe", found=", ".join(unknown))
    tuples = {
        name: tuple(choices[name])
        for name in ("augment", "betas")
        if isinstance(choices.get(name), list | tuple)
    }
    return TrainRecipe(**(dict(choices) | tuples))


def read(file: Path) -> TrainRecipe:
    """Read a recipe that a training wrote as JSON.

    Raises
    ------
    UnreadableFile
        If the file is missing or holds no recipe.
    """
    try:
        choices = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(choices, dict):
            raise UnreadableFile("not the recipe of a training", where=file)
        return from_dict(choices)
    except (OSError, ValueError) as error:
        if isinstance(error, BadRecipe | UnreadableFile):
            raise
        raise UnreadableFile(
            "the training recipe cannot be read", where=file, found=files.reason(error)
        ) from error
