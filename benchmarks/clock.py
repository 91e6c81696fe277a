"""Seconds and memory of one call: the least of a few, as other programs only ever add to them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from time import perf_counter, process_time
from typing import NamedTuple


class Taken(NamedTuple):
    """Seconds on the wall, and of all processors; the second hardly depend on what else is running."""

    wall: float
    processor: float


def best(call: Callable[[], object], n_repeats: int = 3) -> Taken:
    """Return the least of a few calls. Whoever calls has called once before, to compile and to warm up."""
    taken = []
    for _ in range(n_repeats):
        wall, processor = perf_counter(), process_time()
        call()
        taken.append(Taken(perf_counter() - wall, process_time() - processor))
    return Taken(min(t.wall for t in taken), min(t.processor for t in taken))


def peak_mib(call: Callable[[], object]) -> float:
    """Return the most memory that a call holds above what was held before it [MiB]."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20
