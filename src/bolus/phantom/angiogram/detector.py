"""From line integrals to stored numbers: photons, their noise, subtraction and encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Mask
from bolus.core.xray import MaskOperation, Relationship, XRay
from bolus.phantom.angiogram.kernels import expose
from bolus.phantom.angiogram.motion import Hold
from bolus.phantom.angiogram.settings import Setting

ROWS: Final = 64
"""Columns of the picture that are exposed at once, to hold little noise in memory."""
LINEAR_BITS, LOG_BITS = 14, 12
LINEAR_MIDDLE: Final = 4000.0
"""Stored value behind the middle of the head in linear files."""
LOG_LEVEL, LOG_GAIN = 2900.0, 700.0
"""Stored value there, and of one nat, in logarithmic files."""


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """What the beam meets besides contrast.

    Parameters
    ----------
    spells
        First frame, frame after the last and line integrals [nat] `(x, y)` of each spell.
    sway_px
        How far bone moves against its spell in each frame, along x and y [pixels], shape `(t, 2)`.
    open_
        What the shutters leave open, shape `(x, y)`.
    """

    spells: tuple[tuple[Hold, Float32s], ...]
    sway_px: Float32s
    open_: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a detector's file holds its counts; see `XaOptions`.

    Parameters
    ----------
    mask
        Frames that are the mask; empty where contrast was there from the first: then a frame from before
        the run is subtracted, or none is named.
    table
        Whether a logarithmic file brings the table that makes it linear.
    """

    name: str
    sign: int
    photometric: str
    photons: float
    mask: tuple[int, ...]
    setting: Setting
    table: bool = False

    @property
    def bits(self) -> int:
        """Bits that hold a value."""
        return LINEAR_BITS if self.name == "LIN" else LOG_BITS

    @property
    def brighter(self) -> bool:
        """Whether a vessel is stored as a higher value."""
        return self.sign < 0 or (self.sign == 0 and self.photometric == "MONOCHROME1")

    def xray(self, *, lateral: bool, started: str) -> XRay:
        """Return what the file says of its pixels."""
        names = (MaskOperation("AVG_SUB", frames=self.mask),)
        return XRay(
            relationship=Relationship.LINEAR if self.name == "LIN" else Relationship.LOGARITHMIC,
            sign=self.sign,  # type: ignore[arg-type]  # checked with the options
            full_scale=float(2**self.bits - 1),
            subtracted=True if self.name == "SUB" else False if self.mask else None,
            operations=names if self.name != "SUB" and self.mask else (),
            plane="B" if lateral else "A",
            primary_deg=90.0 if lateral else 0.0,
            secondary_deg=0.0,
            started=started,
        )

    def scale(self) -> tuple[float, float]:
        """Return stored value = level + gain times the logarithm that is stored: level and gain."""
        if self.name == "SUB":
            return float(self.setting.level), self.setting.gain
        return LOG_LEVEL, LOG_GAIN


def develop(
    density: Float32s, beam: Beam, encoding: Encoding, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Return stored numbers of a run.

    Parameters
    ----------
    density
        Line integrals of contrast [nat], shape `(x, y, t)`.

    Returns
    -------
    Shape `(x, y, t)`.
    """
    nx, ny, nt = density.shape
    stored = np.empty(density.shape, dtype=np.uint16)
    exposure = np.asarray(1.0 + rng.normal(0.0, encoding.setting.flicker, nt), dtype=np.float32)
    for first in range(0, nx, ROWS):
        rows = slice(first, min(first + ROWS, nx))
        lines = density[rows] + _still(beam, rows)
        before = _before(beam, encoding, rows, rng)
        noise = rng.standard_normal((lines.shape[0] + 1, ny + 1, nt), dtype=np.float32)
        expose(lines, noise, exposure, encoding.photons, encoding.setting.grain)
        if encoding.name == "SUB":
            lines -= lines[..., list(encoding.mask)].mean(axis=2, keepdims=True) if encoding.mask else before
        stored[rows] = encode(lines, encoding, beam.open_[rows])
    return stored


def _still(beam: Beam, rows: slice) -> Float32s:
    """Return line integrals without contrast of some columns, shape `(rows, y, t)`."""
    n_frames = beam.spells[-1][0].last
    lines = np.empty((rows.stop - rows.start, beam.open_.shape[1], n_frames), dtype=np.float32)
    for hold, picture in beam.spells:
        wide = picture[max(rows.start - 1, 0) : rows.stop + 1]
        slope = np.gradient(wide, axis=(0, 1))
        skip = rows.start - max(rows.start - 1, 0)
        inner = slice(skip, skip + rows.stop - rows.start)
        frames = slice(hold.first, hold.last)
        sway = beam.sway_px[frames]
        lines[..., frames] = wide[inner, :, None]
        lines[..., frames] -= slope[0][inner, :, None] * sway[:, 0]
        lines[..., frames] -= slope[1][inner, :, None] * sway[:, 1]
    return lines


def _before(beam: Beam, encoding: Encoding, rows: slice, rng: np.random.Generator) -> Float32s:
    """Return the logarithm of what a frame before the run counted, shape `(rows, y, 1)`."""
    lines = np.ascontiguousarray(beam.spells[0][1][rows][..., None])
    if encoding.name == "SUB" and not encoding.mask:
        noise = rng.standard_normal((lines.shape[0] + 1, lines.shape[1] + 1, 1), dtype=np.float32)
        expose(lines, noise, np.ones(1, dtype=np.float32), encoding.photons, encoding.setting.grain)
    return lines


def encode(logs: Float32s, encoding: Encoding, open_: Mask) -> NDArray[np.uint16]:
    """Return stored numbers of logarithms of counts `(rows, y, t)`, which are overwritten."""
    top = 2**encoding.bits - 1
    level, gain = encoding.scale()
    if encoding.name == "LIN":
        np.exp(logs, out=logs)
        logs *= np.float32(LINEAR_MIDDLE)
    else:
        logs *= np.float32(gain)
        logs += np.float32(level)
    logs[~open_] = encoding.setting.blank if encoding.name == "SUB" else 0.02 * top
    np.clip(np.rint(logs, out=logs), 0, top, out=logs)
    if encoding.brighter:
        np.subtract(top, logs, out=logs)
    return logs.astype(np.uint16)


def to_linear(encoding: Encoding) -> NDArray[np.uint16]:
    """Return the table from stored values of a logarithmic file to values proportional to the beam."""
    values = np.arange(2**encoding.bits, dtype=np.float64)
    if encoding.brighter:
        values = values[::-1]
    linear = 65535.0 * np.exp((values - values.max()) / encoding.scale()[1])
    return np.asarray(np.rint(linear), dtype=np.uint16)


def mask_frames(n_before: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return the frames of the mask: up to three of the first, as far as they are without contrast."""
    if n_before < 1:
        return ()
    return tuple(range(min(n_before, int(rng.integers(1, 4)))))
