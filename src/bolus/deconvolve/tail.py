"""Curves that the scan cut off, carried on to zero."""

from __future__ import annotations

from math import ceil

import numpy as np

from bolus.core.arrays import Float64s

_LAST = 3
"""Samples at the end whose mean the tail goes on from."""
_LENGTH = 5.0
"""Length of the tail in its time constants: under 1 % is left then."""


def carry_on(n_frames: int, dt: float, tail_s: float) -> Float64s:
    """Return the matrix that carries a curve on beyond the end of the scan by an exponential.

    Zero-padding says that all contrast is gone one frame after the last. Where the scan ended during the
    washout, that cliff holds frequencies which no residue could have made, and deconvolution rings.

    Parameters
    ----------
    n_frames
        Samples of a curve, t.
    dt
        Frame interval [s].
    tail_s
        Time constant of the decay [s]; 0: none.

    Returns
    -------
    Shape `(t + tail, t)`, the identity above the tail; curves are its right-hand side.
    """
    n_tail = ceil(_LENGTH * tail_s / dt) if tail_s > 0 else 0
    matrix = np.zeros((n_frames + n_tail, n_frames))
    matrix[:n_frames] = np.eye(n_frames)
    n_last = min(_LAST, n_frames)
    decay = np.exp(-dt / tail_s * np.arange(1, n_tail + 1)) if n_tail else np.empty(0)
    matrix[n_frames:, n_frames - n_last :] = decay[:, None] / n_last
    return matrix
