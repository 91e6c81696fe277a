"""Noise that is drawn where pictures are, so that none travels to a GPU."""

from __future__ import annotations

from typing import Any

import torch


def white(like: Any, generator: Any) -> Any:
    """Draw white noise of a tensor's shape where the tensor is, standard deviation 1.

    Parameters
    ----------
    like
        A tensor of any shape.
    generator
        Of the processor. Off it, noise is drawn from a seed that the generator gives.
    """
    if like.device.type == "cpu":
        return torch.randn(like.shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    there = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=there, device=like.device)
