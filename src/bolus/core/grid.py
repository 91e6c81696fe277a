"""Where voxels lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s, locked
from bolus.core.errors import BadGeometry, ShapeMismatch

_MIN_SPACING_MM, _MAX_SPACING_MM = 0.05, 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Shape of a volume and its place in the patient.

    Inside `bolus` the first axis runs towards the patient's left, the second to the back, the third
    (the slices) to the head, as nearly as the acquisition allows: `bolus.read` turns every study that
    way, and `stored` turns it back for writing.

    Parameters
    ----------
    shape
        Voxels along `(x, y, z)`.
    affine
        Voxel index to patient coordinates (right, anterior, superior) [mm], shape `(4, 4)`.
    axes, flips
        How the file that it came from stores the axes: stored axis `i` is axis `axes[i]` here,
        reversed where `flips[i]`.

    Raises
    ------
    BadGeometry
        If the affine is singular or not finite, or a spacing is outside 0.05-50 mm.
    """

    shape: tuple[int, int, int]
    affine: Float64s
    axes: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise BadGeometry(
                "the affine is unusable", wanted="4 x 4 finite numbers", found=str(affine.tolist())
            )
        object.__setattr__(self, "affine", locked(affine))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise BadGeometry("the volume is empty", wanted="three positive sizes", found=str(self.shape))
        self._check_spacing()

    def _check_spacing(self) -> None:
        spacing = self.spacing_mm
        if min(spacing) < _MIN_SPACING_MM or max(spacing) > _MAX_SPACING_MM:
            raise BadGeometry(
                "the voxel spacing is absurd",
                wanted=f"{_MIN_SPACING_MM}-{_MAX_SPACING_MM} mm",
                found=" x ".join(f"{s:g}" for s in spacing) + " mm",
                remedy="Check PixelSpacing and the slice positions (DICOM) or pixdim (NIfTI).",
            )
        if self.voxel_ml <= 1e-9:
            raise BadGeometry(
                "the affine is singular", wanted="three independent axes", found=str(self.affine.tolist())
            )

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis [mm]."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def size_words(self) -> str:
        """Shape in words for people, such as `256 x 256 x 16`."""
        return " x ".join(map(str, self.shape))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel [mL]; right for sheared (tilted gantry) grids as well."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def position_mm(self, index: Any) -> Float64s:
        """Return patient coordinates (RAS) [mm] of voxel indices, shape `(..., 3)`."""
        points = np.asarray(index, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def index_of(self, position_mm: Any) -> Float64s:
        """Return fractional voxel indices of patient coordinates (RAS) [mm], shape `(..., 3)`."""
        points = np.asarray(position_mm, dtype=np.float64) - self.affine[:3, 3]
        return points @ np.linalg.inv(self.affine[:3, :3]).T

    def require_shape(self, shape: tuple[int, ...], what: str) -> None:
        """Raise `ShapeMismatch` unless an array has this grid's shape."""
        if tuple(shape[:3]) != self.shape:
            raise ShapeMismatch(
                f"{what} does not fit its grid", wanted=str(self.shape), found=str(tuple(shape))
            )

    def stored(self, values: NDArray[Any]) -> tuple[NDArray[Any], Float64s]:
        """Turn an array of this grid into the axis order of the file that it came from.

        Parameters
        ----------
        values
            Shape `(x, y, z, ...)`.

        Returns
        -------
        The array in stored order and its affine (RAS) [mm].
        """
        self.require_shape(values.shape, "the array")
        rest = tuple(range(3, values.ndim))
        turned = np.transpose(values, (*self.axes, *rest))
        flip = np.eye(4)
        for i, flipped in enumerate(self.flips):
            if flipped:
                turned = np.flip(turned, axis=i)
                flip[i, i], flip[i, 3] = -1.0, self.shape[self.axes[i]] - 1
        permute = np.zeros((4, 4))
        permute[3, 3] = 1.0
        permute[list(self.axes), [0, 1, 2]] = 1.0
        return turned, self.affine @ permute @ flip

    def with_shape(self, shape: tuple[int, int, int], affine: Float64s) -> Grid:
        """Return another grid that remembers the same stored order."""
        return replace(self, shape=shape, affine=affine)


def same_place(a: Grid, b: Grid, tolerance_mm: float = 0.01) -> bool:
    """Tell whether two grids put every voxel at the same place, within a tolerance [mm]."""
    if a.shape != b.shape:
        return False
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (np.array(a.shape) - 1)
    return bool(np.abs(a.position_mm(corners) - b.position_mm(corners)).max() <= tolerance_mm)


def canonical(shape: tuple[int, int, int], affine: Float64s, *, keep_slices: bool = False) -> Grid:
    """Describe a stored volume as a grid whose axes run left, back, head.

    Parameters
    ----------
    shape, affine
        The stored volume's shape and affine (RAS) [mm].
    keep_slices
        Keep the stored third axis third whatever way it runs, as a stack whose slices have their own
        times must.

    Returns
    -------
    A grid whose `axes` and `flips` lead back: `turn_canonical` turns an array the same way.
    """
    directions = np.asarray(affine, dtype=np.float64)[:3, :3]
    cosines = np.abs(directions / np.maximum(np.linalg.norm(directions, axis=0), 1e-12))
    axes = _nearest_axes(cosines, keep_slices=keep_slices)
    signs = (-1.0, -1.0, 1.0)  # towards left, back and head are -x, -y and +z in RAS
    main = [int(np.argmax(cosines[:, i])) for i in range(3)]
    flips = tuple(bool(directions[main[i], i] * signs[main[i]] < 0) for i in range(3))
    stored = Grid(shape, affine)
    new_shape = (0, 0, 0)
    sizes = [0, 0, 0]
    for i, axis in enumerate(axes):
        sizes[axis] = shape[i]
    new_shape = (sizes[0], sizes[1], sizes[2])
    back = Grid(new_shape, np.eye(4), axes, (flips[0], flips[1], flips[2]))
    _, to_canonical = back.stored(np.empty(new_shape, dtype=np.bool_))
    return Grid(new_shape, stored.affine @ np.linalg.inv(to_canonical), axes, back.flips)


def turn_canonical(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Turn a stored array `(i, j, k, ...)` into the order of a grid made by `canonical`."""
    for i, flipped in enumerate(grid.flips):
        if flipped:
            values = np.flip(values, axis=i)
    rest = tuple(range(3, values.ndim))
    return np.transpose(values, (*np.argsort(grid.axes), *rest))


def _nearest_axes(cosines: Float64s, *, keep_slices: bool) -> tuple[int, int, int]:
    """Give each stored axis the patient axis it is nearest to, each patient axis once."""
    choices = [p for p in permutations(range(3)) if not keep_slices or p[2] == 2]
    best = max(choices, key=lambda p: sum(float(cosines[p[i], i]) for i in range(3)))
    return best[0], best[1], best[2]
