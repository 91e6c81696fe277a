"""The two sites that the simulator knows: two patient groups and two makes of X-ray system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Span = tuple[float, float]
"""Lowest and highest value of what is drawn evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What differs between sites.

    Parameters
    ----------
    mu
        Attenuation of undiluted contrast in blood [nat/mm].
    fps
        Frame rates that a run may have [1/s].
    onset_s, plateau_s
        Start and length of the injection [s].
    speed
        Blood velocity over radius [1/s].
    scale, turn_deg, shift_mm
        Size of the head, standard deviation of its turns about each axis [degrees], and how far the
        field is off centre [mm].
    tortuosity
        How far vessels leave their course, as a part of what is usual.
    photons
        Part of the asked photons that reach the detector.
    grain
        How much of a pixel's noise its neighbours share, 0-1.
    flicker
        Standard deviation of the exposure from frame to frame.
    jitter_mm
        Standard deviation of what bone moves from frame to frame even in a still head [mm].
    level, gain, blank
        Stored value of no contrast, of one nat, and behind the shutters, in subtracted runs.
    round_field
        Whether the field is round, as that of an image intensifier.
    """

    mu: Span
    fps: tuple[float, ...]
    onset_s: Span
    plateau_s: Span
    speed: Span
    scale: Span
    turn_deg: float
    shift_mm: float
    tortuosity: Span
    photons: float
    grain: float
    flicker: float
    jitter_mm: float
    level: int
    gain: float
    blank: int
    round_field: bool


SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "A": Setting(
            mu=(0.11, 0.17),
            fps=(3.0,),
            onset_s=(0.7, 2.2),
            plateau_s=(1.6, 3.6),
            speed=(95.0, 150.0),
            scale=(0.93, 1.08),
            turn_deg=4.0,
            shift_mm=7.0,
            tortuosity=(0.6, 1.5),
            photons=1.0,
            grain=0.0,
            flicker=0.003,
            jitter_mm=0.05,
            level=3100,
            gain=1500.0,
            blank=3100,
            round_field=False,
        ),
        "B": Setting(
            mu=(0.07, 0.12),
            fps=(2.0, 4.0, 6.0),
            onset_s=(0.6, 3.0),
            plateau_s=(2.4, 5.0),
            speed=(70.0, 115.0),
            scale=(0.84, 1.15),
            turn_deg=7.0,
            shift_mm=12.0,
            tortuosity=(1.0, 2.2),
            photons=0.6,
            grain=0.6,
            flicker=0.008,
            jitter_mm=0.09,
            level=2700,
            gain=1200.0,
            blank=0,
            round_field=True,
        ),
    }
)
"""`A` after the science sheet of this phantom; `B` with weaker contrast, coarser noise, other anatomy."""
