"""Drawing of tubes as line integrals, in loops that numba compiles.

A tube is laid down as flat discs, a pixel or less apart, each with the volume of its piece. The
sum over a straight tube in the plane of the picture is the chord ``2 sqrt(r^2 - d^2)``; over an oblique one
it is longer, as for a ray; nothing is lost or counted twice at bends, joints and pixel borders.
"""

from __future__ import annotations

from math import ceil, exp, floor, log, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Mask

X0, Y0, X1, Y1, R0, R1, LENGTH, DELAY0, DELAY1, WEIGHT0, WEIGHT1 = range(11)
"""Columns of a piece: ends [pixels], radii and length [mm], arrivals [s] and strengths there."""
COLUMNS = 11
SOFT_PX = 1.5
"""Width of the edge of a disc [pixels]."""
LARGE_PX = 7.0
"""Radius from which the soft edge hides the step of a whole pixel [pixels]."""


@njit(cache=True, nogil=True)
def draw(
    density: Float32s, pieces: Float32s, rows: NDArray[np.int64], table: Float32s, scale: tuple[float, float]
) -> None:
    """Add the line integrals of tubes to frames.

    Parameters
    ----------
    density
        Line integrals [mm times contrast], shape `(x, y, t)`, added to.
    pieces
        Shape `(pieces, COLUMNS)`.
    rows
        First row of `table` for each piece, shape `(pieces,)`.
    table
        Contrast by arrival and frame, shape `(rows, t)`.
    scale
        Size of a pixel [mm] and step of arrivals [s].
    """
    pixel, bin_s = scale
    nx, ny, nt = density.shape
    weights = np.empty((256, 256), dtype=np.float32)
    for p in range(pieces.shape[0]):
        piece = pieces[p]
        n = _n_discs(piece, pixel)
        for i in range(n):
            f = (i + 0.5) / n
            x = piece[X0] + f * (piece[X1] - piece[X0])
            y = piece[Y0] + f * (piece[Y1] - piece[Y0])
            r = piece[R0] + f * (piece[R1] - piece[R0])
            reach = r / pixel + 0.5 * SOFT_PX
            if x < -reach or y < -reach or x > nx + reach or y > ny + reach:
                continue
            left, top = ceil(x - reach), ceil(y - reach)
            wide, high = min(floor(x + reach) - left + 1, 256), min(floor(y + reach) - top + 1, 256)
            whole = _disc(weights, (x - left, y - top), r / pixel, (wide, high))
            strength = piece[WEIGHT0] + f * (piece[WEIGHT1] - piece[WEIGHT0])
            volume = np.pi * r * r * piece[LENGTH] / n * strength / (pixel * pixel) / whole
            delay = piece[DELAY0] + f * (piece[DELAY1] - piece[DELAY0])
            row = rows[p] + int(delay / bin_s + 0.5)
            for a in range(max(left, 0), min(left + wide, nx)):
                for b in range(max(top, 0), min(top + high, ny)):
                    w = weights[a - left, b - top] * volume
                    if w > 0.0:
                        for t in range(nt):
                            density[a, b, t] += w * table[row, t]


@njit(cache=True, nogil=True)
def _n_discs(piece: Float32s, pixel: float) -> int:
    """Return how many discs a piece needs: one every half pixel, or every pixel where they are large."""
    along = sqrt((piece[X1] - piece[X0]) ** 2 + (piece[Y1] - piece[Y0]) ** 2)
    small = min(piece[R0], piece[R1]) < LARGE_PX * pixel
    return max(ceil(2.0 * along if small else along), 1)


@njit(cache=True, nogil=True)
def _disc(weights: Float32s, centre: tuple[float, float], radius: float, size: tuple[int, int]) -> float:
    """Fill the weights of one disc [pixels] and return their sum."""
    whole = 0.0
    for a in range(size[0]):
        for b in range(size[1]):
            d = sqrt((a - centre[0]) ** 2 + (b - centre[1]) ** 2)
            w = min(max((radius - d) / SOFT_PX + 0.5, 0.0), 1.0)
            weights[a, b] = w
            whole += w
    return max(whole, 1e-6)


