"""DIAS: DSA sequences with masks of intracranial arteries, in the folders in which its authors publish them.

::

    training/images/image_s0_i0.png      sequence 0, frame 0: 8 bits, vessels dark
    training/labels/label_s0.png         sequence 0: not 0 where an intracranial artery is seen in any frame
    validation/...  test/...             the authors' own split
    unlabeled_DSA/images/...             left out: no labels

The masks show all intracranial arteries, not the internal carotid alone: they are cases of the task
`arteries`. Files hold no frame times, and do not say which sequences are of one patient.

References
----------
Liu et al., Med Image Anal 97:103247 (2024), doi:10.1016/j.media.2024.103247.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.errors import BadInput, ShapeMismatch
from bolus.learn.angiograms import picture
from bolus.learn.cases import Case
from bolus.learn.ica import make_case
from bolus.learn.splits import Split

PARTS: Final = ("training", "validation", "test")
"""The authors' folders with labels."""
_FRAME: Final = re.compile(r"image_s(\d+)_i(\d+)\.png", re.IGNORECASE)
_BACKGROUND: Final = 95.0  # percentile of the brightest projection: no vessel


def read_dias(root: Path) -> Iterator[tuple[str, Case]]:
    """Yield the labelled sequences, each with a name for its file.

    Raises
    ------
    BadInput
        If the folder is not laid out so, or a sequence has no label.
    ShapeMismatch
        If frames or label of a sequence differ in size.
    UnreadableFile
        If a picture cannot be read.
    """
    for part in PARTS:
        for number, frames in _sequences(root / part / "images").items():
            label = root / part / "labels" / f"label_s{number}.png"
            yield f"{part}/s{number}.npz", _case(frames, label, f"dias-s{number}", part)


def authors_split(root: Path) -> Split:
    """Return the split of sequences that the authors publish."""
    train, validation, test = (
        tuple(sorted(f"dias-s{number}" for number in _sequences(root / part / "images"))) for part in PARTS
    )
    return Split(train, validation, test)


def _sequences(folder: Path) -> dict[int, list[Path]]:
    """Return the frames of each sequence in order."""
    found: dict[int, dict[int, Path]] = {}
    for path in folder.glob("*.png"):
        if match := _FRAME.fullmatch(path.name):
            found.setdefault(int(match[1]), {})[int(match[2])] = path
    if not found:
        remedy = "Give the folder that holds training, validation and test."
        raise BadInput("no frames of DIAS", wanted="image_s0_i0.png", where=folder, remedy=remedy)
    return {number: [frames[i] for i in sorted(frames)] for number, frames in sorted(found.items())}


def _case(frames: list[Path], label: Path, patient: str, part: str) -> Case:
    images = [picture(path) for path in frames]
    truth = picture(label) > 0
    if {image.shape for image in images} != {truth.shape}:
        found = ", ".join(sorted({str(image.shape) for image in images}))
        raise ShapeMismatch(
            "frames and label differ in size", wanted=str(truth.shape), found=found, where=label
        )
    contrast, field = projection(images)
    case = make_case(contrast.T[:, :, None], field.T[:, :, None], truth.T[:, :, None], patient)
    return replace(case, site="DIAS", meta={"part": part, "frames": len(frames)})


def projection(images: list[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the largest contrast of each pixel and the field of view, shape `(rows, columns)` each.

    The pictures are subtracted and windowed, so that contrast is the logarithm of background over value up to
    a factor and an offset that nobody knows; networks are shown it over a percentile, and so without the
    factor.
    """
    stack = np.stack(images).astype(np.float32)
    background = float(np.percentile(stack.max(axis=0), _BACKGROUND))
    field = stack.max(axis=0) > 0
    contrast = np.log((background + 1.0) / (stack.min(axis=0) + 1.0))
    contrast -= np.median(contrast[field]) if field.any() else 0.0
    return np.where(field, contrast, 0.0).clip(min=0.0).astype(np.float32), field
