"""The other side of adversarial training: a critic with an optimiser of its own, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from bolus.core.errors import BadRecipe
from bolus.learn.crew import Crew
from bolus.learn.networks import build_critic
from bolus.learn.recipe import TrainRecipe

_PARTS = ("network", "optimizer", "scaler")


@dataclass(slots=True)
class Critic:
    """A network that learns to tell true answers from made ones, given what they were made of.

    It answers in log-odds; its loss is the mean of the cross-entropies of true and made answers.

    References
    ----------
    Goodfellow et al., NeurIPS 2014, doi:10.48550/arXiv.1406.2661; Isola et al., CVPR 2017,
    doi:10.1109/CVPR.2017.632 (one step of the critic, then one of the network, a batch).
    """

    network: Any
    optimizer: Any
    scaler: Any
    autocast: Any

    def state(self) -> dict[str, Any]:
        """Return all of it as PyTorch can write it."""
        return {name: getattr(self, name).state_dict() for name in _PARTS}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])

    def learn(self, batch: Mapping[str, Any], made: Any, *, parts: int, step: bool) -> Any:
        """Learn from the truth of a batch and from what was made of it; return the loss.

        Parameters
        ----------
        batch
            `image` and `target`, shape `(cases, channels, y, x)`.
        made
            The network's answer; no gradient goes back into it.
        parts
            Batches whose gradients are added up.
        step
            Whether the weights change now.
        """
        self.network.train().requires_grad_(True)
        true, false = (self._odds(batch["image"], maps) for maps in (batch["target"], made.detach()))
        lost = 0.5 * (_entropy(true, 1.0) + _entropy(false, 0.0))
        self.scaler.scale(lost / parts).backward()
        if step:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
        return lost.detach()

    def doubt(self, batch: Mapping[str, Any], made: Any) -> Any:
        """Return how far the critic is from taking what was made for true; gradients go into that alone."""
        self.network.requires_grad_(False)
        return _entropy(self._odds(batch["image"], made), 1.0)

    def _odds(self, image: Any, maps: Any) -> Any:
        with self.autocast():
            odds = self.network(image, maps)
        return odds.float()


def fresh_critic(recipe: TrainRecipe, channels: int, optimizer: Any, autocast: Any, crew: Crew) -> Critic:
    """Make the critic of a recipe.

    Parameters
    ----------
    recipe
        Names the critic and its options.
    channels
        Of image and answer together.
    optimizer
        `optimizer(network)` makes an optimiser of a network's weights.
    autocast
        Makes contexts in which networks compute in the recipe's precision.
    crew
        The processes that train together.

    Raises
    ------
    BadRecipe
        If the critic or an option is unknown, or several processes train.
    """
    if crew.size > 1:
        raise BadRecipe("a critic learns in one process only", found=f"{crew.size} processes")
    network = build_critic(recipe.critic, channels, recipe.critic_options).to(crew.device)
    scaler = torch.amp.GradScaler(crew.device.type, enabled=recipe.precision == "fp16")
    return Critic(network, optimizer(network), scaler, autocast)


def _entropy(odds: Any, label: float) -> Any:
    return binary_cross_entropy_with_logits(odds, torch.full_like(odds, label))
