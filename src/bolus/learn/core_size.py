"""A large core or not, from two slices of a CT perfusion study: what the network sees, and its answer."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Final

import numpy as np
from PIL import Image

from bolus import prepare
from bolus.core.arrays import Float32s, Float64s
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
MEDIAN_ML: Final = 32.4
"""Median core of the paper's patients, from which on a core is large [mL]."""
TRIALS_ML: Final = 70.0
"""The same in trials of thrombectomy [mL]."""


def network_input(series: Series, *, levels: tuple[int, int] | None = None) -> tuple[Float32s, Levels]:
    """Turn a CT perfusion study into what the network is shown; training does the same.

    Each of the two slices is registered in its plane to its first frame, cut to 200 x 200 mm about the brain,
    and read every 1.5 s for 48 s; where the study is shorter, its last frame is repeated.

    Parameters
    ----------
    series
        CT [HU], frames of shape `(x, y, z, t)`.
    levels
        The ganglionic and the supraganglionic slice, counted from 0; None: found.

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
        inside = brain.inside[:, :, k] if brain.inside[:, :, k].any() else brain.inside.any(axis=2)
        image[i] = _seen(_slice(series, k), np.argwhere(inside).mean(axis=0))
    return image, found


def _slice(series: Series, k: int) -> Series:
    """Return one slice of a study, with its own clock, moved in its plane to its first frame."""
    move = np.eye(4)
    move[2, 3] = k
    grid = series.grid.with_shape((*series.grid.shape[:2], 1), series.grid.affine @ move)
    times = series.times if series.times.ndim == 1 else series.times[k]
    frames = np.stack([series.frame(t)[:, :, k : k + 1] for t in range(series.n_frames)], axis=-1)
    one = replace(series, frames=frames, times=times, grid=grid, slope=1.0, intercept=0.0)
    still, _ = prepare.correct_motion(one, reference="first")
    return still


def _seen(one: Series, middle: Float64s) -> Float32s:
    """Return a slice about its middle [pixels] at the network's pixels and times, shape `(32, 128, 128)`."""
    x_mm, y_mm, _ = one.grid.spacing_mm
    squares = np.stack([_square(one.frame(t)[:, :, 0], middle, (x_mm, y_mm)) for t in range(one.n_frames)])
    wanted = np.minimum(one.times[0] + STEP_S * np.arange(N_FRAMES), one.times[-1])
    weights = interpolation(one.times, wanted)
    read = np.tensordot(weights, squares, axes=(0, 0))
    return np.asarray(np.clip(np.round(read), *WINDOW_HU), dtype=np.float32)


def _square(picture: Float32s, middle: Float64s, spacing: tuple[float, float]) -> Float32s:
    """Return 200 x 200 mm about a middle of a picture `(x, y)`, shape `(y, x)`; outside is air."""
    half = [0.5 * SIDE_MM / mm for mm in spacing]
    pad = ceil(max(half)) + 1
    ringed = np.pad(np.clip(picture, *WINDOW_HU), pad, constant_values=WINDOW_HU[0]).T
    x, y = (float(m) + pad + 0.5 for m in middle)
    box = (x - half[0], y - half[1], x + half[0], y + half[1])
    shown = Image.fromarray(np.ascontiguousarray(ringed, dtype=np.float32))
    made = shown.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=box)
    return np.asarray(made, dtype=np.float32)


def make_case(image: Float32s, *, core_ml: float, patient: str, levels: Levels) -> Case:
    """Make a case of slices `(2, 32, 128, 128)` of `network_input` and the core's volume [mL]."""
    about = {"levels": list(levels.slices), "levels_by": levels.how}
    return Case(image, np.array([core_ml], np.float32), patient, meta=about)


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
    shape `(1,)`; `volume` [mL], shape `(1,)`.
    """
    shown = case.image.reshape(-1, *case.image.shape[-2:])
    squares = np.stack([resampled(each, (size, size)) for each in shown])
    return {
        "image": squares.reshape(*case.image.shape[:2], size, size),
        "target": (case.target >= threshold_ml).astype(np.uint8),
        "volume": case.target.astype(np.float32),
    }


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
