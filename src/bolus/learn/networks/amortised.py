"""The network of `--method net`: curves, their residues and what physics makes of them to better maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bolus.learn import sight

LEAST_SD = 0.002
POSITIVE = 3
"""The first answers, flow, volume and transit time, are positive."""
LEAST = 0.02
"""Guesses of positive answers are at least this."""
UNSURE = 0.1
"""Deviation of answers that nobody guessed, to begin with."""
NEAR = (0.02, 1.0)
"""Changes count in deviations of the guess, which are held to lie between these."""
CAUTION = 0.1
"""What the last layer's first weights are multiplied with: training begins near the guess."""


class AmortisedDeconvolution(nn.Module):
    """Reads every voxel's curve, then looks at its neighbours on four scales, and corrects a guess.

    What all voxels share (arterial curve, clock, noise) scales and shifts the features of each level. The
    first answers come with a guess, which is where they begin: what is learned is how far it is off, in its
    own deviations.

    Parameters
    ----------
    channels
        Of the input: features, mask and token.
    outputs
        Maps; the answer has their means, then their standard deviations.
    token
        How many of the last channels are the same everywhere.
    wide
        Features of each voxel alone.
    widths
        Features of the four scales.
    guess, guessed
        Which channel holds the first guess, and how many of the first answers there is one of. Next to the
        guesses are the tenth logarithms of their deviations.
    """

    def __init__(  # noqa: PLR0913  options, by keyword
        self,
        channels: int = sight.CHANNELS,
        outputs: int = 6,
        *,
        token: int = sight.N_TOKEN,
        wide: int = 96,
        widths: tuple[int, ...] = (32, 96, 160, 160),
        guess: int = sight.GUESS_AT,
        guessed: int = 5,
    ) -> None:
        super().__init__()
        one, two, three, four = widths
        self.token, self.outputs = token, outputs
        self.guess, self.guessed = guess, guessed
        self.shared = nn.Sequential(nn.Linear(token, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.steer = nn.ModuleList(nn.Linear(64, 2 * n) for n in (wide, one, two, three, four))
        self.read = nn.Conv2d(channels - token, wide, 1)
        self.again = nn.Conv2d(wide, wide, 1)
        self.narrow = nn.Conv2d(wide, one, 1)
        self.down = nn.ModuleList(
            nn.Conv2d(taken, n, 1) for taken, n in ((wide + one, two), (two, three), (three, four))
        )
        self.there = nn.ModuleList(
            [_Block(one), _Block(two), nn.Sequential(_Block(three), _Block(three)), _Block(four)]
        )
        self.up = nn.ModuleList(
            nn.Conv2d(taken, n, 1) for taken, n in ((two, one), (three, two), (four, three))
        )
        self.back = nn.ModuleList([_Block(one), _Block(two), _Block(three)])
        self.last = nn.Sequential(nn.Conv2d(one + wide, wide, 1), nn.SiLU(), nn.Conv2d(wide, 2 * outputs, 1))
        self._begin()

    def _begin(self) -> None:
        for layer in self.steer:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.last[-1].weight *= CAUTION
            self.last[-1].bias.zero_()

    def forward(self, image: Any) -> Any:
        """Return means and deviations `(cases, 2 outputs, y, x)` of slices `(cases, channels, y, x)`."""
        image = image.float()
        seen, token = image[:, : -self.token], image[:, -self.token :, 0, 0]
        shared = self.shared(token)
        voxel = functional.silu(self._steered(self.read(seen), shared, 0))
        voxel = functional.silu(self.again(voxel))
        levels = [self.there[0](self._steered(self.narrow(voxel), shared, 1))]
        taken = torch.cat([voxel, levels[0]], dim=1)
        for i, narrower in enumerate(self.down):
            smaller = narrower(functional.avg_pool2d(taken, 2))
            taken = self.there[i + 1](self._steered(smaller, shared, i + 2))
            levels.append(taken)
        for i in (2, 1, 0):
            taken = self.back[i](levels[i] + _grown(self.up[i](taken), levels[i]))
        return self._answered(self.last(torch.cat([taken, voxel], dim=1)).float(), image)

    def _steered(self, features: Any, shared: Any, level: int) -> Any:
        gain, shift = self.steer[level](shared)[:, :, None, None].chunk(2, dim=1)
        return features * (1.0 + gain) + shift

    def _answered(self, change: Any, image: Any) -> Any:
        """Return means and deviations: the guess, changed where that keeps both positive."""
        n, k = self.outputs, self.guessed
        means = _and_more(image[:, self.guess : self.guess + k], n, 0.0)
        spread = torch.exp(2.302585 * image[:, self.guess + k : self.guess + 2 * k])
        spread = _and_more(spread.clamp(*NEAR), n, UNSURE)
        moved = spread * change[:, :n]
        positive = functional.softplus(_before_softplus(means[:, :POSITIVE]) + moved[:, :POSITIVE])
        times = means[:, POSITIVE:] + moved[:, POSITIVE:]
        deviation = spread * torch.exp(change[:, n:].clamp(-5.0, 3.0)) + LEAST_SD
        return torch.cat([positive, times, deviation], dim=1)


class _Block(nn.Module):
    """Adds to features what two convolutions make of them."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.made = nn.Sequential(
            nn.Conv2d(n, n, 3, padding=1, bias=False),
            nn.BatchNorm2d(n),
            nn.SiLU(),
            nn.Conv2d(n, n, 3, padding=1, bias=False),
            nn.BatchNorm2d(n),
        )

    def forward(self, features: Any) -> Any:
        """Return features of the same shape."""
        return functional.silu(features + self.made(features))


def _and_more(guess: Any, n: int, otherwise: float) -> Any:
    """Append answers that nobody guessed."""
    more = torch.full_like(guess[:, :1], otherwise).expand(-1, n - guess.shape[1], -1, -1)
    return torch.cat([guess, more], dim=1)


def _before_softplus(values: Any) -> Any:
    """Return what the softplus of is `values`, or `LEAST`; ONNX knows no `expm1`."""
    above = values.clamp(min=LEAST)
    return above + torch.log(1.0 - torch.exp(-above))


def _grown(features: Any, beside: Any) -> Any:
    return functional.interpolate(features, size=beside.shape[-2:], mode="nearest")
