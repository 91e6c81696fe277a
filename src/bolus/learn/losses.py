"""What training makes small, by name: each takes the last layer and the batch, and gives one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from torch.nn import functional

from bolus.core.errors import BadRecipe
from bolus.learn.networks import foreground_logit

Loss: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""`loss(output, batch)`: the network's last layer in float32, and the batch's arrays as tensors by name."""


def dice_ce(output: Any, batch: Mapping[str, Any]) -> Any:
    """Add soft Dice loss and cross-entropy, one to one.

    References
    ----------
    Milletari et al., 3DV 2016, doi:10.1109/3DV.2016.79 (soft Dice).
    """
    return _monai("DiceCELoss")(foreground_logit(output), batch["target"].float())


def dice(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take soft Dice loss alone."""
    return _monai("DiceLoss")(foreground_logit(output), batch["target"].float())


def mse(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the mean squared error, inside `batch["mask"]` where there is one."""
    return _mean((output - batch["target"]) ** 2, batch)


def l1(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the mean absolute error, inside `batch["mask"]` where there is one."""
    return _mean((output - batch["target"]).abs(), batch)


def bce(output: Any, batch: Mapping[str, Any]) -> Any:
    """Take the binary cross-entropy of labels, shape `(cases, 1)`."""
    return functional.binary_cross_entropy_with_logits(output, batch["target"].float())


LOSSES: Final[Mapping[str, Loss]] = MappingProxyType(
    {"dice_ce": dice_ce, "dice": dice, "mse": mse, "l1": l1, "bce": bce}
)


def loss(name: str) -> Loss:
    """Return a loss by name.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in LOSSES:
        raise BadRecipe("unknown loss", wanted=", ".join(LOSSES), found=name)
    return LOSSES[name]


@cache
def _monai(name: str) -> Any:
    from monai import losses

    return getattr(losses, name)(sigmoid=True)


def _mean(error: Any, batch: Mapping[str, Any]) -> Any:
    if "mask" not in batch:
        return error.mean()
    inside = batch["mask"].to(error.dtype).expand_as(error)
    return (error * inside).sum() / inside.sum().clamp(min=1)
