"""DICOM images as candidates for the perfusion series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Severity
from bolus.core.series import Series
from bolus.core.xray import XRay
from bolus.read.dicom.clock import settle
from bolus.read.dicom.images.records import Image, Kind, Label
from bolus.read.dicom.kinds import sort_by_kind
from bolus.read.dicom.layout import Layout, lay_out
from bolus.read.dicom.series import read_series
from bolus.read.dicom.stack import stack_up
from bolus.read.found import Found
from bolus.read.options import ReadOptions
from bolus.read.rank import Claim, Look, claim_of, problems_of
from bolus.read.survey import Candidate
from bolus.read.text import short_hash

_T2STAR_MS: Final = 50.0  # beyond it the signal at the bolus peak is mostly noise


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """One stack, laid out in time or with the error that stood in the way."""

    candidate: Candidate
    claim: Claim
    patient: str
    study_uid: str
    xray: XRay | None
    layout: Layout | None
    error: BadInput | None


def find_candidates(images: Sequence[Image], options: ReadOptions, where: Path) -> list[Found]:
    """Sort images into stacks, lay each out, and say which of them may be a perfusion series.

    Parameters
    ----------
    images
        Of any number of series, in any order.
    options
        What stands in for what the files do not say.
    where
        The study that an error names.
    """
    laid = _prefer_echoes([_examine(group, options, where) for group in sort_by_kind(images)])
    return [
        Found(
            candidate=one.candidate,
            claim=one.claim,
            patient=one.patient,
            study_uid=one.study_uid,
            xray=one.xray,
            read=partial(_read, one, options, where),
            error=one.error,
            unused=Counter() if one.layout is None else one.layout.unused,
        )
        for one in laid
    ]


def _read(one: _Laid, options: ReadOptions, where: Path) -> Series:
    if one.error is not None:
        raise one.error
    assert one.layout is not None  # noqa: S101  one of the two is always there
    return read_series(one.layout, options, where)


def _look(kind: Kind, label: Label) -> Look:
    return Look(
        modality=kind.modality,
        image_type=kind.image_type,
        name=f"{label.description} {label.protocol}",
        body_part=label.body_part,
        has_contrast=label.contrast,
        is_capture=label.secondary_capture,
        xray=label.xray,
    )


def _examine(images: Sequence[Image], options: ReadOptions, where: Path) -> _Laid:
    """Lay a group of images out and judge it."""
    stack = stack_up(images)
    kind, label = images[0].kind, images[0].label
    n_frames = int(np.median([len(members) for members in stack.slices]))
    layout, error = None, None
    try:
        layout = lay_out(stack, dt_s=options.dt_s, where=where)
    except BadInput as reason:
        error = reason
    if layout is not None:
        n_frames = layout.table.shape[1]
    look = _look(kind, label)
    claim, reasons = claim_of(look, n_frames * len(stack.slices))
    problems = problems_of(look, n_frames)
    candidate = Candidate(
        name=short_hash(*(getattr(kind, name) for name in kind.__slots__)),
        series_uid=kind.series_uid,
        number=label.number,
        description=label.description,
        modality=kind.modality,
        shape=(kind.columns, kind.rows, len(stack.slices), n_frames),
        n_images=len(images),
        te_ms=kind.te_ms,
        xray=label.xray.told() if label.xray else "",
        reasons=reasons,
        problems=problems,
        error="" if error is None else str(error),
    )
    if layout is not None:
        candidate = replace(candidate, shape=(*layout.grid.shape, n_frames))
        candidate = candidate.with_times(settle(layout.times), layout.clock, layout.findings)
    return _Laid(candidate, claim, kind.patient, kind.study_uid, label.xray, layout, error)


def _prefer_echoes(found: Sequence[_Laid]) -> list[_Laid]:
    """Mark all but one echo of each multi-echo series."""
    echoes: dict[tuple[str, str, tuple[int, ...]], set[float]] = {}
    for one in found:
        if one.candidate.te_ms is not None and one.candidate.shape[3] > 1:
            echoes.setdefault(_series_key(one), set()).add(one.candidate.te_ms)
    return [_marked_echo(one, echoes.get(_series_key(one), set())) for one in found]


def _series_key(found: _Laid) -> tuple[str, str, tuple[int, ...]]:
    return found.candidate.series_uid, found.patient, found.candidate.shape


def _marked_echo(found: _Laid, echoes: set[float]) -> _Laid:
    te_ms = found.candidate.te_ms
    if te_ms is None or len(echoes) < 2:
        return found
    best = _best_echo(sorted(echoes))
    told = ", ".join(f"{te:g}" for te in sorted(echoes))
    if te_ms != best:
        problem = f"an echo of {te_ms:g} ms; {best:g} ms is the one to read of {told} ms"
        candidate = replace(found.candidate, problems=(*found.candidate.problems, problem))
        return replace(found, candidate=candidate)
    if found.layout is None:
        return found
    text = f"The series has echoes of {told} ms; {best:g} ms is read, the more T2*-weighted."
    notes = (*found.layout.findings, Finding("SEVERAL_ECHOES", Severity.INFO, text, best))
    return replace(found, layout=replace(found.layout, findings=notes))


def _best_echo(echoes: Sequence[float]) -> float:
    """Return which echo time [ms] of a multi-echo series to read.

    The longest up to 50 ms, else the shortest: the more T2*-weighted echo shows the bolus better, and
    one that is too long loses it in noise.
    """
    usable = [te for te in echoes if te <= _T2STAR_MS]
    return max(usable) if usable else min(echoes)
