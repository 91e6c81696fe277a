"""Steps in time that look at each other: a small transformer, written so that any number can be exported."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

HEADS: Final = 4
_SLOWEST: Final = 64.0
"""Longest wave of the code of time, in steps."""


class Attention(nn.Module):
    """Transformer over the steps of a sequence, each with a code of its time.

    Parameters
    ----------
    taken, width
        Features of a step, and features inside: a multiple of 8.
    layers
        Blocks of attention and of two dense layers, each normalised before.
    dropout
        Inside the blocks.

    References
    ----------
    Vaswani et al., NeurIPS 2017, doi:10.48550/arXiv.1706.03762; Xiong et al., ICML 2020,
    doi:10.48550/arXiv.2002.04745 (normalisation before).
    """

    def __init__(self, taken: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.into = nn.Linear(taken, width)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, steps: Any) -> Any:
        """Return features of each step `(cases, steps, width)` of steps `(cases, steps, taken)`."""
        inside = self.into(steps)
        inside = inside + times_code(inside)
        for block in self.blocks:
            inside = block(inside)
        return self.norm(inside)


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.told = nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, steps: Any) -> Any:
        heads = self.asked(self.first(steps)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        steps = steps + self.drop(self.told(seen.transpose(1, 2).flatten(2)))
        return steps + self.drop(self.dense(self.second(steps)))


def times_code(steps: Any) -> Any:
    """Return sines and cosines of the number of each step, shape `(steps, width)`."""
    n, width = steps.shape[1], steps.shape[2]
    number = torch.arange(n, device=steps.device, dtype=steps.dtype)[:, None]
    rates = torch.exp(torch.linspace(0.0, -math.log(_SLOWEST), width // 2, device=steps.device))
    angle = number * rates.to(steps.dtype)
    return torch.cat([angle.sin(), angle.cos()], dim=1)
