"""Several processes that train one network, as `torchrun` starts them; or just this one."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from bolus.core.errors import BadRecipe


@dataclass(frozen=True, slots=True)
class Crew:
    """A process among those that train together.

    Parameters
    ----------
    rank, size
        Number of this process, from 0, and how many there are.
    device
        Where it computes.
    """

    rank: int
    size: int
    device: Any

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def share(self, order: Sequence[int]) -> list[int]:
        """Return this process's part of an order; all get equally many, some cases twice if need be."""
        lacking = -len(order) % self.size
        return [*order, *order[:lacking]][self.rank :: self.size]

    def wrapped(self, network: Any) -> Any:
        """Return a network whose gradients are averaged over all processes."""
        return network if self.size == 1 else DistributedDataParallel(network)

    def quiet(self, network: Any, *, until_later: bool) -> Any:
        """Return a context in which gradients stay here while more are to be added."""
        return network.no_sync() if self.size > 1 and until_later else nullcontext()

    def gathered(self, mine: Any) -> list[Any]:
        """Return what every process gives, in the order of their ranks, to each of them."""
        if self.size == 1:
            return [mine]
        everyone: list[Any] = [None] * self.size
        distributed.all_gather_object(everyone, mine)
        return everyone


@contextmanager
def joined(device: str = "auto") -> Iterator[Crew]:
    """Join the processes that `torchrun` started, or work alone; leave them at the end.

    Parameters
    ----------
    device
        A device of PyTorch; `auto`: a GPU for each process where there is one, else the processor.

    Raises
    ------
    BadRecipe
        If a GPU is asked for where there is none.
    """
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    where = place(device)
    if size == 1:
        yield Crew(0, 1, where)
        return
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Crew(rank, size, where)
    finally:
        distributed.destroy_process_group()
        gc.collect()  # a network in a cycle keeps the group's threads, which must not outlive the interpreter


def place(device: str) -> Any:
    """Return a device of PyTorch; of several GPUs, the one of this process unless one is named.

    Raises
    ------
    BadRecipe
        If PyTorch knows no such device, or has none of that number here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise BadRecipe("PyTorch knows no such device", wanted="cpu, cuda, cuda:1", found=device) from error
    if found.type != "cuda":
        return found
    named = int(os.environ.get("LOCAL_RANK", "0")) if found.index is None else found.index
    n = torch.cuda.device_count()
    if named >= n:
        raise BadRecipe(
            "PyTorch has no such GPU here", found=f"{device} of {n}", remedy="Leave out --device."
        )
    torch.cuda.set_device(named)
    return torch.device("cuda", named)
