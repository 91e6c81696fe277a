"""Maps by networks without an arterial curve: what of a scan they are shown, and what they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.errors import BadInput, BadRecipe
from bolus.core.series import Series
from bolus.learn.cases import Arrays, Case
from bolus.learn.frame import Frame, Square
from bolus.learn.image_scores import image_scores
from bolus.learn.infer import Network

WINDOW_HU: Final = 120.0
"""CT numbers from 0 to this are shown: brain and its contrast, and when (not how high) vessels fill."""
STEP_HU: Final = 40.0
"""CT number that is shown as 1: about that of brain."""
BRIGHTEST: Final = 2.0
"""MR signals up to so many times the scan's scale are shown."""
FIELD_MM: Final = 220.0
"""What the squares that networks see cover [mm]; scans of any other size are brought to it."""
BASELINE_S: Final = 4.0
"""Before contrast comes; the scale of MR signals and the level of CT are taken from it [s]."""
FAINT_HU: Final = 10.0
"""Contrast of CT is shown in proportion up to about this, and more by its logarithm (the inverse hyperbolic
sine): a few HU of tissue count, and how high vessels rise is told as well."""
GROWS: Final = "grows"
"""Array that tells where contrast is shown which maps go with it, shape `(maps, 1, 1)`: CBF and CBV."""
BRIGHT: Final = 99.0
"""Percentile of the signal in the brain before contrast that scales an MR scan."""
UNSTEADY: Final = 3
"""Frames of MR before the steady state is reached, which are brighter."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How scans of a modality become images, and maps become numbers of one scale.

    Parameters
    ----------
    maps
        Least and greatest value of each map, which become the ends of the scale; values beyond are cut off.
    sources
        What each is called where cases are made.
    signed
        Whether maps, and the image of MR, go from -1 to 1; else from 0 to 1, and the image is of CT.
    n_frames, dt
        Even grid that the frames are put on: how many, and the interval [s]; None spreads them over the scan.
    """

    maps: Mapping[str, tuple[float, float]]
    sources: tuple[str, ...]
    signed: bool
    n_frames: int
    dt: float | None

    @property
    def data_range(self) -> float:
        """Greatest less least value of the scale."""
        return 2.0 if self.signed else 1.0

    def scaled(self, name: str, values: Float32s) -> Float32s:
        """Return a map in its unit as numbers from 0 to 1."""
        low, high = self.maps[name]
        return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0), dtype=np.float32)

    def physical(self, name: str, numbers: Float32s) -> Float32s:
        """Return numbers of the plan's scale as a map in its unit."""
        low, high = self.maps[name]
        part = 0.5 * (numbers + 1.0) if self.signed else numbers
        return np.asarray(low + (high - low) * part, dtype=np.float32)

    def on_scale(self, part: Float32s) -> Float32s:
        """Turn numbers from 0 to 1 into those of the plan's scale."""
        return np.asarray(2.0 * part - 1.0 if self.signed else part, dtype=np.float32)


CTP: Final = Plan(
    maps=MappingProxyType({"CBF": (0.0, 100.0), "CBV": (0.0, 8.0), "TTP": (0.0, 25.0)}),
    sources=("CBF", "CBV", "centre"),
    signed=False,
    n_frames=89,
    dt=0.5,
)
"""CBF [mL/100 g/min], CBV [mL/100 g], and TTP as the time of the middle of a box-shaped residue after the
arterial curve [s]. The grid is that of the paper, 44.5 s."""
DSC: Final = Plan(
    maps=MappingProxyType(
        {"CBF": (0.0, 100.0), "CBV": (0.0, 8.0), "MTT": (0.0, 20.0), "Tmax": (0.0, 20.0), "TTP": (0.0, 60.0)}
    ),
    sources=("CBF", "CBV", "MTT", "Tmax", "TTP"),
    signed=True,
    n_frames=80,
    dt=None,
)
"""As above, and MTT, Tmax and TTP of the tissue's curve from the first frame [s]. Frames are spread over the
scan, as in the paper, whatever their interval."""


