"""A clot in a run of X-ray frames, and where: a U-Net on how dark each pixel is over time."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from bolus.core.errors import BadRecipe
from bolus.learn.networks.unet import UNet

STRIDES: Final = (1, 2)


class ClotPointer(nn.Module):
    """U-Net on a run's temporal minima, with a map of where the clot is and a label beside it.

    It sees the darkest value of each pixel in equal parts of the run and in all of it, and when that was. The
    label is drawn from the map: its log-odds are the logarithm of the mean of `exp(where)` over all pixels,
    and what the features of the whole picture add to it. So the one pixel that shows a clot makes the label,
    and a run without one keeps every pixel low.

    Parameters
    ----------
    channels
        Frames a picture: 3; pictures are taken apart into frames.
    width
        Channels of the first level of the U-Net.
    windows
        Equal parts of the run whose darkest values are shown; as many as there are frames: the frames.
    stride
        2: a first convolution halves the picture, and the map is enlarged again, at a quarter of the cost.

    Raises
    ------
    BadRecipe
        If the stride is another.
    """

    def __init__(self, channels: int = 3, width: int = 16, windows: int = 7, stride: int = 1) -> None:
        super().__init__()
        if stride not in STRIDES:
            raise BadRecipe("unknown stride", wanted="1 or 2", found=str(stride))
        self.channels, self.windows, self.stride = channels, windows, stride
        seen = windows + 2
        if stride > 1:
            self.stem = nn.Sequential(
                nn.Conv2d(seen, width, 4, stride=2, padding=1, bias=False),
                nn.InstanceNorm2d(width),
                nn.ReLU(inplace=True),
            )
        self.unet = UNet(width if stride > 1 else seen, width, width)
        self.maps = nn.Conv2d(width, 2, 1)
        self.label = nn.Linear(2 * width, 1)

    def forward(self, triplets: Any) -> Any:
        """Return log-odds `(cases, 3, y, x)` of pictures of three frames `(cases, pictures, 3, y, x)`.

        The first channel says where the clot is, if there is one: its softmax over all pixels. The second is
        the same everywhere: the log-odds of there being one. The third are the log-odds of each pixel's blood
        to be missing or late.
        """
        frames = triplets.flatten(1, 2).float()
        shown = torch.asinh(minima(frames, self.windows))  # thin vessels beside the carotid
        shown = shown.contiguous(memory_format=torch.channels_last)
        features = self.unet(self.stem(shown) if self.stride > 1 else shown)
        maps = self.maps(features).float()
        label = self.label(torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)).float()
        label = label + _log_mean_exp(maps[:, :1])
        if self.stride > 1:
            maps = functional.interpolate(maps, size=shown.shape[-2:], mode="bilinear", align_corners=False)
        where, lost = maps[:, :1], maps[:, 1:]
        return torch.cat([where, label[:, :, None, None].expand_as(where), lost], dim=1)


class ClotPointers(nn.Module):
    """Several `ClotPointer`s that were drawn differently, and the mean of their log-odds.

    In training each learns from its own part of every batch, so that they stay different and cost together
    what one of them costs.

    Parameters
    ----------
    channels
        As in `ClotPointer`.
    members
        How many.
    options
        Of each.
    """

    def __init__(self, channels: int = 3, members: int = 3, **options: Any) -> None:
        super().__init__()
        self.members = nn.ModuleList(ClotPointer(channels, **options) for _ in range(members))

    def forward(self, triplets: Any) -> Any:
        """Return what `ClotPointer` does."""
        if self.training and len(triplets) >= len(self.members):
            parts = triplets.tensor_split(len(self.members))
            return torch.cat([one(part) for one, part in zip(self.members, parts, strict=True)])
        return torch.stack([one(triplets) for one in self.members]).mean(dim=0)


def _log_mean_exp(where: Any) -> Any:
    """Return the logarithm of the mean of `exp(where)` over all pixels, shape `(cases, 1)`."""
    flat = where.flatten(1)
    top = flat.amax(dim=1, keepdim=True)
    return top + (flat - top).exp().mean(dim=1, keepdim=True).log()


def minima(frames: Any, windows: int = 7) -> Any:
    """Return the darkest values of each part of a run, of all of it, and when.

    Parameters
    ----------
    frames
        Shape `(cases, t, y, x)`.
    windows
        Equal parts of the run.

    Returns
    -------
    Minima over each part, the minimum over all, and its time from 0 to 1 times its share of contrast, so that
    pixels without any have none; `(cases, windows + 2, y, x)`.
    """
    n = frames.shape[1]
    parts = _parts_of_any(frames, windows) if torch.compiler.is_exporting() else _parts(frames, windows)
    darkest, when = frames.min(dim=1, keepdim=True)
    contrast = (-darkest).clamp(min=0.0)
    late = when.to(frames.dtype) / n * contrast / (1.0 + contrast)
    return torch.cat([*parts, darkest, late], dim=1)


def _parts(frames: Any, windows: int) -> list[Any]:
    """Return the minima over each part of a run, shape `(cases, 1, y, x)` each."""
    n = frames.shape[1]
    ends = [(i * n // windows, -(-(i + 1) * n // windows)) for i in range(windows)]
    return [frames[:, first:last].amin(dim=1, keepdim=True) for first, last in ends]


def _parts_of_any(frames: Any, windows: int) -> list[Any]:
    """Return the same, written for graphs of runs of any length: every part looks at every frame."""
    n = frames.shape[1]
    number = torch.arange(n, device=frames.device)
    parts = []
    for i in range(windows):
        inside = (number >= i * n // windows) & (number < ((i + 1) * n + windows - 1) // windows)
        parts.append(torch.where(inside[:, None, None], frames, torch.inf).amin(dim=1, keepdim=True))
    return parts
