"""Scans of small pixels on coarser ones: neighbours in the plane averaged, and answers taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Mask
from bolus.core.grid import Grid
from bolus.core.series import Concentration


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """A scan on coarser pixels, and where its voxels went.

    Parameters
    ----------
    contrast
        Means of the voxels with finite curves; NaN where a block has none.
    row
        Of the coarse voxel that holds each voxel, shape `(voxels,)`.
    """

    contrast: Concentration
    row: NDArray[np.intp]

    def part(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return in which coarse voxels at least half of the voxels are marked."""
        n = len(self.contrast.curves)
        marked = np.bincount(self.row, weights=where, minlength=n)
        return np.asarray(2.0 * marked >= np.bincount(self.row, minlength=n))


def coarser(contrast: Concentration, pool: int) -> Coarse:
    """Average blocks of `pool` x `pool` pixels inside the mask; 1: as it is."""
    if pool == 1:
        return Coarse(contrast, np.arange(len(contrast.curves)))
    x, y, z = contrast.grid.shape
    shape = (-(-x // pool), -(-y // pool), z)
    i, j, k = np.nonzero(contrast.mask)
    blocks, row = np.unique(np.ravel_multi_index((i // pool, j // pool, k), shape), return_inverse=True)
    mask = np.zeros(shape, dtype=bool)
    mask.ravel()[blocks] = True
    curves = _means(contrast.curves, row, blocks.size)
    return Coarse(_on(contrast, curves, mask, pool), row)


def _means(curves: Float32s, row: NDArray[np.intp], n: int) -> Float32s:
    """Return means of finite curves by row, shape `(n, t)`."""
    finite = np.flatnonzero(np.isfinite(curves).all(axis=1))
    ordered = finite[np.argsort(row[finite], kind="stable")]
    found = np.full((n, curves.shape[1]), np.nan, dtype=np.float32)
    there, starts, counts = np.unique(row[ordered], return_index=True, return_counts=True)
    if there.size:
        found[there] = np.add.reduceat(curves[ordered], starts, axis=0) / counts[:, None].astype(np.float32)
    return found


def _on(contrast: Concentration, curves: Float32s, mask: Mask, pool: int) -> Concentration:
    affine = contrast.grid.affine.copy()
    affine[:3, 3] += affine[:3, :2].sum(axis=1) * 0.5 * (pool - 1)
    affine[:3, :2] *= pool
    grid = Grid(mask.shape, affine)
    return replace(contrast, curves=curves, mask=mask, grid=grid, noise=contrast.noise / pool)
