"""How long each stage takes, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from bolus.core.finding import Progress


@dataclass(slots=True)
class Stopwatch:
    """Times stages and tells `progress` when each begins and ends."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block as `stage`."""
        start = perf_counter()
        self.progress(stage, 0, 1)
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start
        self.progress(stage, 1, 1)
