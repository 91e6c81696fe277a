"""The second page: how far tissue lies beyond each threshold of Tmax and of relative flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bolus.core.arrays import Floats, Mask
from bolus.core.lesion import Lesions
from bolus.core.result import Result
from bolus.export import words
from bolus.export.figures.canvas import FOOT, WIDTH, Canvas
from bolus.export.figures.mosaic import Anatomy, lay_out, orientation
from bolus.export.figures.style import BANDS, GREY, Pixels
from bolus.export.figures.view import Sampler, tint

TMAX_S: Final = (4, 6, 8, 10)
"""Levels of Tmax [s], as in stroke trials (Straka et al. 2010, doi:10.1002/jmri.22338)."""
CBF_PERCENT: Final = (38, 34, 30, 20)
"""Levels of flow in percent of healthy tissue, from the mildest to the worst."""
_EDGE, _HEAD, _LEGEND = 24, 84, 172
_MIDDLE = 40
_COLUMNS, _MOST = 4, 20
_STRENGTH = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """How many thresholds each voxel is beyond.

    Parameters
    ----------
    title
        What is compared, with its unit.
    names
        The thresholds in words, from the mildest to the worst.
    keys
        Their names among the lesions' volumes.
    beyond
        Shape `(x, y, z)`, 0 to `len(names)`.
    """

    title: str
    names: tuple[str, ...]
    keys: tuple[str, ...]
    beyond: NDArray[np.uint8]


def draw_thresholds(result: Result, lesions: Lesions) -> bytes:
    """Draw the thresholds page as PNG: bands of Tmax left, of relative CBF right, with volumes."""
    half = (WIDTH - 2 * _EDGE - _MIDDLE) // 2
    mosaic = lay_out(result, columns=_COLUMNS, width=half, most=_MOST, enlarge=True)
    canvas = Canvas(WIDTH, _HEAD + mosaic.height + _LEGEND + FOOT)
    anatomy = Anatomy(result)
    for i, level in enumerate((tmax_levels(result, lesions), flow_levels(result, lesions))):

        def tile(sampler: Sampler, k: int, level: Levels = level) -> Pixels:
            pixels = anatomy(sampler, k)
            beyond = [sampler.mask(level.beyond >= step, k) for step in range(1, len(BANDS) + 1)]
            worse = [*beyond[1:], np.zeros_like(beyond[0])]
            for here, further, colour in zip(beyond, worse, BANDS, strict=True):
                tint(pixels, here & ~further, colour, _STRENGTH, outline=False)
            return pixels

        x = _EDGE + i * (half + _MIDDLE)
        mosaic.draw(canvas, (x + (half - mosaic.width) // 2, _HEAD), tile, result.grid.shape[2])
        canvas.write((x, _HEAD - 36), level.title, size=26)
        _legend(canvas, x, _HEAD + mosaic.height, half, level, lesions.volumes_ml)
    _numbers(canvas, lesions, _HEAD + mosaic.height + 132)
    canvas.write(
        (WIDTH - _EDGE, _HEAD - 62), orientation(mosaic.sampler.view), size=17, colour=GREY, align="right"
    )
    canvas.foot(words.footer(result), words.verdict(result))
    return canvas.png()


def tmax_levels(result: Result, lesions: Lesions) -> Levels:
    """Compare Tmax with its fixed steps in the tissue that the rule was applied to."""
    smooth = smooth_in_plane(result, "Tmax", lesions.tissue)
    return Levels(
        "Tmax",
        tuple(f"> {s} s" for s in TMAX_S),
        tuple(f"tmax>{s}s" for s in TMAX_S),
        _count(result, [smooth > s for s in TMAX_S]),
    )


def flow_levels(result: Result, lesions: Lesions) -> Levels:
    """Compare CBF with steps of the healthy median, on the affected side where there is one."""
    reference = lesions.reference.get("CBF", float("nan"))
    smooth = smooth_in_plane(result, "CBF", lesions.tissue & _affected(result, lesions))
    return Levels(
        "CBF, relative to healthy tissue",
        tuple(f"< {p} %" for p in CBF_PERCENT),
        tuple(f"cbf<{p}%" for p in CBF_PERCENT),
        _count(result, [smooth < reference * p / 100 for p in CBF_PERCENT]),
    )


def smooth_in_plane(result: Result, name: str, tissue: Mask) -> Floats:
    """Return a map's median over 3 x 3 voxels of its slice, tissue only; NaN elsewhere and without a map."""
    smooth = np.full(tissue.shape, np.nan, dtype=np.float32)
    made = result.maps.get(name)
    if made is None:
        return smooth
    inside = tissue & np.isfinite(made.values)
    if inside.any():
        padded = np.pad(
            np.where(inside, made.values, np.nan), ((1, 1), (1, 1), (0, 0)), constant_values=np.nan
        )
        nx, ny, _ = tissue.shape
        around = [padded[i : i + nx, j : j + ny][inside] for i in range(3) for j in range(3)]
        smooth[inside] = np.nanmedian(np.stack(around), axis=0)
    return smooth


def _affected(result: Result, lesions: Lesions) -> Mask:
    if lesions.midline is None or lesions.side == "none":
        return np.ones(result.grid.shape, dtype=np.bool_)
    index = np.moveaxis(np.indices(result.grid.shape, dtype=np.float32), 0, -1)
    right: Mask = lesions.midline.distance_mm(result.grid.position_mm(index)) > 0
    return right if lesions.side == "right" else ~right


def _count(result: Result, beyond: list[Mask]) -> NDArray[np.uint8]:
    """Count thresholds, each after dropping components under the recipe's smallest lesion."""
    smallest = result.recipe.min_lesion_ml / result.grid.voxel_ml * (1 - 1e-6)
    total = np.zeros(result.grid.shape, dtype=np.uint8)
    for mask in beyond:
        labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        keep = np.bincount(labels.ravel()) >= smallest
        keep[0] = False
        total += keep[labels]
    return total


def _legend(
    canvas: Canvas, x: int, y: int, width: int, level: Levels, volumes_ml: Mapping[str, float]
) -> None:
    step = width // len(BANDS)
    for i, (name, key, colour) in enumerate(zip(level.names, level.keys, BANDS, strict=True)):
        left = x + i * step + 8
        canvas.swatch(left, y + 34, colour)
        canvas.write((left + 32, y + 34), name, size=24)
        canvas.write(
            (left + 32, y + 72), words.volume(volumes_ml.get(key)), size=28, bold=True, colour=colour
        )


def _numbers(canvas: Canvas, lesions: Lesions, y: int) -> None:
    ratio = words.number(lesions.hypoperfusion_intensity_ratio, 2)
    index = words.number(lesions.cbv_index, 2)
    for i, (label, value) in enumerate(
        (("hypoperfusion intensity ratio (Tmax > 10 s / > 6 s)", ratio), ("CBV index", index))
    ):
        at = WIDTH * (0.42 if i == 0 else 0.82)
        canvas.write((at - 10, y), label, size=24, colour=GREY, align="right")
        canvas.write((at + 10, y), value, size=30, bold=True)
