"""Networks that look at one picture, with the names and shapes of the weights that others publish for them.

torchvision's names are the names here; `bolus.learn.networks.backbones.imagenet` reads files of torchvision
and of timm. None is ever fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from bolus.core.errors import BadRecipe
from bolus.learn.networks.backbones.efficientnet import SIZES, EfficientNet
from bolus.learn.networks.backbones.regnet import RegNetY
from bolus.learn.networks.backbones.resnet import ResNet
from bolus.learn.networks.backbones.vgg import VGG

__all__ = ["BACKBONES", "backbone"]

BACKBONES: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {
        "resnet18": ResNet,
        **{name: partial(EfficientNet, size) for name, size in SIZES.items()},
        **{f"tf_{name}": partial(EfficientNet, size, tensorflow=True) for name, size in SIZES.items()},
        "regnet_y_16gf": RegNetY,
        "vgg19": VGG,
        "small": partial(ResNet, width=16, blocks=(1, 1, 1, 1)),
        "small_vgg": partial(VGG, plan=(12, "M", 24, "M", 48, "M", 64, "M"), norm=True),
    }
)
"""Networks by name: `(pictures, 3, y, x)` to `(pictures, n_channels, y', x')`, without a classifier.

`tf_` says that the weights come from TensorFlow, as those of timm's models of that name do: strided layers
are then padded more on the right and below, and batch normalisation has another epsilon.
"""


def backbone(name: str) -> Any:
    """Make one with fresh weights; its `n_channels` says how many it gives.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    if name not in BACKBONES:
        raise BadRecipe("unknown backbone", wanted=", ".join(BACKBONES), found=name)
    return BACKBONES[name]()
