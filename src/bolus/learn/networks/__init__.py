"""Networks and heads by name. They know no files, cases or tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bolus.core.errors import BadRecipe
from bolus.learn.networks.amortised import AmortisedDeconvolution
from bolus.learn.networks.core_map import CoreMap
from bolus.learn.networks.core_size import CoreSizeClassifier
from bolus.learn.networks.ctp import CtpUNet
from bolus.learn.networks.heads import CoreAnswer, Foreground, Identity, Label, foreground_logit
from bolus.learn.networks.pix2pix import PatchGan, Pix2Pix, TempPix2Pix
from bolus.learn.networks.pointer import ClotPointer, ClotPointers
from bolus.learn.networks.sequence import SequenceClassifier
from bolus.learn.networks.unet import UNet

__all__ = ["CRITICS", "HEADS", "NETWORKS", "build", "build_critic", "foreground_logit"]

NETWORKS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "unet": UNet,
        "ctp_unet": CtpUNet,
        "pix2pix": Pix2Pix,
        "temp_pix2pix": TempPix2Pix,
        "sequence": SequenceClassifier,
        "clot_pointer": ClotPointer,
        "clot_pointers": ClotPointers,
        "core_size": CoreSizeClassifier,
        "amortised": AmortisedDeconvolution,
        "core_map": CoreMap,
    }
)
CRITICS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({"patchgan": PatchGan})
HEADS: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {"foreground": Foreground, "identity": Identity, "label": Label, "core": CoreAnswer}
)


def build(name: str, channels: int, options: Mapping[str, Any]) -> Any:
    """Make a network with fresh weights; an option `channels` wins over the argument.

    Raises
    ------
    BadRecipe
        If there is no such network, or it has no such options.
    """
    if name not in NETWORKS:
        raise BadRecipe("unknown network", wanted=", ".join(NETWORKS), found=name)
    return _made(NETWORKS, name, channels, options)


def build_critic(name: str, channels: int, options: Mapping[str, Any]) -> Any:
    """Make a critic of slices and maps, which have so many channels together, with fresh weights.

    Raises
    ------
    BadRecipe
        If there is no such critic, or it has no such options.
    """
    if name not in CRITICS:
        raise BadRecipe("unknown critic", wanted=", ".join(CRITICS), found=name)
    return _made(CRITICS, name, channels, options)


def _made(
    table: Mapping[str, Callable[..., Any]], name: str, channels: int, options: Mapping[str, Any]
) -> Any:
    try:
        return table[name](**{"channels": channels, **options})
    except TypeError as error:
        raise BadRecipe(f"the network {name} has no such options", found=str(error)) from error
