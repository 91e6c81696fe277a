"""How slices lie on a page: which way they are turned, cropped and sampled, and what the edges are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.grid import Grid
from bolus.export.figures.style import Colour, Pixels

Box: TypeAlias = tuple[int, int, int, int]
"""First and last (exclusive) row, first and last (exclusive) column of a shown plane."""

_PLANES: Final = ("sagittal", "coronal", "axial")
_SECOND_LETTER: Final = 0.38  # cosine: from about 22 degrees off, an edge is named after two directions
_OBLIQUE: Final = 0.906  # cosine of 25 degrees
_WANTED: Final = (-1.0, -1.0, -1.0)  # images run towards left, back and feet (RAS signs)


@dataclass(frozen=True, slots=True)
class View:
    """How a slice of a grid is turned for display: radiological, head or front up.

    Parameters
    ----------
    turned
        Whether the grid's first axis runs down the page instead of across.
    flip_rows, flip_columns
        Whether the rows, the columns run against the grid.
    edges
        Patient directions at the left, right, top and bottom edge, such as `R`, `L`, `A`, `P`.
    plane
        `axial`, `coronal`, `sagittal`, each also with `oblique`.
    pixel_mm
        Height and width of a pixel [mm].
    """

    turned: bool
    flip_rows: bool
    flip_columns: bool
    edges: tuple[str, str, str, str]
    plane: str
    pixel_mm: tuple[float, float]

    def show(self, volume: NDArray[Any], k: int) -> NDArray[Any]:
        """Return slice `k` of a volume `(x, y, z)` as rows and columns of the page."""
        shown = volume[:, :, k] if self.turned else volume[:, :, k].T
        shown = shown[::-1] if self.flip_rows else shown
        return shown[:, ::-1] if self.flip_columns else shown

    def place(self, index: Any, shape: tuple[int, int, int]) -> NDArray[np.intp]:
        """Return rows and columns `(n, 2)` of voxel indices `(n, 3)`."""
        points = np.asarray(index, dtype=np.intp)[:, :2]
        n_rows, n_columns = (shape[0], shape[1]) if self.turned else (shape[1], shape[0])
        rows, columns = points.T if self.turned else points.T[::-1]
        rows = n_rows - 1 - rows if self.flip_rows else rows
        columns = n_columns - 1 - columns if self.flip_columns else columns
        return np.stack([rows, columns], axis=1)


def find_view(grid: Grid) -> View:
    """Turn the slices of a grid as radiologists read them, whatever plane they were acquired in."""
    axes = grid.affine[:3, :3] / np.array(grid.spacing_mm)
    turned = _main(axes[:, 0]) == 2 and _main(axes[:, 1]) != 2
    across, down = (axes[:, 1], axes[:, 0]) if turned else (axes[:, 0], axes[:, 1])
    flip_columns, flip_rows = _runs_wrong(across), _runs_wrong(down)
    across = -across if flip_columns else across
    down = -down if flip_rows else down
    through = np.abs(axes[:, 2])
    plane = _PLANES[int(np.argmax(through))]
    x, y, _ = grid.spacing_mm
    return View(
        turned=turned,
        flip_rows=flip_rows,
        flip_columns=flip_columns,
        edges=(_letters(-across), _letters(across), _letters(-down), _letters(down)),
        plane=plane if through.max() > _OBLIQUE else f"oblique {plane}",
        pixel_mm=(x, y) if turned else (y, x),
    )


def _main(direction: Float64s) -> int:
    return int(np.argmax(np.abs(direction)))


def _runs_wrong(direction: Float64s) -> bool:
    main = _main(direction)
    return bool(direction[main] * _WANTED[main] < 0)


def _letters(direction: Float64s) -> str:
    """Name a direction after the patient's sides it points to, the nearest first."""
    towards, away = "RAS", "LPI"
    names = [towards[i] if c > 0 else away[i] for i, c in enumerate(direction)]
    first, second, _ = (int(i) for i in np.argsort(-np.abs(direction)))
    return names[first] + (names[second] if abs(direction[second]) > _SECOND_LETTER else "")


