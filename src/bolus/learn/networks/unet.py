"""The U-Net of the DSA papers: two 3 x 3 convolutions a level, instance norm, bilinear upsampling."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class UNet(nn.Module):
    """U-Net with `width`, 2, 4, 8 and 8 times `width` channels on its way down, and back up again.

    Instance normalisation has no weights of its own and convolutions before it no bias, as in the code that
    came with the paper; with width 64 and one output there are 17,252,993 parameters.

    Parameters
    ----------
    channels, outputs
        Of the image, and of the answer.
    width
        Channels of the first level.

    References
    ----------
    Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28 (architecture); Ulyanov et al. 2016,
    doi:10.48550/arXiv.1607.08022 (instance normalisation).
    """

    def __init__(self, channels: int = 1, outputs: int = 1, width: int = 64) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.first = _double(channels, width, width)
        self.down = nn.ModuleList(_double(a, b, b) for a, b in pairwise(widths))
        ups = [(16, 4), (8, 2), (4, 1), (2, 1)]  # channels in and out of each level, in widths
        self.up = nn.ModuleList(_double(a * width, a * width // 2, b * width) for a, b in ups)
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, image: Any) -> Any:
        """Return the last layer, shape `(cases, outputs, y, x)`, of images `(cases, channels, y, x)`.

        Sides are best multiples of 16; others work, with upsampling that is not quite times two.
        """
        levels = [self.first(image)]
        for double in self.down:
            levels.append(double(functional.max_pool2d(levels[-1], 2)))
        below = levels.pop()
        for double in self.up:
            beside = levels.pop()
            size = beside.shape[-2:]
            above = functional.interpolate(below, size=size, mode="bilinear", align_corners=True)
            below = double(torch.cat([beside, above], dim=1))
        return self.last(below)


def _double(taken: int, middle: int, given: int) -> Any:
    """Two 3 x 3 convolutions, each with instance norm and ReLU."""
    layers: list[Any] = []
    for a, b in ((taken, middle), (middle, given)):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.InstanceNorm2d(b), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
