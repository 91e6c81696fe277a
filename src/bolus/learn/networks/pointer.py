"""A clot in a run of X-ray frames, and where: a U-Net on what is darkest over time."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from bolus.learn.networks.unet import UNet

WINDOWS: Final = 7
"""Equal parts of the run whose darkest values are shown."""


class ClotPointer(nn.Module):
    """U-Net on temporal minima, with a map of where the clot is and a label beside it.

    It sees the darkest value of each pixel in seven equal parts of the run and in all of it, and when that
    was.

    Parameters
    ----------
    channels
        Frames a picture: 3; pictures are taken apart into frames.
    width
        Channels of the first level of the U-Net.
    """

    def __init__(self, channels: int = 3, width: int = 16) -> None:
        super().__init__()
        self.channels = channels
        self.unet = UNet(WINDOWS + 2, width, width)
        self.where = nn.Conv2d(width, 1, 1)
        self.label = nn.Linear(2 * width + 1, 1)

    def forward(self, triplets: Any) -> Any:
        """Return log-odds `(cases, 2, y, x)` of pictures of three frames `(cases, pictures, 3, y, x)`.

        The first channel says where the clot is, if there is one: its softmax over all pixels. The second is
        the same everywhere: the log-odds of there being one.
        """
        features = self.unet(minima(triplets.flatten(1, 2)))
        where = self.where(features)
        seen = torch.cat([features.mean((2, 3)), features.amax((2, 3)), where.amax((2, 3))], dim=1)
        label = self.label(seen)[:, :, None, None].expand_as(where)
        return torch.cat([where, label], dim=1)


def minima(frames: Any) -> Any:
    """Return the darkest values of each part of a run, of all of it, and when: `(cases, 9, y, x)`.

    Parameters
    ----------
    frames
        Shape `(cases, t, y, x)`.

    Returns
    -------
    Seven minima over equal parts of the run, the minimum over all of it, and its time from 0 to 1.
    """
    n = frames.shape[1]
    number = torch.arange(n, device=frames.device)
    parts = []
    for i in range(WINDOWS):
        inside = (number >= i * n // WINDOWS) & (number < ((i + 1) * n + WINDOWS - 1) // WINDOWS)
        parts.append(torch.where(inside[:, None, None], frames, torch.inf).amin(dim=1, keepdim=True))
    darkest, when = frames.min(dim=1, keepdim=True)
    return torch.cat([*parts, darkest, when.to(frames.dtype) / n], dim=1)
