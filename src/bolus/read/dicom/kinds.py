"""Which images can be parts of one stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bolus.read.dicom.images.records import Image, Kind


def sort_by_kind(images: Sequence[Image]) -> list[list[Image]]:
    """Put images that can be one stack together; directions and spacing within rounding."""
    groups: dict[Kind, list[Image]] = defaultdict(list)
    for image in images:
        groups[replace(image.kind, plane=())].append(image)
    return [part for group in groups.values() for part in _by_plane(group)]


def _by_plane(images: Sequence[Image]) -> list[list[Image]]:
    parts: list[list[Image]] = []
    known: dict[tuple[float, ...], list[Image]] = {}
    for image in images:
        plane = image.kind.plane
        if plane not in known:
            near = (part for part in parts if _same_plane(plane, part[0].kind.plane))
            home = next(near, None)
            if home is None:
                home = []
                parts.append(home)
            known[plane] = home
        known[plane].append(image)
    return parts


def _same_plane(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    apart = np.abs(np.subtract(a, b))
    return bool(apart[:6].max() <= 2e-3 and apart[6:].max() <= 1e-3 * max(b[6:]))
