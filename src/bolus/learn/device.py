"""Putting curves on a GPU, for the same methods to run there."""

from __future__ import annotations

from typing import Any

from bolus.core.arrays import Floats
from bolus.core.errors import BadRecipe
from bolus.deconvolve import Place


def on_device(name: str) -> Place:
    """Return what puts curves on a device, for `bolus.run(..., place=...)`.

    Parameters
    ----------
    name
        A device of PyTorch: `cuda`, `cuda:1`, `mps` or `cpu`.

    Returns
    -------
    A function from curves in memory to float32 curves on the device. Methods of the SVD family multiply
    there, `posterior` and `vascular` do nearly all of their work there; `box`, `slope` and `moment` take the
    curves back.

    Raises
    ------
    BadRecipe
        If PyTorch is not installed, or has no such device.
    """
    try:
        import torch
    except ImportError as error:
        raise BadRecipe(
            f"the device {name} needs PyTorch",
            found="no PyTorch",
            remedy="Install it with: pip install 'bolus[learn]'. Without --device, the processor is used.",
        ) from error
    try:
        device = torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise BadRecipe(
            f"PyTorch has no device {name} here",
            found=str(error).splitlines()[0],
            remedy="Leave out --device.",
        ) from error

    def put(curves: Floats) -> Any:
        return torch.tensor(curves, dtype=torch.float32, device=device)  # a copy: the curves are read-only

    return put
