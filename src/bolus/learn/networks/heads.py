"""From a network's last layer to its answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def foreground_logit(output: Any) -> Any:
    """Return the log-odds of the foreground, shape `(cases, 1, y, x)`.

    Two channels (background and foreground) are the same model as one: softmax over both is the logistic
    function of their difference, and their cross-entropy is its binary cross-entropy.
    """
    return output if output.shape[1] == 1 else output[:, 1:2] - output[:, 0:1]


class Foreground(nn.Module):
    """Probability of the foreground, shape `(cases, 1, y, x)`."""

    def forward(self, output: Any) -> Any:
        """Turn one or two channels into a probability."""
        return foreground_logit(output).sigmoid()


def label_logit(output: Any) -> Any:
    """Return the log-odds of a label, shape `(cases, 1)`, of a layer that `Label` takes."""
    return output if output.ndim == 2 else output[:, 1, :1, 0]


class Label(nn.Module):
    """Probability of a label, and where what it is about lies, if the network says so."""

    def forward(self, output: Any) -> Any:
        """Return the probability `(cases, 1)` of log-odds of that shape.

        Of a layer `(cases, 2, y, x)`, whose first channel says where and whose second says whether, the
        softmax over all pixels of the first, and the probability everywhere in the second.
        """
        if output.ndim == 2:
            return output.sigmoid()
        where = output[:, :1].flatten(1).softmax(dim=1).reshape(output[:, :1].shape)
        return torch.cat([where, output[:, 1:].sigmoid()], dim=1)


class CoreAnswer(nn.Module):
    """Probability of a large core; and where it lies, and its volume, if the network says so."""

    def forward(self, output: Any) -> Any:
        """Return the probability `(cases, 1)` of log-odds of that shape.

        Of a layer `(cases, 3, y, x)`, the probabilities of its first two channels, and the third as it is:
        the logarithm of 1 + the volume [mL].
        """
        if output.ndim == 2:
            return output.sigmoid()
        return torch.cat([output[:, :2].sigmoid(), output[:, 2:]], dim=1)


class Identity(nn.Module):
    """The last layer is the answer."""

    def forward(self, output: Any) -> Any:
        """Return what was given."""
        return output
