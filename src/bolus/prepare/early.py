"""Which frames are safely before the bolus."""

from __future__ import annotations

from math import ceil

import numpy as np

from bolus.core.arrays import Times

EARLY_S, MIN_EARLY = 4.0, 3
"""The first 4 s, and at least 3 frames, count as early: contrast injected in an arm takes longer to come."""


def n_early(times: Times) -> int:
    """Return how many frames count as early, for times [s] of shape `(t,)` or `(z, t)`."""
    n = int(times.shape[-1])
    if n < 2:
        return n
    dt = float(np.median(np.diff(times, axis=-1)))
    return min(n, max(MIN_EARLY, ceil(EARLY_S / dt - 1e-9)))