def on_grid(frames: Float32s, times: Float64s, n_frames: int, dt: float | None) -> Float32s:
    """Interpolate frames linearly on an even grid of times.

    Parameters
    ----------
    frames
        Shape `(t, y, x)`.
    times
        Of the frames, shape `(t,)`, increasing [s].
    n_frames, dt
        Of the grid, which starts at the first frame; dt in s. The last frame is held beyond its time. None:
        the grid is even in the number of the frame, from the first to the last.

    Returns
    -------
    Shape `(n_frames, y, x)`.

    Raises
    ------
    BadInput
        If there are fewer than two frames, or times do not fit.
    """
    n = frames.shape[0]
    if n < 2 or times.shape != (n,):
        raise BadInput("frames cannot be put on a grid", wanted="2 frames or more, with times", found=str(n))
    clock = np.arange(n, dtype=np.float64) if dt is None else times - times[0]
    grid = np.linspace(0.0, n - 1.0, n_frames) if dt is None else dt * np.arange(n_frames)
    place = np.interp(grid, clock, np.arange(n, dtype=np.float64))
    before = np.minimum(place.astype(np.intp), n - 2)
    part = (place - before).astype(np.float32)[:, None, None]
    return np.asarray((1.0 - part) * frames[before] + part * frames[before + 1], dtype=np.float32)


def fit(  # noqa: PLR0913 - one argument a choice of the recipe
    plan: Plan,
    case: Case,
    size: int,
    *,
    n_frames: int = 0,
    dt: float = 0.0,
    maps: Sequence[str] = (),
    contrast: bool = False,
) -> Arrays:
    """Make arrays of a case, a slice, for training and for use.

    Parameters
    ----------
    plan
        Of its modality.
    case
        Frames `(t, y, x)` as the scanner gives them [HU or any unit], maps `(maps, y, x)` in their units, and
        as `extra` the `times` of the frames [s], and of MR the `scale` of signals.
    size
        Pixels along a side of the square.
    n_frames, dt
        Grid of frames; 0: that of the plan.
    maps
        Which are asked for; empty: all.
    contrast
        Of CT: show what each frame has more than the first 4 s, and their mean as one more channel; False:
        frames as they are.

    Returns
    -------
    `image`, shape `(frames, y, x)`, of CT HU over 40 from 0 to 3, of MR signal over scale from -1 to 1; with
    `contrast` asinh of the contrast over 10 HU, and behind it HU over 40 before it comes; and
    `target`, shape `(maps, y, x)`, on the plan's scale.

    Raises
    ------
    BadRecipe
        If there is no such map, or contrast of MR is asked for.
    BadInput
        If frames and times do not fit.
    """
    frame = Frame((case.image.shape[1], case.image.shape[2]), size)
    names = list(plan.maps)
    parts = [plan.scaled(name, case.target[names.index(name)]) for name in chosen(plan, maps)]
    target = np.stack([frame.put(part) for part in parts])
    image = seen(plan, case, frame, n_frames=n_frames, dt=dt, contrast=contrast)
    arrays: Arrays = {"image": image, "target": plan.on_scale(target)}
    if contrast:
        grows = [name in ("CBF", "CBV") for name in chosen(plan, maps)]
        arrays[GROWS] = np.array(grows, dtype=np.uint8)[:, None, None]
    return arrays


def seen(
    plan: Plan, case: Case, square: Square, *, n_frames: int = 0, dt: float = 0.0, contrast: bool = False
) -> Float32s:
    """Return the image that `fit` makes of a case, put into a square."""
    even = on_grid(case.image, case.extra["times"], n_frames or plan.n_frames, dt or plan.dt)
    if contrast:
        return _contrast(plan, np.stack([square.put(frame) for frame in even]), dt or plan.dt)
    image = np.stack([square.put(shown) for shown in _shown(plan, even, case)])
    return image - np.float32(plan.signed)


