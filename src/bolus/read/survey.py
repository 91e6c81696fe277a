"""What is in a study: every candidate for the perfusion series, ranked, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from bolus.core.arrays import Times
from bolus.core.finding import Finding
from bolus.core.units import Modality


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stack of images that might be the perfusion series.

    Parameters
    ----------
    name
        Short name for `--series`; stands for the series and the kind of image.
    series_uid, number, description
        What the files call it.
    shape
        Voxels and frames `(x, y, z, t)`.
    n_images
        Images that belong to it, used or not.
    clock
        Which clock the times come from.
    dt_s
        Shortest, median and longest step [s]; empty where the times are unknown.
    duration_s
        First to last frame [s].
    per_slice
        Whether slices have clocks of their own.
    xray
        View, plane and how pixels stand to the beam, for X-ray runs.
    reasons, problems
        What speaks for it; why it is not taken unasked.
    error
        Why it cannot be read, as `load` would say it.
    findings
        What `load` would note, as code and text.
    would_use
        Whether `load` takes it unasked.
    """

    name: str
    series_uid: str
    number: int | None
    description: str
    modality: Modality
    shape: tuple[int, int, int, int]
    n_images: int
    clock: str = ""
    dt_s: tuple[float, ...] = ()
    duration_s: float | None = None
    per_slice: bool = False
    te_ms: float | None = None
    xray: str = ""
    reasons: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    error: str = ""
    findings: tuple[tuple[str, str], ...] = ()
    would_use: bool = False

    def title(self) -> str:
        """Return how to speak of it in a message."""
        number = f"series {self.number}" if self.number is not None else "a series"
        text = f" '{self.description}'" if self.description else ""
        views = [word for word in self.xray.split(", ") if word in {"AP", "LAT"} or word.startswith("plane ")]
        kind = ", ".join([*views, ""]) if self.xray else f"{self.shape[2]} slices x "
        return f"{number}{text} ({self.modality}, {kind}{self.shape[3]} frames)"

    def with_times(self, times: Times, clock: str, findings: Sequence[Finding]) -> Candidate:
        """Return the candidate with what its clock tells.

        Parameters
        ----------
        times
            Seconds, shape `(t,)` or `(z, t)`, two frames at least.
        clock
            Where they come from.
        findings
            What `load` would note.
        """
        steps = np.diff(times, axis=-1)
        return replace(
            self,
            clock=clock,
            dt_s=(float(steps.min()), float(np.median(steps)), float(steps.max())),
            duration_s=float(np.ptp(times)),
            per_slice=times.ndim == 2,
            findings=tuple((finding.code, finding.text) for finding in findings),
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """All candidates of a study, best first.

    Parameters
    ----------
    n_files
        Files that were looked at.
    candidates
        Best first.
    rejected
        Number of files that hold no usable image, by reason.
    verdict
        What `load` would do, in a sentence.
    """

    n_files: int
    candidates: tuple[Candidate, ...]
    rejected: Mapping[str, int] = field(default_factory=dict)
    verdict: str = ""

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that `load` would read unasked."""
        return next((candidate for candidate in self.candidates if candidate.would_use), None)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; holds no name, birth date or number of a patient."""
        return {
            "n_files": self.n_files,
            "verdict": self.verdict,
            "candidates": [_plain(candidate) for candidate in self.candidates],
            "rejected": dict(self.rejected),
        }


def _plain(candidate: Candidate) -> dict[str, Any]:
    values = asdict(candidate)
    values["modality"] = candidate.modality.value
    values["findings"] = [{"code": code, "text": text} for code, text in candidate.findings]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
