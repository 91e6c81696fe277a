"""The two axial levels that ASPECTS is read at: that of the basal ganglia, and the one above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s, Mask
from bolus.core.brain import Brain
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.grid import Grid

BELOW_VERTEX_MM: Final = (68.0, 43.0)
"""How far the ganglionic and the supraganglionic level lie below the top of the brain, within 8 mm."""
FROM_BODIES_MM: Final = (-16.0, 9.0)
"""Where they lie from the slice in which the bodies of the lateral ventricles are longest."""
SLAB: Final = (0.35, 0.70)
"""Where they lie in a slab that shows neither, as a part of its slices."""
_DOME: Final = 0.6
"""Part of the largest slice's area under which the top slice shows how the skull closes."""
_LONG_MM: Final = 25.0
"""Bodies of ventricles are at least so long."""
_BESIDE_MM: Final = (3.0, 26.0)
_ALONG_MM: Final = 45.0
"""Where the bodies lie: to the side, and before and behind the middle of the brain."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The two slices, counted from 0 along the third axis.

    Parameters
    ----------
    ganglionic, supraganglionic
        The lower and the upper one.
    how
        `given`; `vertex`, below the top of the brain; `ventricles`; or `slab`, by the slab alone, which says
        nothing about the head.
    """

    ganglionic: int
    supraganglionic: int
    how: str

    @property
    def slices(self) -> tuple[int, int]:
        """Both, the lower first."""
        return self.ganglionic, self.supraganglionic


def find_levels(brain: Brain, grid: Grid, *, given: tuple[int, int] | None = None) -> Levels:
    """Find the ganglionic and the supraganglionic level of ASPECTS.

    Parameters
    ----------
    brain
        Of `bolus.prepare.find_brain`, shape `(x, y, z)`.
    grid
        Of the brain; two slices or more.
    given
        The two slices, where somebody knows better.

    Raises
    ------
    BadInput
        If there is only one slice.
    BadRecipe
        If a given slice does not exist, or both are one.

    References
    ----------
    Pexman et al., AJNR 22:1534-1542 (2001), PMID 11559501 (levels). The distances are anatomical rules of
    thumb, held against simulated heads only.

    Notes
    -----
    Where the slab reaches high enough for the area of the brain to shrink, the vertex is where an ellipsoid
    through the upper slices ends. Otherwise the bodies of the lateral ventricles tell, and else the slab.
    """
    if given is not None:
        return _given(given, grid)
    if grid.shape[2] < 2:
        raise BadInput("one slice cannot show two levels", wanted="two slices or more", found="1")
    heights = _heights(grid)
    upwards = 1 if heights[-1] > heights[0] else -1
    vertex = vertex_mm(brain.inside, heights)
    bodies = bodies_mm(brain, grid)
    for how, top, offsets in (
        ("vertex", vertex, tuple(-mm for mm in BELOW_VERTEX_MM)),
        ("ventricles", bodies, FROM_BODIES_MM),
    ):
        found = None if top is None else _nearest(heights, [top + mm for mm in offsets])
        if found is not None:
            return Levels(*found, how)
    n = grid.shape[2]
    low, high = (round(part * (n - 1)) for part in SLAB)
    places = (low, max(high, low + 1)) if upwards > 0 else (n - 1 - low, n - 1 - max(high, low + 1))
    return Levels(*places, "slab")


def vertex_mm(inside: Mask, heights: Float64s) -> float | None:
    """Return the height of the top of the brain [mm]; None where the slab ends too far below it.

    Parameters
    ----------
    inside
        The inside of the skull, shape `(x, y, z)`.
    heights
        Of the slices, shape `(z,)` [mm].
    """
    order = np.argsort(heights)
    areas, z = np.count_nonzero(inside, axis=(0, 1))[order].astype(np.float64), heights[order]
    widest = int(np.argmax(areas))
    above = np.flatnonzero(areas[widest:] > 0) + widest
    if above.size < 4 or areas[above[-1]] > _DOME * areas[widest]:
        return None
    # The area of slices through an ellipsoid is a parabola of the height.
    c2, c1, c0 = np.polyfit(z[above], areas[above], 2)
    if c2 >= 0:
        return None
    return float((-c1 - np.sqrt(max(c1 * c1 - 4.0 * c2 * c0, 0.0))) / (2.0 * c2))


def bodies_mm(brain: Brain, grid: Grid) -> float | None:
    """Return the height at which the bodies of the lateral ventricles are longest [mm]; None if unseen."""
    lengths = np.array([_body_length(brain, grid, k) for k in range(grid.shape[2])])
    if lengths.max() < _LONG_MM:
        return None
    near = lengths >= lengths.max() - 2.0 * grid.spacing_mm[1]
    return float(np.average(_heights(grid)[near], weights=lengths[near]))


def _body_length(brain: Brain, grid: Grid, k: int) -> float:
    """Return the length of the fluid beside the middle of a slice, on the side where it is shorter [mm]."""
    inside, fluid = brain.inside[:, :, k], brain.csf[:, :, k]
    if not inside.any():
        return 0.0
    middle = np.argwhere(inside).mean(axis=0)
    x, y = ((np.arange(n) - m) * mm for n, m, mm in zip(inside.shape, middle, grid.spacing_mm, strict=False))
    central = fluid & (np.abs(y) < _ALONG_MM)
    low, high = _BESIDE_MM
    sides = [central[(side * x > low) & (side * x < high)].any(axis=0).sum() for side in (-1, 1)]
    return float(min(sides)) * grid.spacing_mm[1]


def _heights(grid: Grid) -> Float64s:
    """Return how high the middle of each slice lies [mm], shape `(z,)`."""
    middle = [(n - 1) / 2 for n in grid.shape[:2]]
    return np.array([grid.position_mm((*middle, k))[2] for k in range(grid.shape[2])])


def _nearest(heights: Float64s, wanted: list[float]) -> tuple[int, int] | None:
    """Return the slices nearest to two heights; None if one lies outside of the slab, or both are one."""
    reach = 0.75 * float(np.median(np.abs(np.diff(heights))))
    low, high = (int(np.argmin(np.abs(heights - mm))) for mm in wanted)
    far = max(abs(heights[low] - wanted[0]), abs(heights[high] - wanted[1])) > reach
    return None if far or low == high else (low, high)


def _given(given: tuple[int, int], grid: Grid) -> Levels:
    n = grid.shape[2]
    if given[0] == given[1] or not all(0 <= k < n for k in given):
        wanted = f"two of the slices 0 to {n - 1}"
        raise BadRecipe("no such levels", wanted=wanted, found=f"{given[0]}, {given[1]}")
    return Levels(*given, "given")
