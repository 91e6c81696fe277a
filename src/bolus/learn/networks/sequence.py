"""A clot in a run of X-ray frames, yes or no: a network of pictures, then one of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import nn

from bolus.core.errors import BadRecipe
from bolus.learn.networks.attention import Attention
from bolus.learn.networks.backbones import backbone

POOLS: Final[Mapping[str, int]] = MappingProxyType({"resnet18": 7, "regnet_y_16gf": 3})
"""Cells along a side that features are averaged in, where it is not 4, as in the released code."""
READOUTS: Final = ("last", "mean+max", "transformer", "average")
_KINDS: Final = {"gru": nn.GRU, "lstm": nn.LSTM}


class SequenceClassifier(nn.Module):
    """Convolutional and recurrent network of Mittmann 2022.

    Each three frames are a picture of three channels. Its features are averaged in a few cells, put in a row,
    normalised, and read forwards and backwards in time.

    Parameters
    ----------
    channels
        Frames a picture: 3.
    cnn
        A name of `bolus.learn.networks.backbones.BACKBONES`.
    recurrent, hidden, layers
        `gru` or `lstm`, its units in each direction, and its layers.
    dropout
        Between the layers.
    readout
        `last`: the last step, as the paper has it, whose backward half has seen one picture only;
        `mean+max`: mean and largest value over all steps. Two leave the recurrent network out: `transformer`,
        in which steps look at each other, and mean and largest value are read; and `average`, the mean of
        the log-odds of each picture alone, which knows no order.

    Raises
    ------
    BadRecipe
        If a choice is unknown.

    References
    ----------
    Mittmann et al., Int J CARS 17:1633-1641 (2022), doi:10.1007/s11548-022-02654-8.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the choices of a recipe
        self,
        channels: int = 3,
        cnn: str = "resnet18",
        recurrent: str = "gru",
        hidden: int = 512,
        layers: int = 3,
        dropout: float = 0.5,
        readout: str = "last",
    ) -> None:
        super().__init__()
        _require("readout", readout, READOUTS)
        _require("recurrent network", recurrent, tuple(_KINDS))
        _require("number of frames a picture", str(channels), ("3",))
        self.readout = readout
        self.cells = POOLS.get(cnn, 4)
        self.cnn = backbone(cnn)
        n = self.cnn.n_channels * self.cells**2
        self.norm = nn.LayerNorm(n)
        self.active = nn.LeakyReLU()
        if readout == "average":
            self.last = nn.Linear(n, 1)
        elif readout == "transformer":
            self.attention = Attention(n, 2 * hidden, layers, dropout)
            self.last = nn.Linear(4 * hidden, 1)
        else:
            between = dropout if layers > 1 else 0.0
            self.rnn = _KINDS[recurrent](
                n, hidden, layers, batch_first=True, dropout=between, bidirectional=True
            )
            self.last = nn.Linear(2 * hidden * (1 if readout == "last" else 2), 1)

    def forward(self, triplets: Any) -> Any:
        """Return log-odds, shape `(cases, 1)`, of pictures of three frames `(cases, pictures, 3, y, x)`."""
        cases, pictures = triplets.shape[:2]
        features = cell_means(self.cnn(triplets.flatten(0, 1)), self.cells)
        steps = features.flatten(1).reshape(cases, pictures, -1)
        shown = self.active(self.norm(steps))
        if self.readout == "average":
            return self.last(shown).mean(dim=1)
        read = self.attention(shown) if self.readout == "transformer" else self.rnn(shown)[0]
        if self.readout == "last":
            return self.last(read[:, -1])
        return self.last(torch.cat([read.mean(dim=1), read.amax(dim=1)], dim=1))


def cell_means(features: Any, side: int) -> Any:
    """Average pictures `(n, channels, y, x)` in `side` x `side` cells, as adaptive pooling does.

    Written as two products with constants, so that graphs of any number of pictures can be exported.
    """
    rows, columns = (_means(n, side).to(features) for n in features.shape[-2:])
    return rows @ features @ columns.T


def _means(n: int, side: int) -> Any:
    """Return weights that average `n` values in `side` cells, shape `(side, n)`."""
    spans = [(i * n // side, -(-(i + 1) * n // side)) for i in range(side)]
    return torch.tensor([[1.0 / (b - a) if a <= j < b else 0.0 for j in range(n)] for a, b in spans])


def _require(what: str, found: str, choices: tuple[str, ...]) -> None:
    if found not in choices:
        raise BadRecipe(f"unknown {what}", wanted=", ".join(choices), found=found)
