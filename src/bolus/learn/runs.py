"""A clot in a run of X-ray frames: what the network sees, its answer, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Mask
from bolus.core.errors import BadInput
from bolus.learn.calibration import log_loss, put_right
from bolus.learn.cases import Arrays, Case
from bolus.learn.frame import Frame
from bolus.learn.infer import Network
from bolus.learn.roc import distance_percent
from bolus.learn.score import chance_of

GREY: Final = 193.0
"""Grey value of no contrast, 0-255, as in the papers' files: 3100 of 4095."""
PER_NAT: Final = 1500.0 * 255.0 / 4095.0
"""Grey values that a nat of contrast makes darker."""
TRIPLET: Final = 3
PARTS: Final = 15
"""Equal parts of the run that its features are told from."""
FILLED_NAT: Final = 0.06
"""Contrast from which a pixel counts as filled [nat]: well above the noise of one part."""
SPREAD: Final = 0.02
"""Standard deviation of the heat map, as a part of the image's width: what two observers differ by."""


def make_case(
    frames: Float32s,
    *,
    patient: str,
    clot: bool,
    place: tuple[float, float] | None = None,
    lost: Mask | None = None,
    about: Mapping[str, Any] | None = None,
) -> Case:
    """Make a case of a run.

    Parameters
    ----------
    frames
        Of `bolus.learn.clots.frames_of`, shape `(t, y, x)`.
    patient
        Who it is.
    clot, place
        Whether there is one, and where it begins, x and y [pixels]; None: not known, or not in the field.
    lost
        Where blood is missing or late because of the clot, shape `(y, x)`; None: not known.
    about
        `view`, `site` and `meta` of the case.
    """
    point = np.array(place if clot and place else (np.nan, np.nan), dtype=np.float32)
    extra = {"place_px": point} | ({} if lost is None else {"lost": lost.astype(np.uint8)})
    return Case(frames, np.array([clot], np.uint8), patient, extra=extra, **(about or {}))


def fit(case: Case, size: int, n_frames: int = 0, *, half: bool = False) -> Arrays:
    """Put a run into squares of `size` pixels, each three frames a picture.

    Parameters
    ----------
    case
        Of `make_case`.
    size
        Pixels along a side: a multiple of 16.
    n_frames
        Frames to show, so that runs stack to batches; 0: all. Of more frames, means over equal parts of the
        run are shown, which have less noise; of fewer, some are shown again.
    half
        Whether `image` is in 16 bits, so that twice as many runs stay in memory while a network learns.

    Returns
    -------
    `image`, mean 0 and standard deviation 1 over the run, shape `(pictures, 3, y, x)`; `target`, 1 for a
    clot, shape `(1,)`; `heat`, where it is, with sum 1, shape `(1, y, x)`: 0 where no place is known; and
    `lost`, the part of each pixel whose blood is missing or late, of that shape: -1 where that is not known.
    Of a scene also `beam`, what else lies in it, shape `(3, y, x)`, and `grey`, the mean and deviation of the
    grey values of which `image` was made, less that of no contrast: see `bolus.learn.retake`.

    Raises
    ------
    BadInput
        If all pixels of the run are equal.
    """
    frames = in_parts(case.image, n_frames) if n_frames else case.image
    frame = Frame((frames.shape[1], frames.shape[2]), size)
    squares = np.stack([frame.put(each - GREY) for each in frames])
    place = case.extra.get("place_px", np.full(2, np.nan))
    return {
        "image": triplets(standardised(squares)).astype(np.float16 if half else np.float32),
        "target": case.target.astype(np.uint8),
        "heat": heat(frame, (float(place[0]), float(place[1])))[None],
        "lost": _lost(case, frame)[None],
        **_scene(case, frame, squares),
    }


def _scene(case: Case, frame: Frame, squares: Float32s) -> Arrays:
    if "beam" not in case.extra:
        return {}
    beam = np.stack([frame.put(each.astype(np.float32)) for each in case.extra["beam"]])
    return {
        "beam": beam.astype(np.float16),
        "grey": np.array([squares.mean(), squares.std()], dtype=np.float32),
    }


def _lost(case: Case, frame: Frame) -> Float32s:
    if "lost" not in case.extra:
        return np.full((frame.square, frame.square), -1.0, dtype=np.float32)
    return frame.put(case.extra["lost"].astype(np.float32))


def standardised(frames: Float32s) -> Float32s:
    """Return frames with mean 0 and standard deviation 1 over the run.

    Raises
    ------
    BadInput
        If all pixels are equal.
    """
    sd = float(frames.std())
    if not sd > 0:
        raise BadInput("the run shows nothing: all its pixels are equal", wanted="a run with contrast")
    return (frames - np.float32(frames.mean())) / np.float32(sd)