def crop(view: View, inside: Mask, margin_mm: float = 14.0) -> Box:
    """Return the part of the shown planes that holds a mask and a margin [mm], room for the skull."""
    flat: Mask = np.any(inside, axis=2)[:, :, None]
    plane = view.show(flat if flat.any() else ~flat, 0)
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    pad_r, pad_c = (max(1, round(margin_mm / size)) for size in view.pixel_mm)
    return (
        max(int(rows[0]) - pad_r, 0),
        min(int(rows[-1]) + 1 + pad_r, plane.shape[0]),
        max(int(columns[0]) - pad_c, 0),
        min(int(columns[-1]) + 1 + pad_c, plane.shape[1]),
    )


def around(place: NDArray[np.intp], view: View, box: Box, width_mm: float) -> Box:
    """Return a square of a width [mm] around pixels `(n, 2)`, moved to lie inside a box."""
    bounds = ((box[0], box[1]), (box[2], box[3]))
    sides = []
    for (low, high), centre, size in zip(bounds, place.mean(axis=0), view.pixel_mm, strict=True):
        length = min(max(2, round(width_mm / size)), high - low)
        first = int(np.clip(round(float(centre)) - length // 2, low, high - length))
        sides += [first, first + length]
    return sides[0], sides[1], sides[2], sides[3]


def choose_slices(tissue: Mask, most: int) -> tuple[int, ...]:
    """Choose at most so many slices, evenly spaced among those that hold tissue."""
    filled = np.flatnonzero(tissue.any(axis=(0, 1)))
    candidates = filled if filled.size else np.arange(tissue.shape[2])
    if candidates.size <= most:
        return tuple(int(k) for k in candidates)
    picked = np.linspace(0, candidates.size - 1, most).round().astype(int)
    return tuple(int(k) for k in candidates[picked])


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """Samples the shown planes of a view onto tiles of one size, linearly and true to scale.

    Parameters
    ----------
    view, box
        How slices are turned, and the part of them that is shown.
    rows, columns
        Weights of the box's rows and columns, shapes `(height, rows)` and `(columns, width)`.
    """

    view: View
    box: Box
    rows: Float32s
    columns: Float32s

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a tile [px]."""
        return int(self.rows.shape[0]), int(self.columns.shape[1])

    def values(self, volume: NDArray[Any], k: int) -> Float32s:
        """Sample slice `k`; a pixel whose greater part holds no number holds none."""
        first_row, last_row, first, last = self.box
        plane: Float32s = self.view.show(volume, k)[first_row:last_row, first:last].astype(np.float32)
        finite = np.isfinite(plane)
        if finite.all():
            return np.asarray(self.rows @ plane @ self.columns, dtype=np.float32)
        weight = self.rows @ finite.astype(np.float32) @ self.columns
        total = self.rows @ np.where(finite, plane, 0).astype(np.float32) @ self.columns
        return np.where(weight > 0.5, total / np.maximum(weight, 0.5), np.nan).astype(np.float32)

    def mask(self, mask: Mask, k: int) -> NDArray[np.bool_]:
        """Sample slice `k` of a mask: true where the greater part is."""
        inside: NDArray[np.bool_] = self.values(mask.astype(np.float32), k) > 0.5
        return inside


def fit(view: View, box: Box, height: int, width: int) -> Sampler:
    """Make a sampler for the largest tile of a box that fits a height and a width [px]."""
    tall = (box[1] - box[0]) * view.pixel_mm[0]
    wide = (box[3] - box[2]) * view.pixel_mm[1]
    scale = min(height / tall, width / wide)
    n_rows, n_columns = max(1, round(tall * scale)), max(1, round(wide * scale))
    return Sampler(view, box, _weights(n_rows, box[1] - box[0]), _weights(n_columns, box[3] - box[2]).T)


def _weights(n_out: int, n_in: int) -> Float32s:
    """Return interpolation weights `(n_out, n_in)`: linear, widened where pixels are merged."""
    step = n_in / n_out
    centre = np.clip((np.arange(n_out) + 0.5) * step - 0.5, 0, n_in - 1)
    weights: Float64s = np.maximum(0.0, 1 - np.abs(centre[:, None] - np.arange(n_in)) / max(1.0, step))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def tint(
    tile: Pixels, where: NDArray[np.bool_], colour: Colour, strength: float = 0.55, *, outline: bool = True
) -> None:
    """Colour part of a tile, in place: translucent inside, solid along its outline."""
    shade = np.array(colour, dtype=np.float32)
    tile[where] = ((1 - strength) * tile[where] + strength * shade).astype(np.uint8)
    if outline:
        tile[where & ~ndimage.binary_erosion(where, border_value=1)] = colour
