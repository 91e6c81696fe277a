"""Colours, colour tables and windows of the figures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Floats
from bolus.core.errors import BadRecipe
from bolus.core.maps import Map, window_of
from bolus.core.units import Modality, Unit

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
Pixels: TypeAlias = NDArray[np.uint8]
"""An image, shape `(height, width, 3)`."""
Table: TypeAlias = NDArray[np.uint8]
"""A colour table, shape `(256, 3)`."""

BLACK: Final[Colour] = (0, 0, 0)
WHITE: Final[Colour] = (245, 245, 245)
GREY: Final[Colour] = (160, 165, 172)
CORE: Final[Colour] = (255, 30, 170)
HYPOPERFUSED: Final[Colour] = (40, 215, 90)
ARTERY: Final[Colour] = (235, 50, 50)
VEIN: Final[Colour] = (60, 130, 255)
FAILED: Final[Colour] = (96, 96, 96)
"""Voxels inside the brain that hold no number."""
VERDICTS: Final[Mapping[str, Colour]] = MappingProxyType(
    {"PASS": (86, 190, 120), "CAUTION": (240, 175, 50), "FAIL": (240, 80, 70)}
)
BANDS: Final[tuple[Colour, ...]] = ((55, 110, 240), (45, 205, 120), (250, 210, 50), (240, 60, 45))
"""Four levels of a threshold, from the mildest to the worst."""

# A table in the manner of those in clinical use (black, blue, green, yellow, red with rising value),
# drawn anew: value, red, green, blue. It is nobody's published table, so it has a name of its own.
_SPECTRUM: Final = (
    (0.00, 0.06, 0.02, 0.16),
    (0.10, 0.13, 0.06, 0.50),
    (0.24, 0.08, 0.30, 0.88),
    (0.38, 0.05, 0.66, 0.86),
    (0.50, 0.16, 0.76, 0.34),
    (0.64, 0.80, 0.86, 0.14),
    (0.78, 0.99, 0.66, 0.08),
    (0.90, 0.93, 0.24, 0.08),
    (1.00, 0.66, 0.02, 0.06),
)
_SECONDS: Final = (0.0, 20.0)
_PLAIN: Final = (0.0, 1.0)
_SHOWN_HU: Final = (0.0, 80.0)


def _spectrum() -> Table:
    points = np.array(_SPECTRUM)
    levels = np.linspace(0, 1, 256)
    channels = [np.interp(levels, points[:, 0], points[:, i]) for i in (1, 2, 3)]
    return np.round(255 * np.stack(channels, axis=1)).astype(np.uint8)


def _named(name: str) -> Table:
    from matplotlib import colormaps  # noqa: PLC0415 - 30 MB that computing does without

    colours: Table = np.round(255 * colormaps[name](np.linspace(0, 1, 256))[:, :3]).astype(np.uint8)
    return colours


TABLES: Final = ("spectrum", "cividis", "grey")
"""Colour tables of the maps: rainbow-like as clinicians know them, safe for colour-blind readers, grey."""


def table(name: str) -> Table:
    """Return a colour table, shape `(256, 3)`.

    Raises
    ------
    BadRecipe
        If there is no table of that name.

    References
    ----------
    cividis: Nunez et al. 2018, doi:10.1371/journal.pone.0199239
    """
    if name not in TABLES:
        raise BadRecipe("there is no such colour table", wanted=", ".join(TABLES), found=name)
    if name == "spectrum":
        return _spectrum()
    return _named("gray" if name == "grey" else name)


def window(made: Map, modality: Modality) -> tuple[float, float]:
    """Return a map's display window in its own unit: fixed by name, else by unit, never by its values."""
    usual = _PLAIN if made.unit in {Unit.RATIO, Unit.PER_SECOND} else _SECONDS
    return window_of(made.name, modality) or usual


def grey_window(modality: Modality, values: Floats) -> tuple[float, float]:
    """Return the window of the anatomy [unit of the images]: 0-80 HU for CT, by brightness otherwise.

    Parameters
    ----------
    values
        Values inside the brain, any shape.
    """
    if modality is Modality.CT:
        return _SHOWN_HU
    finite = values[np.isfinite(values)]
    if not finite.size:
        return _PLAIN
    low, high = np.percentile(finite, [0.5, 99.5])
    return float(min(low, 0.0)), float(max(high, low + 1e-6))


def coloured(plane: Floats, limits: tuple[float, float], colours: Table) -> Pixels:
    """Colour a plane by a table; pixels that hold no number become black.

    Parameters
    ----------
    plane
        Shape `(height, width)`.
    limits
        Values of the table's first and last colour.
    """
    low, high = limits
    scaled = np.clip((np.nan_to_num(plane, nan=low) - low) / (high - low), 0.0, 1.0)
    pixels: Pixels = colours[np.round(255 * scaled).astype(np.uint8)]
    pixels[~np.isfinite(plane)] = BLACK
    return pixels
