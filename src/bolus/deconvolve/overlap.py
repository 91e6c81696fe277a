"""Least squares with shifted arterial integrals, without ever making a shifted curve.

A box-shaped residue from `d` to `e` gives ``C_t(t) = f (A(t - d) - A(t - e))``, `A` the integral of the
arterial curve. As that curve is linear between samples, every shift of it, of its integral and of its
slope is a weighted sum of three curves shifted by whole frames. Inner products with a tissue curve, and
of two shifts, are therefore weighted sums of a few numbers tabulated beforehand: those with the tissue by
one matrix product for all voxels, those of two shifts once for the arterial curve. The fit of any box is
then exact, and costs nothing that grows with the number of frames.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from bolus.core.arrays import Float64s


class Shifts(NamedTuple):
    """An arterial curve and its integral, shifted by whole frames.

    Parameters
    ----------
    basis
        By shift: the integral, the curve, and the curve a frame later, shape `(shifts, 3, t)`.
    gram
        Their inner products by pair of shifts, shape `(shifts, shifts, 3, 3)`.
    first
        Least shift [frames].
    dt
        Frame interval [s].
    """

    basis: Float64s
    gram: Float64s
    first: int
    dt: float

    @property
    def weights(self) -> Float64s:
        """What turns curves into their inner products with the basis, shape `(t, 3 shifts)`."""
        return self.basis.reshape(-1, self.basis.shape[2]).T


def shifts_of(aif: Float64s, dt: float, span_s: tuple[float, float], *, centred: bool = False) -> Shifts:
    """Shift an arterial curve by every whole frame in a span.

    Parameters
    ----------
    aif
        Shape `(t,)`. It is linear between samples, 0 before the first, and keeps its last value.
    dt
        Frame interval [s].
    span_s
        Least and greatest shift that will be asked for [s]; beyond the scan there is nothing to see.
    centred
        Whether to take the mean over the scan from each shifted curve, which projects out a constant.
    """
    n = aif.size
    first, last = ceil(span_s[0] / dt), min(ceil(span_s[1] / dt), n)
    curve = np.concatenate([aif, np.full(max(-first, 0) + 2, aif[-1])])
    integral = np.concatenate([[0.0], np.cumsum(0.5 * dt * (curve[1:] + curve[:-1]))])
    frames = np.arange(n) - np.arange(first, last + 1)[:, None]
    index = np.maximum(frames, 0)
    basis = np.stack([integral[index], curve[index], curve[index + 1]], axis=1) * (frames >= 0)[:, None, :]
    if centred:
        basis -= basis.mean(axis=2, keepdims=True)
    rows = basis.reshape(-1, n)
    gram = (rows @ rows.T).reshape(len(basis), 3, len(basis), 3).transpose(0, 2, 1, 3)
    return Shifts(basis, np.ascontiguousarray(gram), first, dt)
