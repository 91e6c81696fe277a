"""What tissue can look like: curves of unit flow for many delays, transit times and shapes of residue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float64s, Indices
from bolus.deconvolve.problem import sharpened
from bolus.physics.transport import RESIDUES, Residue, gamma_residue, ideal_tmax, tissue_curves, unit_flow

DELAYS_S: Final[Float64s] = np.concatenate([np.arange(-4.0, 10.0, 0.5), np.arange(10.0, 19.0, 1.0)])
"""Delays [s]: tissue leads an artery that was picked too late, and follows by at most 18 s."""
TRANSITS_S: Final[Float64s] = np.geomspace(2.0, 30.0, 16)
"""Mean transit times [s]. Below 2 s a passage is shorter than any frame interval in use: flow at a given
volume would grow without limit."""
RESOLVED: Final = 2e-3
"""Directions weaker than this part of the strongest are left out: no noise this low is met."""
STRIDE: Final = 8
"""Directions come in whole strides, as the product with them is unrolled."""
USUAL_MTT_S: Final = 6.0
SPREAD_LN: Final = 0.9
"""Median [s] and spread (SD of the logarithm) of transit times before anything is seen: normal tissue has
4-6 s, hypoperfused tissue two to four times that."""
EARLY_S: Final = 1.0
LATE_S: Final = 4.0
"""How fast the prior falls off on either side of no delay [s]: tissue rarely leads its artery, and follows
it by seconds where collaterals feed it."""

SHAPES: Final[Mapping[str, Residue]] = MappingProxyType(
    {
        "exponential": RESIDUES["exponential"],
        "gamma 2": partial(gamma_residue, shape=2.0),
        "gamma 4": partial(gamma_residue, shape=4.0),
        "linear": RESIDUES["linear"],
        "box": RESIDUES["box"],
    }
)
"""Shapes of the residue, from one well-mixed compartment to plug flow."""


@dataclass(frozen=True, slots=True, eq=False)
class Atoms:
    """Tissue curves of unit flow, one a combination of delay, transit time and shape.

    Parameters
    ----------
    curves
        For `k(0) = 1` per second, in the unit of the arterial curve times s, as `whitened` leaves them,
        shape `(atoms, t)`.
    delay, mtt, tmax
        Seconds, shape `(atoms,)`; `tmax` is what a regularised deconvolution would read, see
        `bolus.physics.transport.ideal_tmax`.
    shape
        Index of the shape, shape `(atoms,)`.
    width_s
        Half the distance to the neighbours in delay, both sides together [s], shape `(atoms,)`.
    norms
        Euclidean length of each curve, shape `(atoms,)`.
    directions, parts
        Few unit vectors that the curves span, shape `(t, d)`, and the unit vector along each curve in them,
        shape `(d, atoms)`.
    """

    curves: Float64s
    delay: Float64s
    mtt: Float64s
    tmax: Float64s
    shape: Indices
    width_s: Float64s
    norms: Float64s
    directions: Float64s
    parts: Float64s


def make_atoms(aif: Float64s, dt: float, shapes: Mapping[str, Residue], baseline: float = 0.0) -> Atoms:
    """Convolve an arterial curve with every residue that tissue may have.

    Parameters
    ----------
    aif
        Arterial samples, shape `(t,)`.
    dt
        Frame interval [s].
    shapes
        Residues by name.
    baseline
        How many samples' worth the pre-contrast level is known, as for `whitened`.

    Returns
    -------
    Shapes vary slowest, then transit times, then delays. Kept for the next block of the same scan.
    """
    return _kept(sharpened(aif).tobytes(), float(dt), tuple(shapes.items()), float(baseline))


def whitened(curves: Any, baseline: float) -> Any:
    """Make the noise of curves white again, of which the mean of a noisy baseline was taken away.

    Less the mean of `n` other samples, white noise of variance `s2` has the covariance
    ``s2 (I + 1 1^T / n)``: a level that is off is off in all samples. Taking away the part
    ``1 - sqrt(n / (n + N))`` of the mean of its `N` samples turns it into ``s2 I``, so that sums of squares
    are likelihoods again. Curves and atoms go through it alike.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`, in memory or on a device.
    baseline
        `n`, how many samples' worth the pre-contrast level is known; 0: known exactly, nothing is done.
    """
    if not baseline:
        return curves
    part = 1.0 - (baseline / (baseline + curves.shape[1])) ** 0.5
    # infinite samples have no mean; their voxels come out as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        return curves - part * curves.mean(1)[:, None]


@lru_cache(maxsize=4)
def _kept(samples: bytes, dt: float, shapes: tuple[tuple[str, Residue], ...], baseline: float) -> Atoms:
    mtt, delay = _grid()
    n = len(shapes)
    curves = np.asarray(whitened(_passages(samples, dt, shapes), baseline))
    norms = np.linalg.norm(curves, axis=1)
    directions, parts = _spanned(curves / norms[:, None])
    return Atoms(
        curves=curves,
        delay=np.tile(delay, n),
        mtt=np.tile(mtt, n),
        tmax=np.concatenate([_tmax(residue) for _, residue in shapes]),
        shape=np.repeat(np.arange(n), mtt.size),
        width_s=np.tile(_widths(delay), n),
        norms=np.asarray(norms, dtype=np.float64),
        directions=directions,
        parts=parts,
    )


def _grid() -> tuple[Float64s, Float64s]:
    """Return transit time and delay of each atom of a shape."""
    return np.repeat(TRANSITS_S, DELAYS_S.size), np.tile(DELAYS_S, TRANSITS_S.size)


@lru_cache(maxsize=2)
def _passages(samples: bytes, dt: float, shapes: tuple[tuple[str, Residue], ...]) -> Float64s:
    """Return the curves of all atoms, of a baseline that is known, `(atoms, t)`."""
    aif = np.frombuffer(samples)
    times = np.arange(aif.size, dtype=np.float64) * dt
    mtt, delay = _grid()
    parameters = (np.full(mtt.size, unit_flow(), dtype=np.float64), mtt, delay)

    def arterial(at: Float64s) -> Float64s:
        return np.asarray(np.interp(at, times, aif, left=0.0))

    return np.concatenate(
        [tissue_curves(arterial, times, parameters, residue=residue) for _, residue in shapes]
    )


def _spanned(units: Float64s) -> tuple[Float64s, Float64s]:
    """Return the few directions that unit vectors `(atoms, t)` span, and the vectors in them.

    From the eigenvectors of the small product, as an SVD of all atoms takes a second.
    """
    power, vectors = np.linalg.eigh(units.T @ units)
    n_needed = int(np.count_nonzero(power > RESOLVED**2 * power[-1]))
    n_kept = min(n_needed + -n_needed % STRIDE, power.size // STRIDE * STRIDE)
    directions = np.ascontiguousarray(vectors[:, ::-1][:, :n_kept])
    return directions, (units @ directions).T


@lru_cache(maxsize=16)
def _tmax(residue: Residue) -> Float64s:
    """Return the Tmax of each atom of a shape, which no artery changes."""
    mtt, delay = _grid()
    return ideal_tmax(mtt.astype(np.float32), delay.astype(np.float32), residue).astype(np.float64)


def _widths(delay: Float64s) -> Float64s:
    return np.asarray(np.gradient(DELAYS_S)[np.searchsorted(DELAYS_S, delay)])


def late_after(leaning: object) -> float:
    """Return how fast the common prior falls off for late tissue [s]: never where voxels have their own."""
    return LATE_S if leaning is None else np.inf


def log_prior(atoms: Atoms, late_s: float) -> Float64s:
    """Return the logarithm of what is believed of delay and transit time before a curve is seen.

    Parameters
    ----------
    late_s
        How fast the prior falls off for late tissue [s]; infinite where its neighbours say how late it is.

    Returns
    -------
    Up to a constant, shape `(atoms,)`. Steps of delay count by their width; those of log MTT are even.
    """
    of_delay = np.where(atoms.delay < 0, atoms.delay / EARLY_S, -atoms.delay / late_s)
    of_mtt = -0.5 * (np.log(atoms.mtt / USUAL_MTT_S) / SPREAD_LN) ** 2
    return np.asarray(of_delay + of_mtt + np.log(atoms.width_s))
