"""A large core or not, and where it is: each cell's curve, the brain's, the artery's and the mirror's."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

SHRINK: Final = 2
"""Pixels along a side of a cell."""
BEFORE: Final = 3
"""Frames that are taken as before contrast."""
BRAIN_HU: Final = (0.0, 90.0)
"""Attenuation of brain before contrast."""
_CELL_CM2: Final = 0.3125**2
_DILATIONS: Final = (1, 2, 4)
_SHARP_HU: Final = 12.0
_GROUPS: Final = 4


class CoreMap(nn.Module):
    """Chance of each cell of 3.1 mm to be core, and of all of it to be large.

    Contrast of each cell is shown over the brain's mean at its peak, so that dose and tube voltage do not
    matter, beside the mean curve of the brain, that of what fills most, and the same place on the other side.

    Parameters
    ----------
    channels
        Slices.
    frames
        Of each slice.
    width
        Channels of features.
    """

    def __init__(self, channels: int = 2, frames: int = 32, width: int = 24) -> None:
        super().__init__()
        self.curve = nn.Conv2d(frames + 1, width, 1)
        self.context = nn.Linear(2 * frames, width)
        self.mirror = nn.Conv2d(2 * width, width, 1)
        self.blocks = nn.ModuleList(_Block(width, dilation) for dilation in _DILATIONS)
        self.where = nn.Conv2d(width, 1, 1)
        self.seen = nn.Linear(channels * width + channels + 1, 32)
        self.last = nn.Linear(32 + channels + 1, 2)

    def forward(self, slices: Any) -> Any:
        """Return what is said of slices over time [HU] `(cases, slices, t, y, x)`, `(cases, 3, 2 y, x)`.

        Channels are the log-odds of each cell of being core, the slices below one another; the log-odds of a
        large core, everywhere the same; and the logarithm of 1 + its volume [mL], everywhere the same.
        """
        n, k = slices.shape[:2]
        shown = functional.avg_pool2d(slices.flatten(0, 1) / 100.0, SHRINK) * 100.0
        features = self._features(shown.unflatten(0, (n, k)))
        for block in self.blocks:
            features = block(features)
        where = self.where(features)
        area = _CELL_CM2 * where.float().sigmoid().sum((1, 2, 3)).reshape(n, k)
        areas = torch.cat([area, area.sum(dim=1, keepdim=True)], dim=1).log1p()
        mean = features.mean((2, 3)).reshape(n, -1)
        hidden = functional.gelu(self.seen(torch.cat([mean, areas], dim=1)))
        said = self.last(torch.cat([hidden, areas], dim=1))
        where = where.reshape(n, 1, k * where.shape[2], where.shape[3])
        return torch.cat([where, said[:, :, None, None].expand(-1, -1, *where.shape[2:])], dim=1)

    def _features(self, shown: Any) -> Any:
        """Return features of each cell, shape `(cases x slices, width, y, x)`."""
        before = shown[:, :, :BEFORE].mean(dim=2, keepdim=True)
        rise = shown - before
        inside = ((before > BRAIN_HU[0]) & (before < BRAIN_HU[1])).to(shown.dtype)
        brain = (rise * inside).sum((1, 3, 4)) / inside.sum((1, 3, 4)).clamp(min=1.0)
        vessels = _most(rise, inside)
        scale = brain.amax(dim=1).clamp(min=1.0)[:, None]
        context = self.context(torch.cat([brain / scale, vessels / vessels.amax(1, keepdim=True)], dim=1))
        curves = (rise * inside / scale[:, :, None, None, None]).clamp(-4.0, 8.0)
        cells = torch.cat([curves, before / 40.0], dim=2).flatten(0, 1)
        per_slice = context[:, None].expand(-1, shown.shape[1], -1).flatten(0, 1)
        features = functional.gelu(self.curve(cells) + per_slice[:, :, None, None])
        other = functional.avg_pool2d(features.flip(-1), 5, 1, 2)
        return functional.gelu(self.mirror(torch.cat([features, other], dim=1)))


class _Block(nn.Module):
    """Two convolutions beside which the features go on as they are."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, width)
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Any) -> Any:
        return features + self.second(functional.gelu(self.first(self.norm(features))))


def _most(rise: Any, inside: Any) -> Any:
    """Return the mean curve of the cells that fill most, shape `(cases, t)`, at least 1 at its peak [HU]."""
    peak = (rise * inside).amax(dim=2, keepdim=True).clamp(0.0, 200.0)
    weight = (peak / _SHARP_HU).exp() * inside
    curve = (rise * weight).sum((1, 3, 4)) / weight.sum((1, 3, 4)).clamp(min=1e-6)
    return curve.clamp(min=1.0)