@njit(cache=True, nogil=True)
def mark(inside: Mask, earliest: Float32s, pieces: Float32s, pixel: float) -> None:
    """Mark the pixels whose centre lies inside tubes, and note the earliest arrival there.

    Parameters
    ----------
    inside, earliest
        Shape `(x, y)`, added to: whether a tube covers the pixel, and the earliest arrival [s].
    pieces
        Shape `(pieces, COLUMNS)`.
    pixel
        Size of a pixel [mm].
    """
    nx, ny = inside.shape
    for p in range(pieces.shape[0]):
        piece = pieces[p]
        n = _n_discs(piece, pixel)
        for i in range(n):
            f = (i + 0.5) / n
            x = piece[X0] + f * (piece[X1] - piece[X0])
            y = piece[Y0] + f * (piece[Y1] - piece[Y0])
            r = max((piece[R0] + f * (piece[R1] - piece[R0])) / pixel, 0.5)
            delay = piece[DELAY0] + f * (piece[DELAY1] - piece[DELAY0])
            for a in range(max(ceil(x - r), 0), min(floor(x + r) + 1, nx)):
                for b in range(max(ceil(y - r), 0), min(floor(y + r) + 1, ny)):
                    if (a - x) ** 2 + (b - y) ** 2 <= r * r:
                        inside[a, b] = True
                        earliest[a, b] = min(earliest[a, b], delay)


@njit(cache=True, nogil=True)
def enlarge(density: Float32s, coarse: Float32s, step: tuple[float, float, float]) -> None:
    """Add a coarse film to frames, linearly between its points.

    Parameters
    ----------
    density
        Shape `(x, y, t)`, added to.
    coarse
        Shape `(u, v, t)`.
    step
        Coarse points a pixel, then the coarse coordinates of pixel (0, 0).
    """
    per, u0, v0 = step
    nx, ny, nt = density.shape
    for a in range(nx):
        u = min(max(u0 + a * per, 0.0), coarse.shape[0] - 1.001)
        i = int(u)
        for b in range(ny):
            v = min(max(v0 + b * per, 0.0), coarse.shape[1] - 1.001)
            j = int(v)
            p, q = u - i, v - j
            for t in range(nt):
                density[a, b, t] += (1 - p) * ((1 - q) * coarse[i, j, t] + q * coarse[i, j + 1, t]) + p * (
                    (1 - q) * coarse[i + 1, j, t] + q * coarse[i + 1, j + 1, t]
                )


@njit(cache=True, nogil=True)
def expose(lines: Float32s, noise: Float32s, beam: Float32s, photons: float, grain: float) -> None:
    """Turn line integrals into the logarithm of what a detector counts.

    Parameters
    ----------
    lines
        Line integrals of all that lies in the beam [nat], shape `(x, y, t)`; overwritten with
        ``ln(count / photons)``.
    noise
        Standard normal numbers, shape `(x + 1, y + 1, t)`.
    beam
        Exposure of each frame, 1 on average, shape `(t,)`.
    photons
        Count of a pixel at line integral 0.
    grain
        How much of their noise neighbouring pixels share, 0-1.
    """
    nx, ny, nt = lines.shape
    norm = 1.0 / (1.0 + grain * grain)
    for a in range(nx):
        for b in range(ny):
            for t in range(nt):
                count = photons * beam[t] * exp(-lines[a, b, t])
                z = noise[a, b, t] + grain * (
                    noise[a + 1, b, t] + noise[a, b + 1, t] + grain * noise[a + 1, b + 1, t]
                )
                count += sqrt(count + 16.0) * z * norm
                lines[a, b, t] = log(max(count, 1.0) / photons)
