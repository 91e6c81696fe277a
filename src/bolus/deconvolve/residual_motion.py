"""What head motion leaves in curves after frames were aligned, told from contrast and taken away.

An aligned frame is a mixture of its neighbours' voxels, and another mixture for every pose of the head. At
an edge in the image a curve therefore steps where the head did. A curve is modelled as a Gaussian process,

``c = g + D b + e``,

with tissue's response `g` to the arterial curve, of the covariance that all delays, transit times and shapes
of residue make together; the way of the head `D` [mm], seen by the voxel with a sensitivity `b` of its own;
and white noise `e` about a level that is as uncertain as its baseline is short. How strong each of the three
is differs between voxels: the answers for all combinations of a few strengths are averaged, each by how well
it explains the curve. Most voxels hold no step and keep their curve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s, Float64s
from bolus.core.errors import ShapeMismatch
from bolus.core.series import Concentration
from bolus.core.vessel import VesselCurve
from bolus.deconvolve.atoms import LATE_S, SHAPES, log_prior, make_atoms
from bolus.deconvolve.blocks import ROWS, steady
from bolus.deconvolve.problem import usable_aif

LEAST_MM: Final = 0.15
"""Root mean square of a way of the head that is looked for [mm]; less is what alignment is off by."""
RESPONSES: Final = (1.0, 4.0)
"""Size of tissue's response over that of the median voxel: tissue and vessels. A core counts as tissue: were
small responses expected of it, a head that is away while it fills would be blamed for what it has."""
NOISES: Final = (0.7, 1.4, 2.8)
"""Noise of a sample over that of the scan."""
SENSITIVITIES: Final = (0.1, 0.5, 2.0, 8.0)
"""How far a curve moves with the head [noise of the scan per mm]."""
LEAST_NOISE: Final = 0.01
"""Noise of a sample over the response of the median voxel, at least: simulated curves may have none."""
CALM: Final = 0.95
"""How likely it is that a voxel does not move with the head, before its curve is seen."""
STEP: Final = "residual motion: what follows the head taken out of the curves"


def without_motion(concentration: Concentration, aif: VesselCurve, way_mm: Float64s) -> Concentration:
    """Take out of all curves what follows the head instead of the contrast.

    Parameters
    ----------
    concentration
        Contrast over time of aligned frames.
    aif
        Arterial curve on the same clock, in the same unit.
    way_mm
        How far the head lay from its place at each time, in any number of directions, rotations as the way of
        a point at the skull [mm], shape `(t, directions)`.

    Returns
    -------
    The same with other curves; or what was given where the head kept still.

    Raises
    ------
    ShapeMismatch
        If the way has another number of times, or the arterial curve is on another clock.
    NoBolus
        If the arterial curve holds no bolus.
    """
    if len(way_mm) != concentration.times.size:
        raise ShapeMismatch(
            "the way of the head is on another clock than the tissue",
            wanted=f"{concentration.times.size} rows",
            found=str(len(way_mm)),
        )
    later, artery = steady(concentration, aif)
    first = concentration.times.size - later.times.size
    ways = principal_ways(np.asarray(way_mm, dtype=np.float64)[first:], later.baseline)
    if not ways.shape[1] or not len(later.curves):
        return concentration
    model = _Model.of(later, artery, ways)
    curves = concentration.curves.copy()
    for begin in range(0, len(curves), ROWS):
        rows = slice(begin, begin + ROWS)
        curves[rows, first:] -= model.sensitivity(later.curves[rows]) @ ways.T.astype(np.float32)
    return replace(concentration, curves=curves, steps=(*concentration.steps, STEP))


def principal_ways(way_mm: Float64s, baseline: tuple[int, int]) -> Float64s:
    """Return the few independent directions in which a head moved, seen from where it lay before contrast.

    Parameters
    ----------
    way_mm
        Shape `(t, directions)` [mm].
    baseline
        Frames `[first, last)` before contrast, whose mean curves were taken away from; where there is none,
        the first frame after them counts.

    Returns
    -------
    Shape `(t, n)` [mm]; `n` is 0 for a head that kept still.
    """
    first, last = baseline
    centred = way_mm - way_mm[first : max(last, first + 1)].mean(axis=0)
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    seen = strengths / np.sqrt(len(way_mm)) > LEAST_MM
    return np.ascontiguousarray(left[:, seen] * strengths[seen])


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """Sizes of response and noise with what they make of a curve, and sensitivities to tell between.

    Parameters
    ----------
    whiteners
        Inverse Cholesky factors of the covariance without motion, one a combination, each `(t, t)`, and the
        logarithm of its determinant.
    ways
        Shape `(t, n)` [mm].
    scale
        Unit of sensitivity: noise of the scan.
    """

    whiteners: tuple[tuple[Float32s, float], ...]
    ways: Float64s
    scale: float

    @classmethod
    def of(cls, concentration: Concentration, aif: VesselCurve, ways: Float64s) -> _Model:
        """Make the covariances of a scan."""
        n = concentration.times.size
        first, last = concentration.baseline
        response = _response(concentration, aif)
        scale = max(concentration.noise, LEAST_NOISE * float(np.sqrt(np.trace(response) / n)))
        noise = (np.eye(n) + 1.0 / max(last - first, 1)) * scale**2
        made = (
            _whitener(response * size**2 + noise * level**2) for size, level in product(RESPONSES, NOISES)
        )
        return cls(tuple(made), ways, scale)

    def sensitivity(self, curves: Float32s) -> Float32s:
        """Return how each curve moves with the head [unit of the curves per mm], `(voxels, n)`.

        0 where a curve is not finite.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            parts = [
                part
                for whitener, log_det in self.whiteners
                for part in self._parts(curves, whitener, log_det)
            ]
            evidence = np.stack([log for log, _ in parts], axis=1)
            likely = np.exp(evidence - evidence.max(axis=1, keepdims=True))
            likely /= likely.sum(axis=1, keepdims=True)
            found = sum(likely[:, i, None] * mean for i, (_, mean) in enumerate(parts))
        return np.nan_to_num(np.asarray(found, dtype=np.float32), posinf=0.0, neginf=0.0)

    def _parts(
        self, curves: Float32s, whitener: Float32s, log_det: float
    ) -> Iterator[tuple[Float64s, Float64s]]:
        """Yield log evidence and mean sensitivity for no motion and for each sensitivity.

        With `K` the covariance without motion and `v` the variance of sensitivities, by Woodbury's identity,
        ``(K + v D D^T)^-1 = K^-1 - K^-1 D (I / v + D^T K^-1 D)^-1 D^T K^-1``.
        """
        white, ways = curves @ whitener.T, whitener.astype(np.float64) @ self.ways
        still = -0.5 * np.einsum("ij,ij->i", white, white, dtype=np.float64) - 0.5 * log_det
        seen, power = (white @ ways.astype(np.float32)).astype(np.float64), ways.T @ ways
        yield still + np.log(CALM), np.zeros_like(seen)
        for sensitivity in SENSITIVITIES:
            variance = (sensitivity * self.scale) ** 2
            inner = np.linalg.inv(np.eye(len(power)) / variance + power)
            mean = seen @ inner
            gain = 0.5 * np.einsum("ij,ij->i", mean, seen)
            cost = 0.5 * np.linalg.slogdet(np.eye(len(power)) + variance * power)[1]
            yield still + gain - cost + np.log((1.0 - CALM) / len(SENSITIVITIES)), mean


def _response(concentration: Concentration, aif: VesselCurve) -> Float64s:
    """Return the covariance of tissue's response of the size of the median voxel, `(t, t)`."""
    atoms = make_atoms(usable_aif(aif.values, aif.values.size), concentration.dt, SHAPES)
    of_unit_volume = atoms.curves / atoms.mtt[:, None]
    likely = np.exp(log_prior(atoms, LATE_S))
    covariance = (of_unit_volume.T * (likely / likely.sum())) @ of_unit_volume
    power = np.einsum("ij,ij->i", concentration.curves, concentration.curves)
    told = power[np.isfinite(power) & (power > 0.0)]
    usual = float(np.median(told)) if told.size else 1.0
    return np.asarray(covariance * (usual / np.trace(covariance)))


def _whitener(covariance: Float64s) -> tuple[Float32s, float]:
    factor = np.linalg.cholesky(covariance)
    log_det = 2.0 * float(np.log(np.diag(factor)).sum())
    return np.linalg.inv(factor).astype(np.float32), log_det
