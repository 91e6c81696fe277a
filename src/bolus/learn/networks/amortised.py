"""The network of `--method net`: curves, their residues and the arterial curve to maps with deviations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

LEAST_SD = 0.01
POSITIVE = 3
"""The first answers, flow, volume and transit time, are positive."""


class AmortisedDeconvolution(nn.Module):
    """Reads every voxel's curve, then looks at its neighbours on three scales.

    What all voxels share (arterial curve, clock, noise) scales and shifts the features of each level.

    Parameters
    ----------
    channels
        Of the input: features, mask and token.
    outputs
        Maps; the answer has their means, then their standard deviations.
    token
        How many of the last channels are the same everywhere.
    widths
        Features of the three scales.
    """

    def __init__(
        self,
        channels: int = 102,
        outputs: int = 6,
        *,
        token: int = 29,
        widths: tuple[int, ...] = (32, 48, 64),
    ) -> None:
        super().__init__()
        one, two, three = widths
        self.token, self.outputs = token, outputs
        self.read = nn.Conv2d(channels - token, 2 * one, 1)
        self.again = nn.Conv2d(2 * one, one, 1)
        self.shared = nn.Sequential(nn.Linear(token, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.steer = nn.ModuleList(nn.Linear(64, 2 * n) for n in (2 * one, one, two, three))
        self.near = _block(one, one)
        self.far = _block(one, two)
        self.farther = _block(two, three)
        self.back = _block(three + two, two)
        self.home = _block(two + one, one)
        self.last = nn.Sequential(
            nn.Conv2d(3 * one, 2 * one, 1), nn.SiLU(), nn.Conv2d(2 * one, 2 * outputs, 1)
        )
        for layer in self.steer:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, image: Any) -> Any:
        """Return means and deviations `(cases, 2 outputs, y, x)` of slices `(cases, channels, y, x)`."""
        image = image.float()
        seen, token = image[:, : -self.token], image[:, -self.token :, 0, 0]
        shared = self.shared(token)
        voxel = functional.silu(self._steered(self.read(seen), shared, 0))
        voxel = functional.silu(self._steered(self.again(voxel), shared, 1))
        near = self.near(voxel)
        far = self._steered(self.far(functional.avg_pool2d(near, 2)), shared, 2)
        farther = self._steered(self.farther(functional.avg_pool2d(far, 2)), shared, 3)
        back = self.back(torch.cat([_grown(farther, far), far], dim=1))
        home = self.home(torch.cat([_grown(back, near), near], dim=1))
        return _answered(self.last(torch.cat([home, near, voxel], dim=1)), self.outputs)

    def _steered(self, features: Any, shared: Any, level: int) -> Any:
        gain, shift = self.steer[level](shared)[:, :, None, None].chunk(2, dim=1)
        return features * (1.0 + gain) + shift


def _answered(last: Any, outputs: int) -> Any:
    positive = functional.softplus(last[:, :POSITIVE])
    deviation = functional.softplus(last[:, outputs:]) + LEAST_SD
    return torch.cat([positive, last[:, POSITIVE:outputs], deviation], dim=1)


def _block(taken: int, given: int) -> Any:
    layers: list[Any] = []
    for n in (taken, given):
        layers += [nn.Conv2d(n, given, 3, padding=1, bias=False), nn.BatchNorm2d(given), nn.SiLU()]
    return nn.Sequential(*layers)


def _grown(features: Any, beside: Any) -> Any:
    return functional.interpolate(features, size=beside.shape[-2:], mode="nearest")
