"""VGG: plain convolutions and pooling in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from torch import nn

_VGG19: Final = (
    *(64, 64, "M", 128, 128, "M"),
    *(256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M"),
)


class VGG(nn.Module):
    """The features of VGG19, or of another row of layers.

    Parameters
    ----------
    plan
        Channels of each 3 x 3 convolution, and "M" for pooling of 2 x 2.
    norm
        Whether batch normalisation follows each convolution.

    References
    ----------
    Simonyan and Zisserman, ICLR 2015, doi:10.48550/arXiv.1409.1556.
    """

    def __init__(self, plan: Sequence[int | str] = _VGG19, *, norm: bool = False) -> None:
        super().__init__()
        layers: list[Any] = []
        taken = 3
        for step in plan:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(taken, step, 3, padding=1, bias=not norm))
            layers += [nn.BatchNorm2d(step)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            taken = step
        self.n_channels = taken
        self.features = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # as torchvision does: what PyTorch draws dies out in 16 layers
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, pictures: Any) -> Any:
        """Return features of pictures, halved in size by every pooling."""
        return self.features(pictures)
