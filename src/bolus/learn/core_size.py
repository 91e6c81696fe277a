"""A large core or not, from two slices of a CT perfusion study: what the network sees, and its answer."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bolus import prepare
from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.brain import Brain
from bolus.core.errors import BadInput
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn.calibration import log_loss
from bolus.learn.cases import Arrays, Case
from bolus.learn.frame import resampled
from bolus.learn.infer import Network
from bolus.prepare import Levels
from bolus.prepare.timegrid import interpolation

SIDE_PX: Final = 128
SIDE_MM: Final = 200.0
N_FRAMES: Final = 32
STEP_S: Final = 1.5
"""Pixels and millimetres a side, frames and their interval, as the paper has them."""
WINDOW_HU: Final = (-50.0, 250.0)
"""Attenuation is cut off at both ends: air and bone say nothing about perfusion."""
AIR_HU: Final = -1000.0
MAP_PX: Final = 64
"""Cells along a side of the map of the core that training may know: 3.1 mm."""
MEDIAN_ML: Final = 32.4
"""Median core of the paper's patients, from which on a core is large [mL]."""
TRIALS_ML: Final = 70.0
"""The same in trials of thrombectomy [mL]."""


def network_input(
    series: Series, *, levels: tuple[int, int] | None = None, still: bool = False
) -> tuple[Float32s, Levels]:
    """Turn a CT perfusion study into what the network is shown; training does the same.

    Each of the two slices is cut to 200 x 200 mm about the brain, registered in its plane to its first frame,
    and read every 1.5 s for 48 s; where the study is shorter, its last frame is repeated.

    Parameters
    ----------
    series
        CT [HU], frames of shape `(x, y, z, t)`.
    levels
        The ganglionic and the supraganglionic slice, counted from 0; None: found.
    still
        Whether the head is known to lie still, so that there is nothing to register.

    Returns
    -------
    Attenuation [HU] from -50 to 250, shape `(2, 32, 128, 128)`: lower slice first, then frames, y, x; and
    the levels.

    Raises
    ------
    BadInput
        If the study is no CT, or has one slice only.
    BadRecipe
        If a given slice does not exist.
    NoBrain
        If no brain is found.
    """
    if series.modality is not Modality.CT:
        raise BadInput("the core's size is told from CT only", wanted="CT", found=str(series.modality))
    brain = prepare.find_brain(series)
    found = prepare.find_levels(brain, series.grid, given=levels)
    image = np.empty((2, N_FRAMES, SIDE_PX, SIDE_PX), dtype=np.float32)
    for i, k in enumerate(found.slices):
        one = _slice(series, k, _middle(brain, k))
        image[i] = _seen(one if still else prepare.correct_motion(one, reference="first")[0])
    return image, found


def core_map(core: Mask, series: Series, levels: Levels) -> NDArray[np.uint8]:
    """Return how much of each cell of 3.1 mm is core [%], in the frame of `network_input`.

    Parameters
    ----------
    core
        True core, shape `(x, y, z)`.
    series, levels
        The study, and what `network_input` found in it.

    Returns
    -------
    Shape `(2, 64, 64)`: lower slice first, then y, x.
    """
    brain = prepare.find_brain(series)
    spacing = (series.grid.spacing_mm[0], series.grid.spacing_mm[1])
    cells = [
        _square(core[:, :, k].astype(np.float32), _middle(brain, k), spacing, side=MAP_PX, outside=0.0)
        for k in levels.slices
    ]
    return np.asarray(np.clip(np.rint(100.0 * np.stack(cells)), 0, 100), dtype=np.uint8)


def _middle(brain: Brain, k: int) -> Float64s:
    """Return the middle of the brain in a slice, or of all of it where that slice shows none [pixels]."""
    inside = brain.inside[:, :, k] if brain.inside[:, :, k].any() else brain.inside.any(axis=2)
    return np.asarray(np.argwhere(inside).mean(axis=0), dtype=np.float64)


def _slice(series: Series, k: int, middle: Float64s) -> Series:
    """Return 200 x 200 mm of one slice of a study about a middle [pixels], with its own clock."""
    x_mm, y_mm, _ = series.grid.spacing_mm
    squares = [_square(series.frame(t)[:, :, k], middle, (x_mm, y_mm)).T for t in range(series.n_frames)]
    step = SIDE_MM / SIDE_PX
    zoom = np.diag([step / x_mm, step / y_mm, 1.0, 1.0])
    zoom[:3, 3] = (*(middle - 0.5 * (SIDE_MM - step) / np.array([x_mm, y_mm])), k)
    grid = series.grid.with_shape((SIDE_PX, SIDE_PX, 1), series.grid.affine @ zoom)
    times = series.times if series.times.ndim == 1 else series.times[k]
    frames = np.stack(squares, axis=-1)[:, :, None]
    return replace(series, frames=frames, times=times, grid=grid, slope=1.0, intercept=0.0)


