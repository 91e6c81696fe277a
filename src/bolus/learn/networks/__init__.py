"""Networks and heads by name. They know no files, cases or tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bolus.core.errors import BadRecipe
from bolus.learn.networks.heads import Foreground, Identity, foreground_logit
from bolus.learn.networks.unet import UNet

__all__ = ["HEADS", "NETWORKS", "build", "foreground_logit"]

NETWORKS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({"unet": UNet})
HEADS: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {"foreground": Foreground, "identity": Identity}
)


def build(name: str, channels: int, options: Mapping[str, Any]) -> Any:
    """Make a network with fresh weights.

    Raises
    ------
    BadRecipe
        If there is no such network, or it has no such options.
    """
    if name not in NETWORKS:
        raise BadRecipe("unknown network", wanted=", ".join(NETWORKS), found=name)
    try:
        return NETWORKS[name](channels=channels, **options)
    except TypeError as error:
        raise BadRecipe(f"the network {name} has no such options", found=str(error)) from error
