"""Running an exported network in onnxruntime: no PyTorch, and nothing that its card does not vouch for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.errors import BadInput, ShapeMismatch, UnreadableFile
from bolus.learn.card import Card, read_card, verify
from bolus.learn.files import reason

WEIGHTS: Final = Path(__file__).parent / "weights"
"""Networks that come with `bolus`."""
_NAMES: Final = {"dsc-gan": "temp-pix2pix"}
DEPTHS: Final = "depths"
"""Second answer of networks with a guard: means of the channels of their deepest level."""
_QUIET = 3  # of onnxruntime: errors only


class Network:
    """A network with its card, ready to answer.

    Parameters
    ----------
    session
        Of onnxruntime, with one input and one output, or a second one named `depths`.
    card
        What the network is.
    where
        Its file, for messages.
    """

    def __init__(self, session: Any, card: Card, where: Path) -> None:
        self._session = session
        self._input = session.get_inputs()[0]
        self._names = [output.name for output in session.get_outputs()]
        self.card = card
        self.where = where

    def __call__(self, images: Float32s) -> Float32s:
        """Answer a batch of images.

        Parameters
        ----------
        images
            Shape `(cases, channels, y, x)`, float32.

        Returns
        -------
        What the card says: for masks the probability of each pixel, shape `(cases, 1, y, x)`.

        Raises
        ------
        ShapeMismatch
            If the network takes images of another shape.
        """
        return self._answers(images, self._names[:1])[0]

    def in_depth(self, images: Float32s) -> tuple[Float32s, Float32s]:
        """Answer a batch of images, and say what the deepest level makes of them.

        Parameters
        ----------
        images
            Shape `(cases, channels, y, x)`, float32.

        Returns
        -------
        The answer, and the mean of each channel of the deepest level, shape `(cases, channels)`.

        Raises
        ------
        BadInput
            If the file gives no second answer.
        """
        if DEPTHS not in self._names:
            raise BadInput(
                "the network does not say what its deepest level holds",
                where=self.where,
                remedy="Add it with `bolus learn guard`.",
            )
        answer, depths = self._answers(images, [self._names[0], DEPTHS])
        return answer, depths

    def _answers(self, images: Float32s, names: list[str]) -> list[Float32s]:
        self._require(images.shape)
        shown = np.ascontiguousarray(images, dtype=np.float32)
        found = self._session.run(names, {self._input.name: shown})
        return [np.asarray(one, dtype=np.float32) for one in found]

    def _require(self, shape: tuple[int, ...]) -> None:
        wanted = self._input.shape
        fits = len(wanted) == len(shape) and all(
            not isinstance(w, int) or w == n for w, n in zip(wanted, shape, strict=True)
        )
        if not fits:
            raise ShapeMismatch(
                "the network takes images of another shape",
                wanted=" x ".join(map(str, wanted)),
                found=" x ".join(map(str, shape)),
                where=self.where,
            )


def load(weights: str | Path, *, task: str = "", threads: int = 0) -> Network:
    """Load an exported network after making sure that it is the one that its card describes.

    Parameters
    ----------
    weights
        ONNX file; its card lies beside it under the same name, as `.json`.
    task
        What the network must be for; empty: whatever it is for.
    threads
        Of the processor; 0: all that this process may use.

    Raises
    ------
    UnreadableFile
        If the network or its card is missing, or is no network.
    BadInput
        If the file was changed after the card was written, or the network is for another task.
    ShapeMismatch
        If it does not have one input and one output.
    """
    path = Path(weights)
    card = read_card(path.with_suffix(".json"))
    verify(card, path)
    if task and card.task != task:
        raise BadInput("the network is for another task", wanted=task, found=card.task, where=path)
    return Network(session(path, threads or usable_processors()), card, path)


def shipped(task: str) -> Path:
    """Return the file of the network that comes with `bolus` for a task.

    Raises
    ------
    BadInput
        If none comes with it.
    """
    path = WEIGHTS / f"{_NAMES.get(task, task)}.onnx"
    if not path.is_file():
        remedy = "Train one with `bolus learn train`, and give it with --run or --weights."
        raise BadInput(f"no network for {task} comes with bolus", where=path, remedy=remedy)
    return path


def usable_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def session(path: Path, threads: int) -> Any:
    """Open a network of one input and one answer (or `depths` beside it) in onnxruntime, on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _QUIET
    options.enable_cpu_mem_arena = False  # it keeps what one answer took, for the next that may never come
    try:
        opened = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no error type of its own that is public
        raise UnreadableFile("not a network that can be run", where=path, found=reason(error)) from error
    answers = [output.name for output in opened.get_outputs()]
    ports = len(opened.get_inputs()), len(answers) - (DEPTHS in answers[1:])
    if ports != (1, 1):
        raise ShapeMismatch(
            "the network is of the wrong shape",
            wanted="one input and one output",
            found=f"{ports[0]} and {ports[1]}",
            where=path,
        )
    return opened
