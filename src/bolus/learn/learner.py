"""A network on its way: weights, optimiser and what they went through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import torch
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from bolus.core.errors import BadRecipe
from bolus.learn.crew import Crew
from bolus.learn.critic import Critic, fresh_critic
from bolus.learn.networks import build
from bolus.learn.recipe import TrainRecipe
from bolus.learn.tasks import Task

_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(slots=True)
class Learner:
    """All that changes while a network is trained, and can be written down and taken up again."""

    network: Any
    optimizer: Any
    plateau: Any
    scaler: Any
    autocast: Any
    critic: Critic | None = None
    average: Any = None
    log: list[dict[str, float]] = field(default_factory=list)
    best: float = math.nan
    stale: int = 0

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.log)

    @property
    def cpu_s(self) -> float:
        """Processor time that was spent [s], of the process that spent most."""
        return self.log[-1]["cpu_s"] if self.log else 0.0

    @property
    def spent_s(self) -> float:
        """What counts against a budget of minutes [s]: processor time, or on a GPU that of the clock."""
        if next(self.bare.parameters()).device.type == "cpu":
            return self.cpu_s
        return float(sum(row["wall_s"] for row in self.log))

    @property
    def rate(self) -> float:
        """Step of the optimiser."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def bare(self) -> Any:
        """The network without what averages gradients."""
        return getattr(self.network, "module", self.network)

    @property
    def kept(self) -> Any:
        """The network that is validated and written: the average of the steps where there is one."""
        return self.bare if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        """Return all of it as PyTorch can write it."""
        parts = {name: getattr(self, name).state_dict() for name in ("optimizer", "plateau", "scaler")}
        return {
            "network": self.bare.state_dict(),
            **parts,
            "critic": self.critic.state() if self.critic else None,
            "average": None if self.average is None else self.average.state_dict(),
            "log": self.log,
            "best": self.best,
            "stale": self.stale,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.bare.load_state_dict(state["network"])
        for name in ("optimizer", "plateau", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        if self.critic:
            self.critic.restore(state["critic"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.log, self.best, self.stale = list(state["log"]), state["best"], state["stale"]

    def set_rate(self, recipe: TrainRecipe) -> None:
        """Set the step of the epoch that begins, where the schedule is a cosine; a critic takes the same."""
        rate = self._on_cosine(recipe) if recipe.schedule == "cosine" else self.rate
        for optimizer in [self.optimizer, *([self.critic.optimizer] if self.critic else [])]:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def _on_cosine(self, recipe: TrainRecipe) -> float:
        spent = self.spent_s / (60.0 * recipe.minutes) if recipe.minutes else 0.0
        done = min(max(self.epoch / recipe.epochs, spent), 1.0)
        return recipe.min_lr + 0.5 * (recipe.lr - recipe.min_lr) * (1.0 + math.cos(math.pi * done))

    def step(self, recipe: TrainRecipe) -> None:
        """Change the weights by the gradients that were added up."""
        self.scaler.unscale_(self.optimizer)
        if recipe.clip_norm is not None:
            clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.bare)

    def judge(self, score: float, task: Task, recipe: TrainRecipe) -> None:
        """Take note of the validation score of an epoch."""
        if recipe.schedule == "plateau":
            self.plateau.step(score)
        first, more = math.isnan(self.best), task.mode == "max"
        better = first or (score > self.best if more else score < self.best)
        self.best, self.stale = (score, 0) if better else (self.best, self.stale + 1)


def fresh_learner(task: Task, recipe: TrainRecipe, crew: Crew) -> Learner:
    """Return a network with fresh weights, which the recipe's seed gives, on the crew's device."""
    torch.manual_seed(recipe.seed)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    channels = channels_of(task, recipe)
    network = build(recipe.network, channels, recipe.options).to(crew.device, memory_format=layout)
    optimizer, autocast = _optimizer(recipe, network), autocast_of(recipe, crew.device.type)
    critic = None
    if recipe.critic:
        channels += int(recipe.options.get("outputs", 1))
        critic = fresh_critic(recipe, channels, partial(_optimizer, recipe), autocast, crew)
    return Learner(
        network=crew.wrapped(network),
        optimizer=optimizer,
        plateau=ReduceLROnPlateau(
            optimizer, task.mode, factor=recipe.factor, patience=recipe.patience, min_lr=recipe.min_lr
        ),
        scaler=torch.amp.GradScaler(crew.device.type, enabled=recipe.precision == "fp16"),
        autocast=autocast,
        critic=critic,
        average=_average(recipe, network),
    )


def _average(recipe: TrainRecipe, network: Any) -> Any:
    """Return what averages weights and running statistics over steps, if the recipe asks for it."""
    if not recipe.average:
        return None

    def towards(kept: Any, new: Any, n: Any) -> None:
        # soon after the start the average is young: it must not remember the first weights for long
        part = min(recipe.average, (1.0 + float(n)) / (10.0 + float(n)))
        pairs = list(zip(kept, new, strict=True))
        smooth = [pair for pair in pairs if pair[0].is_floating_point()]
        if smooth:  # counters come in groups of their own
            ours, theirs = [a for a, _ in smooth], [b for _, b in smooth]
            torch._foreach_lerp_(ours, theirs, 1.0 - part)  # one step on a GPU
        for one, other in pairs:
            if not one.is_floating_point():
                one.copy_(other)

    return AveragedModel(network, multi_avg_fn=towards, use_buffers=True)


def channels_of(task: Task, recipe: TrainRecipe) -> int:
    """Count the channels of the input: those of the task, unless an option of the network says otherwise."""
    return int(recipe.options.get("channels", task.channels))


def _optimizer(recipe: TrainRecipe, network: Any) -> Any:
    shared = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "rmsprop":
        only = {"momentum": recipe.momentum, "alpha": recipe.alpha}
        return torch.optim.RMSprop(network.parameters(), **only, **shared)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(network.parameters(), betas=tuple(recipe.betas), **shared)


def autocast_of(recipe: TrainRecipe, device: str) -> Any:
    """Return what makes contexts in which a network computes in the recipe's precision.

    Raises
    ------
    BadRecipe
        If the device has no such precision.
    """
    if recipe.precision == "fp16" and device != "cuda":
        raise BadRecipe("fp16 needs a CUDA device", found=device, remedy="Use bf16 or float32.")
    dtype = _DTYPES.get(recipe.precision)
    return partial(torch.autocast, device, dtype=dtype, enabled=dtype is not None)
