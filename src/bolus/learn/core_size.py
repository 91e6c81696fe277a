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
from bolus.core.errors import BadInput, NoBolus
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.learn.calibration import log_loss, put_right
from bolus.learn.cases import Arrays, Case
from bolus.learn.frame import resampled
from bolus.learn.infer import Network
from bolus.learn.score import chance_of
from bolus.prepare import Levels
from bolus.prepare.timegrid import interpolation

SIDE_PX: Final = 128
SIDE_MM: Final = 200.0
N_FRAMES: Final = 32
STEP_S: Final = 1.5
FEWEST_FRAMES: Final = 8
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
        If the study is no CT, or has one slice or too few frames.
    BadRecipe
        If a given slice does not exist.
    NoBrain
        If no brain is found.
    """
    if series.modality is not Modality.CT:
        raise BadInput("the core's size is told from CT only", wanted="CT", found=str(series.modality))
    if series.n_frames < FEWEST_FRAMES:
        raise BadInput(
            "the series has too few time points",
            wanted=f"at least {FEWEST_FRAMES}, over {N_FRAMES * STEP_S:.0f} s",
            found=str(series.n_frames),
            remedy="Give the dynamic series; `bolus info` lists what the study holds.",
        )
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
    `(2, y / 2, x / 2)`: -1 where it is not known.
    """
    shown = case.image.reshape(-1, *case.image.shape[-2:])
    squares = np.stack([resampled(each, (size, size)) for each in shown])
    return {
        "image": squares.reshape(*case.image.shape[:2], size, size),
        "target": (case.target >= threshold_ml).astype(np.uint8),
        "volume": case.target.astype(np.float32),
        "heat": _heat(case, size // 2),
    }


def _heat(case: Case, side: int) -> Float32s:
    """Return the part of each cell that is core, -1 where it is not known, shape `(2, side, side)`."""
    if "core" not in case.extra:
        return np.full((2, side, side), -1.0, dtype=np.float32)
    percent = case.extra["core"].astype(np.float32)
    return np.stack([resampled(one, (side, side)) for one in percent]) / np.float32(100.0)


def median_ml(cases: list[Case]) -> float:
    """Return the median core of some cases [mL]: the threshold that the paper takes from its patients."""
    return float(np.median([float(case.target[0]) for case in cases]))


def limit_of(network: Network) -> float:
    """Return from which volume a network calls a core large [mL]."""
    return float(network.card.recipe.get("fitting", {}).get("threshold_ml", MEDIAN_ML))


def reading(network: Network, case: Case) -> tuple[float, Float32s | None]:
    """Return what a network says of a case.

    Returns
    -------
    The chance of a large core, put right by the card's calibration; and the chance of each cell to be core,
    shape `(2, 64, 64)`, if the network tells.
    """
    recipe = network.card.recipe
    shown = fit(case, int(recipe.get("size", SIDE_PX)), **dict(recipe.get("fitting", {})))["image"]
    said = network(shown[None])[0]
    chance = put_right([chance_of(said)], network.card.calibration)
    where = said[0].reshape(2, -1, said.shape[-1]) if said.ndim == 3 else None
    return float(chance[0]), where


def answer(network: Network, case: Case) -> Float32s:
    """Return the chance of a large core of a case, and from which volume the network calls it so [mL]."""
    return np.array([reading(network, case)[0], limit_of(network)], dtype=np.float32)


def features(image: Float32s) -> dict[str, float]:
    """Return what tells studies apart whatever the core: brain, noise and bolus.

    Parameters
    ----------
    image
        Of `network_input`, shape `(2, 32, 128, 128)` [HU].

    Returns
    -------
    By name with unit; NaN where there is no brain.
    """
    before = image[:, :_BEFORE].mean(axis=1)
    inside = (before > _BRAIN_HU[0]) & (before < _BRAIN_HU[1])
    pixel_cm2 = (0.1 * SIDE_MM / SIDE_PX) ** 2
    if not inside.any():
        return {_AREA: 0.0, _PEAK: float("nan")}
    rise = image - before[:, None]
    brain = rise.transpose(1, 0, 2, 3)[:, inside].mean(axis=1)
    peak = float(brain.max())
    return {
        _AREA: float(np.count_nonzero(inside)) * pixel_cm2,
        "noise of a pixel [HU]": float((image[:, 1] - image[:, 0])[inside].std() / np.sqrt(2.0)),
        "attenuation before contrast [HU]": float(before[inside].mean()),
        _PEAK: peak,
        "time of that peak [s]": STEP_S * float(brain.argmax()),
        "contrast in the strongest vessels [HU]": float(np.percentile(rise.max(axis=1)[inside], 99.5)),
        "contrast at the end over its peak": float(brain[-3:].mean()) / max(peak, 0.1),
    }


def case_features(case: Case) -> dict[str, float]:
    """Return the features of a case of `make_case`."""
    return features(case.image)


def require_bolus(image: Float32s) -> None:
    """Make sure that an input shows contrast that comes.

    Raises
    ------
    NoBolus
        If the brain's mean does not rise above its noise.
    """
    found = features(image)[_PEAK]
    if not found >= _LEAST_RISE_HU:
        raise NoBolus(
            "the two slices show no passage of contrast",
            wanted=f"the brain brighter by {_LEAST_RISE_HU:g} HU or more",
            found=f"{found:.1f} HU",
            remedy="Give the dynamic series of a contrast injection, or the slices with --levels.",
        )


_BEFORE: Final = 3
_BRAIN_HU: Final = (5.0, 80.0)
_LEAST_RISE_HU: Final = 1.0
_AREA: Final = "brain in both slices [cm2]"
_PEAK: Final = "contrast of the brain at its peak [HU]"


def score(found: Float32s, case: Case) -> dict[str, float]:
    """Return log loss, chance and truth of an answer, and the true core [mL]."""
    said, truth = float(found[0]), float(case.target[0] >= found[1])
    return {
        "log_loss": log_loss([said], [truth]),
        "chance": said,
        "truth": truth,
        "core_ml": float(case.target[0]),
    }