def in_parts(frames: Float32s, n: int) -> Float32s:
    """Return the means of frames `(t, y, x)` over `n` equal parts of the run; of fewer frames, some twice."""
    t = len(frames)
    if t <= n:
        return frames[np.round(np.linspace(0, t - 1, n)).astype(np.intp)]
    edges = np.linspace(0.0, t, n + 1)
    first, last = edges[:-1, None], edges[1:, None]
    number = np.arange(t)
    share = np.clip(np.minimum(last, number + 1) - np.maximum(first, number), 0.0, None)
    share = (share / share.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.stack([np.tensordot(row[row > 0], frames[row > 0], axes=1) for row in share])


def case_features(case: Case) -> dict[str, float]:
    """Return what tells whether a case is like those that a network knows; see `features`."""
    return features(case.image)


def features(frames: Float32s) -> dict[str, float]:
    """Return what tells runs that the network knows from others, by name with its unit.

    Parameters
    ----------
    frames
        Grey values, shape `(t, y, x)`.
    """
    shown = in_parts(frames, PARTS)
    contrast = (GREY - shown) / np.float32(PER_NAT)
    most, when = contrast.max(axis=0), contrast.argmax(axis=0)
    filled = most > FILLED_NAT
    times = when[filled] if filled.any() else np.array([np.nan])
    return {
        "the contrast of its densest vessels [nat]": float(np.percentile(most, 99.5)),
        "the area with contrast [% of the picture]": 100.0 * float(filled.mean()),
        "the part of it that fills in the first third [%]": 100.0 * float(np.mean(times < PARTS / 3)),
        "the part of it that fills in the last third [%]": 100.0 * float(np.mean(times >= 2 * PARTS / 3)),
    }


def triplets(frames: Float32s) -> Float32s:
    """Return pictures of three frames `(pictures, 3, y, x)` of frames `(t, y, x)`; the last is repeated."""
    missing = -len(frames) % TRIPLET
    whole = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
    return whole.reshape(-1, TRIPLET, *frames.shape[1:])


def heat(frame: Frame, place: tuple[float, float]) -> Float32s:
    """Return the chance of each pixel of the square to be a place [pixels of the image]; 0 where unknown."""
    square = np.zeros((frame.square, frame.square), dtype=np.float32)
    if not np.isfinite(place).all():
        return square
    x, y = _into(frame, place)
    sigma = SPREAD * frame.inner[1]
    rows, columns = (
        np.exp(-0.5 * ((np.arange(frame.square) - at) / sigma) ** 2).astype(np.float32) for at in (y, x)
    )
    square[:] = rows[:, None] * columns
    total = float(square.sum())
    if total > 0:
        square /= np.float32(total)
    return square


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where an answer sees the clot.

    Parameters
    ----------
    x, y
        Likeliest place [pixels of the image].
    spread_percent
        Root mean square distance of the chance from there [% of the image's width].
    """

    x: float
    y: float
    spread_percent: float


def pointed(found: Float32s, shape: tuple[int, int]) -> Pointed | None:
    """Return the place in an answer `(2, y, x)`; None for an answer that tells none.

    Parameters
    ----------
    found
        Of `answer`.
    shape
        Of the image, `(y, x)`.
    """
    if found.ndim == 1:
        return None
    where = found[0]
    frame = Frame(shape, where.shape[0])
    y, x = (int(i) for i in np.unravel_index(int(np.argmax(where)), where.shape))
    squared = (np.arange(where.shape[0])[:, None] - y) ** 2 + (np.arange(where.shape[1]) - x) ** 2
    spread = np.sqrt(float((squared * where).sum()) / max(float(where.sum()), 1e-12))
    column, row = _out_of(frame, (x, y))
    return Pointed(column, row, 100.0 * float(spread) / frame.inner[1])


def answer(network: Network, case: Case) -> Float32s:
    """Return the chance of a clot `(1,)`, or with where it is `(2, y, x)`, of a run with all its frames.

    The chance is put right by the calibration in the network's card, if it has one.
    """
    found = raw_answer(network, case)
    chances = found if found.ndim == 1 else found[1:]
    chances[:] = put_right(chances, network.card.calibration)
    return found


def raw_answer(network: Network, case: Case) -> Float32s:
    """Return what the network itself says: as `answer`, before any calibration."""
    recipe = network.card.recipe
    shown = fit(case, int(recipe.get("size", 256)), **recipe.get("fitting", {}))["image"]
    found: Float32s = network(shown[None].astype(np.float32))[0]
    return found.copy()


def score(found: Float32s, case: Case) -> dict[str, float]:
    """Return log loss, chance and truth of an answer, and how far off its place is and how spread out.

    Both are in % of the image's width, and NaN where there is no place.
    """
    place = case.extra.get("place_px", np.full(2, np.nan))
    off = float("nan")
    if found.ndim > 1 and np.isfinite(place).all():
        frame = Frame((case.image.shape[1], case.image.shape[2]), found.shape[-1])
        stretch = found.shape[-1] / frame.inner[1]
        off = stretch * distance_percent(found[0], _into(frame, (float(place[0]), float(place[1]))))
    pointing = pointed(found, (case.image.shape[1], case.image.shape[2]))
    said, truth = chance_of(found), float(case.target[0] > 0)
    return {
        "log_loss": log_loss([said], [truth]),
        "chance": said,
        "truth": truth,
        "off_percent": off,
        "spread_percent": pointing.spread_percent if pointing else float("nan"),
    }


def _into(frame: Frame, place: tuple[float, float]) -> tuple[float, float]:
    """Return a place of the image, x and y, in the square."""
    (rows, columns), (tall, wide) = frame.inner, frame.shape
    x = (place[0] + 0.5) * columns / wide - 0.5 + (frame.square - columns) // 2
    y = (place[1] + 0.5) * rows / tall - 0.5 + (frame.square - rows) // 2
    return x, y


def _out_of(frame: Frame, place: tuple[float, float]) -> tuple[float, float]:
    """Return a place of the square, x and y, in the image."""
    (rows, columns), (tall, wide) = frame.inner, frame.shape
    x = (place[0] - (frame.square - columns) // 2 + 0.5) * wide / columns - 0.5
    y = (place[1] - (frame.square - rows) // 2 + 0.5) * tall / rows - 0.5
    return x, y
