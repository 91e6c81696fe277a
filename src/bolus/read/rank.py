"""Which stacks of images look like a perfusion series, and which look like something else."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from bolus.core.units import Modality
from bolus.core.xray import XRay

ENOUGH_FRAMES: Final = {Modality.CT: 8, Modality.MR: 8, Modality.XA: 4}
"""Fewest frames that are taken for a perfusion series unasked: a bolus passes in about eight samples of
2-3 s (a run of DSA in fewer)."""

_NAMED: Final = re.compile(r"perf|pwi|dsc\b|\bctp|bolus|dynamic|\bdyn|\b4d|shuttle|jog|vpct|stroke|ischemi")
_BRAIN: Final = re.compile(r"brain|head|cerebr|neuro|skull|stroke|kopf|cranio|encef|crane|hirn|carotid")
_ELSEWHERE: Final = re.compile(
    r"abdom|pelvi|chest|thorax|heart|card|coron|liver|breast|knee|spine|prostat|kidney|lung|aort"
)
_MAPS: Final = (
    "CBF", "RCBF", "RELCBF", "CBV", "RCBV", "RELCBV", "MTT", "RELMTT", "TTP", "TMAX", "TTD", "PBP", "GBP",
)  # fmt: skip
_NOT_PERFUSION: Final = {
    "LOCALIZER": "a localizer",
    "SCOUT": "a localizer",
    "DIFFUSION": "diffusion images",
    "DWI": "diffusion images",
    "ADC": "a diffusion map",
    "TRACEW": "diffusion images",
    "BOLD": "functional images: no bolus",
    "ASL": "arterial spin labelling: no bolus",
    "SCREEN SAVE": "a screen capture",
    "DOSE_INFO": "a dose report",
    "CSA REPORT": "a report",
    "PHASE MAP": "phase images",
    "REAL": "real-part images",
    "IMAGINARY": "imaginary-part images",
    **dict.fromkeys(_MAPS, "a perfusion map"),
}
_NOT_BY_NAME: Final = re.compile(
    r"dose report|patient protocol|screen ?(save|capture)|localizer|\bscout\b|topogram|surview|scanogram"
)
_FLUOROSCOPY: Final = re.compile(r"road[ _-]?map|fluoro|durchleucht|scopie\b|\bfl_|\bstored fl\b")
_ROTATING: Final = re.compile(r"rotation|dyna ?ct|cone ?beam|\bcbct|xper ?ct|3d ?ra\b|innova ?ct")


@dataclass(frozen=True, slots=True)
class Look:
    """What a stack says of itself.

    Parameters
    ----------
    image_type
        ImageType in capitals, or what stands for it.
    name
        Description and protocol, in any words.
    body_part
        BodyPartExamined.
    has_contrast
        Whether it names a contrast agent.
    is_capture
        Whether it is a secondary capture.
    xray
        How it was taken, for X-ray runs.
    """

    modality: Modality
    image_type: tuple[str, ...]
    name: str
    body_part: str = ""
    has_contrast: bool = False
    is_capture: bool = False
    xray: XRay | None = None


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


def claim_of(look: Look, size: int) -> tuple[Claim, tuple[str, ...]]:
    """Return how strongly a stack looks like the perfusion series, and why in words."""
    text = f"{look.name} {' '.join(look.image_type)}".lower()
    place = f"{text} {look.body_part.lower()}"
    named = bool(_NAMED.search(text))
    original = look.image_type[:1] == ("ORIGINAL",)
    brain = int(bool(_BRAIN.search(place))) - int(bool(_ELSEWHERE.search(place)))
    reasons = [
        *(["its name speaks of perfusion"] if named else []),
        *(["original images"] if original else []),
        *(["the head" if brain > 0 else "not the head"] if brain else []),
        *(["contrast was given"] if look.has_contrast else []),
    ]
    volume = int(look.modality is not Modality.XA)
    return Claim(volume, int(named), int(original), brain, size), tuple(reasons)


def problems_of(look: Look, n_frames: int) -> tuple[str, ...]:
    """Return why a stack is not taken for the perfusion series unasked."""
    problems = [_NOT_PERFUSION[word] for word in look.image_type if word in _NOT_PERFUSION]
    if look.modality is Modality.MR and "P" in look.image_type[2:]:
        problems.append("phase images")
    if _NOT_BY_NAME.search(look.name.lower()):
        problems.append("a report, capture or localizer by name")
    if look.is_capture:
        problems.append("a secondary capture")
    problems += _xray_problems(look)
    enough = ENOUGH_FRAMES[look.modality]
    if n_frames < enough:
        problems.append(f"{n_frames} frame{'s' * (n_frames != 1)} only, {enough} wanted")
    return tuple(dict.fromkeys(problems))


def _xray_problems(look: Look) -> list[str]:
    """Return why an X-ray run shows no passage of contrast in one view."""
    if look.modality is not Modality.XA:
        return []
    problems = []
    name = f"{look.name} {' '.join(look.image_type)}".lower()
    if (look.xray is not None and look.xray.fluoroscopy) or _FLUOROSCOPY.search(name):
        problems.append("fluoroscopy or a road map")
    if (look.xray is not None and look.xray.rotating) or _ROTATING.search(name):
        problems.append("a rotating tube")
    return problems
