"""The internal carotid artery on a minimum-intensity projection: what the network sees, and its answer."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.errors import BadInput, ShapeMismatch
from bolus.learn.cases import Arrays, Case
from bolus.learn.frame import Frame
from bolus.learn.guard import guard_of, look
from bolus.learn.infer import Network, load
from bolus.learn.score import dice, precision, sensitivity

SHIPPED: Final = Path(__file__).parent / "weights" / "ica.onnx"
PERCENTILE: Final = 99.5
"""Of the contrast in the field, that becomes 1: arteries near the injection, not the catheter's tip."""
CEILING: Final = 1.5
"""Contrast above this is cut off."""
THRESHOLD: Final = 0.5
"""Probability from which a pixel is called artery."""


def network_input(minip: Volume, field: Mask) -> Float32s:
    """Turn the largest contrast of each pixel into what the network is shown; training does the same.

    Parameters
    ----------
    minip
        Largest contrast over time [nat], shape `(x, y, 1)`; more contrast is larger. (The projection is a
        minimum of intensity, and so a maximum of contrast.)
    field
        Pixels that the beam reached, shape `(x, y, 1)`.

    Returns
    -------
    Contrast over its 99.5th percentile in the field, from 0 to 1.5, 0 outside; shape `(1, y, x)`.

    Raises
    ------
    ShapeMismatch
        If image and field differ in shape, or there is more than one slice.
    BadInput
        If no pixel of the field holds contrast.
    """
    if minip.shape != field.shape or minip.ndim != 3 or minip.shape[2] != 1:
        raise ShapeMismatch("not a projection and its field", wanted=str(field.shape), found=str(minip.shape))
    contrast = np.where(field & np.isfinite(minip), minip, 0.0)[:, :, 0].T
    scale = float(np.percentile(contrast[field[:, :, 0].T], PERCENTILE)) if field.any() else 0.0
    if scale <= 0:
        raise BadInput("the run shows no contrast", remedy="Give a run with an injection, or a mask.")
    return np.clip(contrast / scale, 0.0, CEILING).astype(np.float32)[None]


def make_case(minip: Volume, field: Mask, artery: Mask, patient: str) -> Case:
    """Make a case of a projection, its field and the mask of the artery, all of shape `(x, y, 1)`."""
    target = artery[:, :, 0].T[None].astype(np.uint8)
    return Case(network_input(minip, field), target, patient)


def fit(case: Case, size: int) -> Arrays:
    """Put a case into a square of `size` pixels: `image` float32 and `target` uint8, shape `(1, y, x)`."""
    frame = Frame((case.image.shape[1], case.image.shape[2]), size)
    target = frame.put(case.target[0].astype(np.float32)) > 0.5
    return {"image": frame.put(case.image[0])[None], "target": target[None].astype(np.uint8)}


def answer(network: Network, case: Case) -> Float32s:
    """Return the probability of each pixel of a case at its own size, shape `(1, y, x)`."""
    return Segmenter(network).probability(case.image[0])[None]


def score(found: Float32s, case: Case) -> dict[str, float]:
    """Return Dice, sensitivity, precision, and the areas that were found and true [pixels], of an answer."""
    mask, truth = found >= THRESHOLD, case.target > 0
    return {
        "dice": dice(mask, truth),
        "sensitivity": sensitivity(mask, truth),
        "precision": precision(mask, truth),
        "found_px": float(np.count_nonzero(mask)),
        "true_px": float(np.count_nonzero(truth)),
    }


class Segmenter:
    """Finds the internal carotid artery with an exported network.

    Parameters
    ----------
    network
        As `bolus.learn.infer.load` gives it. Its card says how many pixels it was trained at.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.size = int(network.card.recipe.get("size", 320))
        self.guard = guard_of(network)

    def __call__(self, minip: Volume, field: Mask) -> Volume:
        """Return the probability of each pixel to show the artery.

        Parameters
        ----------
        minip
            Largest contrast over time [nat], shape `(x, y, 1)`; more contrast is larger.
        field
            Pixels that the beam reached, shape `(x, y, 1)`.

        Returns
        -------
        Probability from 0 to 1, shape `(x, y, 1)`, 0 outside the field; 0.5 and above is artery.

        Raises
        ------
        BadInput
            If no pixel of the field holds contrast.
        """
        found = self.probability(network_input(minip, field)[0])
        return np.where(field, found.T[:, :, None], np.float32(0.0))

    def doubt(self, minip: Volume, field: Mask) -> float | None:
        """Return the chance, 0-1, that no carotid artery was injected; None where the network has no guard.

        Parameters
        ----------
        minip, field
            As for the call itself.

        Raises
        ------
        BadInput
            If no pixel of the field holds contrast.
        """
        if self.guard is None:
            return None
        return self.guard.other(look(self.network, network_input(minip, field)[0], self.size))

    def probability(self, image: Float32s) -> Float32s:
        """Return the probability of each pixel of an image `(y, x)` made by `network_input`."""
        frame = Frame((image.shape[0], image.shape[1]), self.size)
        return frame.take(self.network(frame.put(image)[None, None])[0, 0])


def segmenter(weights: str | Path, *, threads: int = 0) -> Segmenter:
    """Return a segmenter with the weights of a file; see `bolus.learn.infer.load` for what can go wrong."""
    return Segmenter(load(weights, task="ica", threads=threads))


@cache
def carotid() -> Segmenter:
    """Return the segmenter that comes with `bolus`, loaded when it is first asked for.

    Raises
    ------
    UnreadableFile, BadInput
        If the weights are missing from the installation, or were changed.
    """
    return segmenter(SHIPPED)