def answer(plan: Plan, network: Network, case: Case, square: Square | None = None) -> Float32s:
    """Return the maps of a case in their units at its own size, shape `(maps, y, x)`.

    All maps of the plan have their place; those that the network was not trained for are NaN.

    Parameters
    ----------
    plan, network, case
        As for `fit`; the network's card says what it is shown.
    square
        What puts slices into the network's square; None: as in training, the longer side fills it.
    """
    recipe = network.card.recipe
    fitting = dict(recipe.get("fitting", {}))
    maps = fitting.pop("maps", ())
    shape = case.image.shape[1], case.image.shape[2]
    frame = square or Frame(shape, int(recipe["size"]))
    made = network(seen(plan, case, frame, **fitting)[None])[0]
    found = np.full((len(plan.maps), *shape), np.nan, dtype=np.float32)
    names = list(plan.maps)
    for name, answered in zip(chosen(plan, maps), made, strict=True):
        found[names.index(name)] = plan.physical(name, frame.take(answered))
    return found


def score(plan: Plan, found: Float32s, case: Case) -> dict[str, float]:
    """Return the scores of each map that was found, on the plan's scale, of the whole slice and in the brain.

    Names are those of `bolus.learn.image_scores.image_scores` after the map's, such as `CBF SSIM in brain`.
    """
    brain = case.extra["brain"] > 0
    scores: dict[str, float] = {}
    for name, one, truth in zip(plan.maps, found, case.target, strict=True):
        if np.isfinite(one).any():
            numbers, true = (plan.on_scale(plan.scaled(name, values)) for values in (one, truth))
            alike = image_scores(numbers, true, brain, data_range=plan.data_range)
            scores |= {f"{name} {kind}": value for kind, value in alike.items()}
    return scores


def signal_scale(series: Series, brain: Mask) -> float:
    """Return the signal of bright brain before contrast, which scales MR.

    Parameters
    ----------
    series
        The scan, whose first frames show no contrast.
    brain
        Shape `(x, y, z)`.
    """
    clock = series.times if series.times.ndim == 1 else series.times.mean(axis=0)
    last = max(int(np.searchsorted(clock, BASELINE_S)), UNSTEADY + 1)
    before = series.mean(UNSTEADY, min(last, series.n_frames))[brain]
    return float(np.percentile(before[np.isfinite(before)], BRIGHT))


def chosen(plan: Plan, maps: Sequence[str]) -> tuple[str, ...]:
    """Return the maps that are asked for; empty: all.

    Raises
    ------
    BadRecipe
        If there is no such map.
    """
    unknown = [name for name in maps if name not in plan.maps]
    if unknown:
        raise BadRecipe("there is no such map", wanted=", ".join(plan.maps), found=", ".join(unknown))
    return tuple(maps) or tuple(plan.maps)


def _shown(plan: Plan, frames: Float32s, case: Case) -> Float32s:
    """Return what of the frames is shown, 0 for air."""
    if not plan.signed:
        return np.asarray(np.clip(frames, 0.0, WINDOW_HU) / np.float32(STEP_HU), dtype=np.float32)
    scale = float(case.extra["scale"])
    if not scale > 0:
        raise BadInput(
            "the scan has no scale", wanted="a positive signal", found=f"{scale:g}", where=case.patient
        )
    return np.asarray(np.clip(frames / np.float32(scale), 0.0, BRIGHTEST), dtype=np.float32)


def _contrast(plan: Plan, frames: Float32s, dt: float | None) -> Float32s:
    """Return what frames of CT have more than those before contrast comes, and the mean of these."""
    if plan.signed or dt is None:
        raise BadRecipe("contrast is shown of CT alone", wanted="contrast=false", found="contrast=true")
    before = frames[: math.ceil(BASELINE_S / dt)].mean(axis=0, keepdims=True)
    level = np.clip(before, 0.0, WINDOW_HU) / np.float32(STEP_HU)
    more = np.where(level > 0, np.arcsinh((frames - before) / np.float32(FAINT_HU)), 0.0)  # nothing in air
    return np.concatenate([more, level]).astype(np.float32)
