"""Batches of cases, on the device that trains: read for every epoch, or all kept on a GPU that has room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from torch.utils.data import DataLoader

from bolus.learn.cases import CaseSet, size_of

_READ_AT_ONCE: Final = 8
"""Cases that travel together while a GPU is filled."""


class Feed:
    """Batches of cases by name, as tensors on a device.

    On a GPU, small networks learn a batch faster than its cases can be read and copied: where all cases fit
    into the room, they are stacked there once, and a batch is an index into them.

    Parameters
    ----------
    cases
        Arrays that stack.
    batch
        Cases in each.
    device
        Of PyTorch.
    workers
        Processes that read; 0: this one.
    room_mb
        On a GPU, what cases may take there [MB], as they are on disk.
    image
        On a GPU, what images are kept as; None: as they are. A network that computes in 16 bits makes them
        short all the same, and twice as many have room.
    """

    def __init__(
        self,
        cases: CaseSet,
        batch: int,
        device: Any,
        *,
        workers: int = 0,
        room_mb: float = 0.0,
        image: Any = None,
    ) -> None:
        self.cases, self.batch, self.device, self._workers = cases, batch, device, workers
        self._kinds = {} if image is None else {"image": image}
        self._stays = device.type == "cuda" and len(cases) * size_of(cases[0]) <= room_mb * 1e6
        self._held: dict[str, Any] = {}

    def batches(self, order: Sequence[int]) -> Sequence[dict[str, Any]] | _Read:
        """Return the batches of cases in some order; they have a length and are gone through once."""
        if not self._stays:
            return _Read(self, order)
        self._held = self._held or self._filled()
        return _Held(self._held, torch.tensor(order, device=self.device), self.batch)

    def read(self, order: Sequence[int], batch: int) -> Any:
        """Return what reads cases from disk, as tensors in memory."""
        pinned = self.device.type == "cuda"
        return DataLoader(self.cases, batch, sampler=order, num_workers=self._workers, pin_memory=pinned)

    def _filled(self) -> dict[str, Any]:
        """Read all cases once, each array into its place on the device."""
        n, done = len(self.cases), 0
        held: dict[str, Any] = {}
        for loaded in self.read(range(n), _READ_AT_ONCE):
            for name, values in loaded.items():
                if name not in held:
                    kind = self._kinds.get(name, values.dtype)
                    held[name] = torch.empty((n, *values.shape[1:]), dtype=kind, device=self.device)
                held[name][done : done + len(values)] = values.to(self.device, non_blocking=True)
            done += len(next(iter(loaded.values())))
        return held


class _Held(Sequence[dict[str, Any]]):
    """Batches of cases that are all there."""

    def __init__(self, held: dict[str, Any], order: Any, batch: int) -> None:
        self._held, self._parts = held, order.split(batch)

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: Any) -> Any:
        return {name: values[self._parts[index]] for name, values in self._held.items()}


class _Read:
    """Batches that are read while the device works on the last."""

    def __init__(self, feed: Feed, order: Sequence[int]) -> None:
        self._device, self._loader = feed.device, feed.read(order, feed.batch)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for loaded in self._loader:
            yield {name: values.to(self._device, non_blocking=True) for name, values in loaded.items()}
