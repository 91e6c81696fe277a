"""Images of one kind, sorted into slices by where they lie."""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.finding import Finding, Severity
from bolus.read.dicom.images.records import Image

_SAME_PLACE_MM = 0.2  # table and rounding jitter between two passes over one slice
_SAME_VIEW_PX = 0.5
_PARTIAL = 0.45  # of the usual number of images; an end slice of a shuttle scan may hold one half


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in order along their normal, each with its images in no particular order.

    Parameters
    ----------
    slices
        Images of every slice.
    positions
        Centre of the first voxel of every slice (LPS) [mm], shape `(z, 3)`.
    unused
        Images that are not in it, counted by reason.
    """

    slices: tuple[tuple[Image, ...], ...]
    positions: Float64s
    unused: Counter[str]
    findings: tuple[Finding, ...] = ()

    @property
    def n_images(self) -> int:
        """Number of images."""
        return sum(map(len, self.slices))


def stack_up(images: Sequence[Image]) -> Stack:
    """Sort images of one kind into slices.

    Images of the same file identity are taken once. An image whose view is shifted sideways against
    the others of its slice, and end slices that hold less than 45 % of the usual number of images,
    are left out and counted.
    """
    unused: Counter[str] = Counter()
    images, findings = _once(images, unused)
    plane = np.array(images[0].kind.plane)
    points = np.array([image.position for image in images])
    height = points @ np.cross(plane[:3], plane[3:6])
    groups = _group(height, _tolerance(images[0]))
    slices: list[list[Image]] = []
    centres = []
    for group in groups:
        kept = _same_view(points[group], max(plane[6:]))
        unused["a view shifted against the others of its slice"] += len(group) - int(kept.sum())
        members = group[kept]
        slices.append([images[i] for i in members])
        centres.append(points[members].mean(axis=0))
    first, last = _full_range([len(s) for s in slices])
    unused["an end slice with few images"] += sum(len(s) for s in [*slices[:first], *slices[last:]])
    return Stack(
        tuple(map(tuple, slices[first:last])),
        np.array(centres)[first:last],
        +unused,
        (*findings, *_end_finding(slices, first, last)),
    )


def _tolerance(image: Image) -> float:
    thickness = image.kind.thickness_mm
    return min(_SAME_PLACE_MM, 0.2 * thickness) if thickness else _SAME_PLACE_MM


def _once(images: Sequence[Image], unused: Counter[str]) -> tuple[list[Image], list[Finding]]:
    """Keep one image of each identity, and say where two of one identity differ."""
    kept: dict[tuple[object, ...], Image] = {}
    differ = 0
    for image in images:
        uid = image.source.sop_uid or str(image.source.path)
        # Some anonymisers give every file one identity, so place and number must agree as well.
        known = kept.setdefault((uid, image.frame, image.tile, image.position, image.source.instance), image)
        if known is image:
            continue
        unused["a second copy of the same image"] += 1
        differ += not _same_bytes(known, image)
    findings = []
    if count := unused["a second copy of the same image"]:
        findings.append(
            Finding(
                "DUPLICATE_IMAGES",
                Severity.WARN if differ else Severity.INFO,
                f"{count} images came twice under one identity; one of each was used"
                + (f"; {differ} of them differ from the one that was used." if differ else "."),
                count,
            )
        )
    return list(kept.values()), findings


def _same_bytes(a: Image, b: Image) -> bool:
    try:
        return filecmp.cmp(a.source.path, b.source.path, shallow=False)
    except OSError:
        return False


def _group(height: Float64s, tolerance: float) -> list[np.ndarray]:
    """Return the indices of values that lie together, groups in ascending order."""
    order = np.argsort(height, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(height[order]) > tolerance) + 1)


def _same_view(points: Float64s, spacing_mm: float) -> np.ndarray:
    """Tell which of the points of one slice lie where most do."""
    middle = np.median(points, axis=0)
    kept: np.ndarray = np.linalg.norm(points - middle, axis=1) <= max(
        _SAME_VIEW_PX * spacing_mm, _SAME_PLACE_MM
    )
    return kept if kept.any() else np.ones(len(points), dtype=bool)


def _full_range(counts: Sequence[int]) -> tuple[int, int]:
    """Return the range of slices between the first and the last that hold enough images."""
    enough = np.flatnonzero(np.array(counts) >= _PARTIAL * float(np.median(counts)))
    return int(enough[0]), int(enough[-1]) + 1


def _end_finding(slices: Sequence[Sequence[Image]], first: int, last: int) -> tuple[Finding, ...]:
    lost = first + len(slices) - last
    if not lost:
        return ()
    text = f"{lost} slices at the ends of the stack hold too few images and were left out."
    return (Finding("SLICES_DROPPED", Severity.WARN, text, lost),)