def _seen(one: Series) -> Float32s:
    """Return a slice at the network's times, cut off at both ends, shape `(32, 128, 128)`."""
    squares = np.stack([one.frame(t)[:, :, 0].T for t in range(one.n_frames)])
    wanted = np.minimum(one.times[0] + STEP_S * np.arange(N_FRAMES), one.times[-1])
    read = np.tensordot(interpolation(one.times, wanted), squares, axes=(0, 0))
    return np.asarray(np.clip(np.round(read), *WINDOW_HU), dtype=np.float32)


def _square(
    picture: Float32s,
    middle: Float64s,
    spacing: tuple[float, float],
    *,
    side: int = SIDE_PX,
    outside: float = AIR_HU,
) -> Float32s:
    """Return 200 x 200 mm about a middle of a picture `(x, y)`, shape `(y, x)`."""
    half = [0.5 * SIDE_MM / mm for mm in spacing]
    pad = ceil(max(half)) + 1
    ringed = np.pad(picture, pad, constant_values=outside).T
    x, y = (float(m) + pad + 0.5 for m in middle)
    box = (x - half[0], y - half[1], x + half[0], y + half[1])
    shown = Image.fromarray(np.ascontiguousarray(ringed, dtype=np.float32))
    return np.asarray(shown.resize((side, side), Image.Resampling.BILINEAR, box=box), dtype=np.float32)


def make_case(
    image: Float32s, *, core_ml: float, patient: str, levels: Levels, core: NDArray[np.uint8] | None = None
) -> Case:
    """Make a case of slices `(2, 32, 128, 128)` of `network_input` and the core's volume [mL].

    Where it lies, as `core_map` gives it, helps training; None: not known.
    """
    about = {"levels": list(levels.slices), "levels_by": levels.how}
    extra = {} if core is None else {"core": core}
    return Case(image, np.array([core_ml], np.float32), patient, extra=extra, meta=about)


def fit(case: Case, size: int, threshold_ml: float = MEDIAN_ML) -> Arrays:
    """Make arrays of a case.

    Parameters
    ----------
    case
        Of `make_case`.
    size
        Pixels along a side.
    threshold_ml
        Core from which on it is large [mL]: the paper's median, 70 as in trials, or the training's median.

    Returns
    -------
    `image` [HU], which the network normalises itself, shape `(2, 32, y, x)`; `target`, 1 for a large core,
    shape `(1,)`; `volume` [mL], shape `(1,)`; and `heat`, the part of each cell that is core, 0-1, shape
    `(2, 64, 64)`: -1 where it is not known.
    """
    shown = case.image.reshape(-1, *case.image.shape[-2:])
    squares = np.stack([resampled(each, (size, size)) for each in shown])
    return {
        "image": squares.reshape(*case.image.shape[:2], size, size),
        "target": (case.target >= threshold_ml).astype(np.uint8),
        "volume": case.target.astype(np.float32),
        "heat": 0.01 * case.extra.get("core", _UNKNOWN).astype(np.float32),
    }


_UNKNOWN: Final = np.full((2, MAP_PX, MAP_PX), -100.0, dtype=np.float32)


def median_ml(cases: list[Case]) -> float:
    """Return the median core of some cases [mL]: the threshold that the paper takes from its patients."""
    return float(np.median([float(case.target[0]) for case in cases]))


def answer(network: Network, case: Case) -> Float32s:
    """Return the chance of a large core of a case, and from which volume the network calls it so [mL]."""
    recipe = network.card.recipe
    fitting = dict(recipe.get("fitting", {}))
    shown = fit(case, int(recipe.get("size", SIDE_PX)), **fitting)["image"]
    threshold_ml = float(fitting.get("threshold_ml", MEDIAN_ML))
    return np.array([float(network(shown[None])[0, 0]), threshold_ml], dtype=np.float32)


def score(found: Float32s, case: Case) -> dict[str, float]:
    """Return log loss, chance and truth of an answer, and the true core [mL]."""
    said, truth = float(found[0]), float(case.target[0] >= found[1])
    return {
        "log_loss": log_loss([said], [truth]),
        "chance": said,
        "truth": truth,
        "core_ml": float(case.target[0]),
    }
