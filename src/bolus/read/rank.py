"""Which stacks of images look like a perfusion series, and which look like something else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bolus.core.units import Modality
from bolus.read.records import Image, Kind, Label

ENOUGH_FRAMES: Final = {Modality.CT: 8, Modality.MR: 8, Modality.XA: 4}
"""Fewest frames that are taken for a perfusion series unasked: a bolus passes in about eight samples of
2-3 s (a run of DSA in fewer)."""

_NAMED: Final = re.compile(r"perf|pwi|dsc\b|\bctp|bolus|dynamic|\bdyn|\b4d|shuttle|jog|vpct|stroke|ischemi")
_BRAIN: Final = re.compile(r"brain|head|cerebr|neuro|skull|stroke|kopf|cranio|encef|crane|hirn|carotid")
_ELSEWHERE: Final = re.compile(
    r"abdom|pelvi|chest|thorax|heart|card|coron|liver|breast|knee|spine|prostat|kidney|lung|aort"
)
_NOT_PERFUSION: Final = {
    "LOCALIZER": "a localizer",
    "SCOUT": "a localizer",
    "DIFFUSION": "diffusion images",
    "ADC": "a diffusion map",
    "TRACEW": "diffusion images",
    "ASL": "arterial spin labelling: no bolus",
    "SCREEN SAVE": "a screen capture",
    "DOSE_INFO": "a dose report",
    "CSA REPORT": "a report",
    "PHASE MAP": "phase images",
    "REAL": "real-part images",
    "IMAGINARY": "imaginary-part images",
    **dict.fromkeys(
        (
            "CBF",
            "RCBF",
            "RELCBF",
            "CBV",
            "RCBV",
            "RELCBV",
            "MTT",
            "RELMTT",
            "TTP",
            "TMAX",
            "TTD",
            "PBP",
            "GBP",
        ),
        "a perfusion map",
    ),
}
_NOT_BY_NAME: Final = re.compile(
    r"dose report|patient protocol|screen ?(save|capture)|localizer|\bscout\b|topogram|surview|scanogram"
)
_T2STAR_MS: Final = 50.0  # beyond it the signal at the bolus peak is mostly noise


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """How strongly a stack looks like the perfusion series; compared field by field.

    Parameters
    ----------
    volume
        1 for CT and MR, 0 for X-ray runs, which every angiography has many of.
    named, original, brain
        Whether names, image type and body part speak for it.
    size
        Slices times frames.
    """

    volume: int
    named: int
    original: int
    brain: int
    size: int

    def equals(self, other: Claim) -> bool:
        """Tell whether two claims are as good as equal: sizes within 10 %."""
        same = replace(self, size=0) == replace(other, size=0)
        return same and min(self.size, other.size) >= 0.9 * max(self.size, other.size)


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


def claim_of(kind: Kind, label: Label, size: int) -> tuple[Claim, tuple[str, ...]]:
    """Return how strongly a stack looks like the perfusion series, and why in words."""
    text = f"{label.description} {label.protocol} {' '.join(kind.image_type)}".lower()
    place = f"{text} {label.body_part.lower()}"
    named = bool(_NAMED.search(text))
    original = kind.image_type[:1] == ("ORIGINAL",)
    brain = int(bool(_BRAIN.search(place))) - int(bool(_ELSEWHERE.search(place)))
    reasons = [
        *(["its name speaks of perfusion"] if named else []),
        *(["original images"] if original else []),
        *(["the head" if brain > 0 else "not the head"] if brain else []),
        *(["contrast was given"] if label.contrast else []),
    ]
    volume = int(kind.modality is not Modality.XA)
    return Claim(volume, int(named), int(original), brain, size), tuple(reasons)


def problems_of(kind: Kind, label: Label, n_frames: int) -> tuple[str, ...]:
    """Return why a stack is not taken for the perfusion series unasked."""
    problems = [_NOT_PERFUSION[word] for word in kind.image_type if word in _NOT_PERFUSION]
    if kind.modality is Modality.MR and "P" in kind.image_type[2:]:
        problems.append("phase images")
    if _NOT_BY_NAME.search(f"{label.description} {label.protocol}".lower()):
        problems.append("a report, capture or localizer by name")
    if label.secondary_capture:
        problems.append("a secondary capture")
    enough = ENOUGH_FRAMES[kind.modality]
    if n_frames < enough:
        problems.append(f"{n_frames} frame{'s' * (n_frames != 1)} only, {enough} wanted")
    return tuple(dict.fromkeys(problems))


def best_echo(echoes: Sequence[float]) -> float:
    """Return which echo time [ms] of a multi-echo series to read.

    The longest up to 50 ms, else the shortest: the more T2*-weighted echo shows the bolus better, and
    one that is too long loses it in noise.
    """
    usable = [te for te in echoes if te <= _T2STAR_MS]
    return max(usable) if usable else min(echoes)
