"""Generators that turn the frames of a slice into perfusion maps, and the critic that judges them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from bolus.core.errors import BadRecipe

GROWTH: Final = (1, 2, 4, 8, 8, 8)
"""Channels of each level, in widths; deeper levels stay at the last."""
SLOPE: Final = 0.2
SPREAD: Final = 0.05
"""Standard deviation of fresh weights of two-dimensional convolutions, as in the authors' code."""
FEWEST: Final = 64
"""Frames that six halvings turn into one; up to 127 do the same."""


class Pix2Pix(nn.Module):
    """U-Net of strided 4 x 4 convolutions, with maps from -1 to 1 as its answer.

    With 80 frames, one map and width 64 there are 29,318,849 parameters.

    Parameters
    ----------
    channels, outputs
        Frames, and maps.
    width, levels
        Channels of the first level, and how often sides are halved.

    References
    ----------
    Isola et al., CVPR 2017, doi:10.1109/CVPR.2017.632 (pix2pix); Kossen et al., Front Neurol 13:1051397
    (2023), doi:10.3389/fneur.2022.1051397 (for DSC-MRI).
    """

    def __init__(self, channels: int = 80, outputs: int = 1, *, width: int = 64, levels: int = 6) -> None:
        super().__init__()
        widths = [width * GROWTH[min(level, len(GROWTH) - 1)] for level in range(levels)]
        self.down = nn.ModuleList(
            _down(a, b, first=i == 0, last=i == levels - 1)
            for i, (a, b) in enumerate(pairwise([channels, *widths]))
        )
        self.up = nn.ModuleList(
            _up(a if i == 0 else 2 * a, b) for i, (a, b) in enumerate(pairwise(widths[::-1]))
        )
        self.last = nn.ConvTranspose2d(2 * width, outputs, 4, stride=2, padding=1)
        scatter(self)

    def forward(self, image: Any) -> Any:
        """Return maps `(cases, outputs, y, x)`, -1 to 1, of slices `(cases, channels, y, x)`.

        Sides are best multiples of 2 to the power of the levels; others work where they are no shorter.
        """
        levels = [self.down[0](image)]
        for down in self.down[1:]:
            levels.append(down(levels[-1]))
        below = levels.pop()
        for up in self.up:
            beside = levels.pop()
            below = torch.cat([beside, functional.interpolate(up(below), size=beside.shape[-2:])], dim=1)
        made = self.last(functional.relu(below))
        return functional.interpolate(made, size=image.shape[-2:]).tanh()


class TempPix2Pix(nn.Module):
    """Six convolutions along time, then the U-Net of `Pix2Pix` on what they found in each pixel.

    With 80 frames, one map and width 64 there are 32,550,721 parameters. The authors' code left the U-Net
    at 16 channels (``inner=16``; 4,749,361), so that its two arms were not of one size.

    Parameters
    ----------
    channels
        Frames, 64 to 127: six halvings leave one.
    outputs
        Maps.
    width
        Channels of the first convolution along time.
    inner
        Channels of the first level of the U-Net; 0: `width`.
    levels
        How often the U-Net halves sides.

    References
    ----------
    Kossen et al., Front Neurol 13:1051397 (2023), doi:10.3389/fneur.2022.1051397
    """

    def __init__(
        self, channels: int = 80, outputs: int = 1, *, width: int = 64, inner: int = 0, levels: int = 6
    ) -> None:
        super().__init__()
        if not FEWEST <= channels < 2 * FEWEST:
            raise BadRecipe("six halvings must leave one frame", wanted="64 to 127", found=str(channels))
        self.stem = TemporalStem([1, *(width * growth for growth in GROWTH)])
        self.unet = Pix2Pix(width * GROWTH[-1], outputs, width=inner or width, levels=levels)

    def forward(self, image: Any) -> Any:
        """Return maps `(cases, outputs, y, x)`, -1 to 1, of slices `(cases, frames, y, x)`."""
        return self.unet(self.stem(image))


class TemporalStem(nn.Module):
    """Convolutions over four frames with stride 2, each with batch normalisation and a leaky rectifier.

    They are written for images `(cases, channels, t, y x)`: a 4 x 1 convolution in two dimensions gives what
    a 4 x 1 x 1 one gives in three, several times faster.

    Parameters
    ----------
    widths
        Channels that go in, and those that each convolution gives.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[Any] = []
        for a, b in pairwise(widths):
            convolution = nn.Conv2d(a, b, (4, 1), stride=(2, 1), padding=(1, 0), bias=False)
            layers += [convolution, nn.BatchNorm2d(b), nn.LeakyReLU(SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Any) -> Any:
        """Return features `(cases, channels, y, x)` of slices `(cases, frames, y, x)`."""
        cases, frames, y, x = image.shape
        found = self.layers(image.reshape(cases, 1, frames, y * x))
        return found.reshape(cases, found.shape[1], y, x)


class PatchGan(nn.Module):
    """Critic that tells true from made maps patch by patch, given the slice; it answers in log-odds.

    The authors end in a sigmoid and take a loss that does the same once more; here it is done once, by the
    loss. With 80 frames, one map, width 64 and depth 3 there are 2,845,505 parameters.

    Parameters
    ----------
    channels
        Of slice and maps together.
    width, depth
        Channels of the first convolution, and how many have stride 2.

    References
    ----------
    Isola et al., CVPR 2017, doi:10.1109/CVPR.2017.632
    """

    def __init__(self, channels: int, *, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(depth + 1)]
        layers: list[Any] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for i, (a, b) in enumerate(pairwise(widths)):
            stride = 2 if i < depth - 1 else 1
            layers += [nn.Conv2d(a, b, 4, stride=stride, padding=1, bias=False), nn.BatchNorm2d(b)]
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        scatter(self)

    def forward(self, image: Any, maps: Any) -> Any:
        """Return log-odds `(cases, 1, i, j)` of true patches, of slices and maps `(cases, ..., y, x)`."""
        return self.layers(torch.cat([image, maps], dim=1))


def scatter(network: Any) -> None:
    """Draw the weights of two-dimensional convolutions from N(0, 0.05); all others stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, SPREAD)


def _down(taken: int, given: int, *, first: bool, last: bool) -> Any:
    """Half the size; neither the first level nor the lowest, which may be one pixel, is normalised."""
    layers: list[Any] = [] if first else [nn.LeakyReLU(SLOPE)]
    layers.append(nn.Conv2d(taken, given, 4, stride=2, padding=1, bias=first))
    if not (first or last):
        layers.append(nn.BatchNorm2d(given))
    return nn.Sequential(*layers)


def _up(taken: int, given: int) -> Any:
    """Twice the size, normalised."""
    up = nn.ConvTranspose2d(taken, given, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(nn.ReLU(), up, nn.BatchNorm2d(given))
