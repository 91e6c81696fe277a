"""From a network's last layer to its answer."""

from __future__ import annotations

from typing import Any

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


class Identity(nn.Module):
    """The last layer is the answer."""

    def forward(self, output: Any) -> Any:
        """Return what was given."""
        return output
