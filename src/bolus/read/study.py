"""Finds the perfusion series of a study and reads it."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bolus.core.errors import AmbiguousSeries, BadInput, NoSeries, UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.series import Series
from bolus.read.archive import opened
from bolus.read.clock import settle
from bolus.read.dicom import read_series
from bolus.read.files import find_files
from bolus.read.headers import read_images
from bolus.read.layout import Layout, lay_out
from bolus.read.nifti import is_nifti, load_nifti
from bolus.read.options import ReadOptions
from bolus.read.rank import Claim, best_echo, claim_of, problems_of, sort_by_kind
from bolus.read.records import Image, Rejected
from bolus.read.stack import stack_up
from bolus.read.survey import Candidate, Survey
from bolus.read.text import plain, short_hash

_DEFAULT = ReadOptions()
_DAMAGE = ("truncated", "damaged", "may not be opened", "claims", "an absurd")
_FEW = 0.05  # share of a series' files that may be damaged, and one always


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A candidate with what is needed to read it."""

    candidate: Candidate
    claim: Claim
    patient: str
    layout: Layout | None
    error: BadInput | None


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """Everything that was found; `where` is the path that was given, not where an archive was unpacked."""

    where: Path
    n_files: int
    found: tuple[_Found, ...]
    rejected: tuple[Rejected, ...]


def load(path: Path | str, *, options: ReadOptions = _DEFAULT) -> Series:
    """Read the perfusion series of a study.

    Parameters
    ----------
    path
        A folder, a DICOM file, an archive of either, or a NIfTI file.
    options
        What stands in for what the files do not say.

    Returns
    -------
    The series, turned to the left, the back and the head, with the findings of reading.

    Raises
    ------
    NoSeries
        If nothing there is a perfusion series.
    AmbiguousSeries
        If two candidates are equally good.
    UnreadableFile, BadGeometry, BadTimes, MissingTag
        If the series cannot be read rightly.
    """
    with _quiet(), opened(Path(path)) as place:
        nifti = _nifti_in(place)
        if nifti is not None:
            return load_nifti(nifti, options)
        study = _look(place, options, Path(path))
        chosen = _choose(study, options)
        if chosen.error is not None:
            raise chosen.error
        assert chosen.layout is not None  # noqa: S101  one of the two is always there
        _check_losses(study, chosen)
        series = read_series(chosen.layout, options, Path(path))
    return replace(series, findings=(*series.findings, *_account(study, chosen)))


def survey(path: Path | str, *, options: ReadOptions = _DEFAULT) -> Survey:
    """Say what is in a study, and what `load` would do with it; no pixels of DICOM are read.

    Parameters
    ----------
    path
        As for `load`.
    options
        As for `load`.

    Raises
    ------
    UnreadableFile
        If the path cannot be opened.
    """
    with _quiet(), opened(Path(path)) as place:
        nifti = _nifti_in(place)
        if nifti is not None:
            return _survey_nifti(nifti, options)
        study = _look(place, options, Path(path))
    rejected = dict(Counter(r.reason for r in study.rejected).most_common())
    try:
        chosen = _choose(study, options)
    except BadInput as error:
        return Survey(study.n_files, tuple(f.candidate for f in study.found), rejected, str(error))
    candidates = [replace(f.candidate, would_use=f is chosen and f.error is None) for f in study.found]
    verdict = f"would read {chosen.candidate.title()}" if chosen.error is None else str(chosen.error)
    return Survey(study.n_files, tuple(candidates), rejected, verdict)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom's remarks on odd values out of terminal and logs: they quote the values.

    What matters of them becomes a finding or a reason.
    """
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _nifti_in(place: Path) -> Path | None:
    """Return the NIfTI file to read: the place itself, or the only one in a folder without DICOM."""
    if place.is_file():
        return place if is_nifti(place) else None
    if not place.is_dir():
        return None
    files, _ = find_files(place)
    images = [file for file in files if is_nifti(file)]
    if len(images) != 1 or len(files) > 8:  # beside it at most sidecars and notes
        return None
    return images[0]


def _look(place: Path, options: ReadOptions, where: Path) -> _Study:
    files, skipped = find_files(place)
    images: list[Image] = []
    for file in files:
        found, rejected = read_images(file)
        images += found
        if rejected is not None:
            skipped.append(rejected)
    candidates = [_examine(group, options, where) for group in sort_by_kind(images)]
    candidates = _prefer_echoes(candidates)
    candidates.sort(key=_order, reverse=True)
    n_files = len(files) + sum(1 for r in skipped if r.path not in set(files))
    return _Study(where, n_files, tuple(candidates), tuple(skipped))


def _order(found: _Found) -> tuple[bool, bool, Claim]:
    return not found.candidate.problems, found.error is None, found.claim


def _examine(images: Sequence[Image], options: ReadOptions, where: Path) -> _Found:
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
    claim, reasons = claim_of(kind, label, n_frames * len(stack.slices))
    problems = problems_of(kind, label, n_frames)
    if options.modality is not None and kind.modality is not options.modality:
        problems = (*problems, f"not {options.modality}")
    candidate = Candidate(
        name=short_hash(*(getattr(kind, name) for name in kind.__slots__)),
        series_uid=kind.series_uid,
        number=label.number,
        description=label.description,
        modality=kind.modality,
        shape=(kind.columns, kind.rows, len(stack.slices), n_frames),
        n_images=len(images),
        te_ms=kind.te_ms,
        reasons=reasons,
        problems=problems,
        error="" if error is None else str(error),
    )
    if layout is not None:
        candidate = _with_times(candidate, layout)
    return _Found(candidate, claim, kind.patient, layout, error)


def _with_times(candidate: Candidate, layout: Layout) -> Candidate:
    times = settle(layout.times)
    steps = np.diff(times, axis=-1)
    return replace(
        candidate,
        shape=(*layout.grid.shape, layout.table.shape[1]),
        clock=layout.clock,
        dt_s=(float(steps.min()), float(np.median(steps)), float(steps.max())),
        duration_s=float(np.ptp(times)),
        per_slice=times.ndim == 2,
        findings=tuple((f.code, f.text) for f in layout.findings),
    )


def _prefer_echoes(found: Sequence[_Found]) -> list[_Found]:
    """Mark all but one echo of each multi-echo series."""
    echoes: dict[tuple[str, str, tuple[int, ...]], set[float]] = {}
    for one in found:
        if one.candidate.te_ms is not None and one.candidate.shape[3] > 1:
            echoes.setdefault(_series_key(one), set()).add(one.candidate.te_ms)
    return [_marked_echo(one, echoes.get(_series_key(one), set())) for one in found]


def _series_key(found: _Found) -> tuple[str, str, tuple[int, ...]]:
    return found.candidate.series_uid, found.patient, found.candidate.shape


def _marked_echo(found: _Found, echoes: set[float]) -> _Found:
    te_ms = found.candidate.te_ms
    if te_ms is None or len(echoes) < 2:
        return found
    best = best_echo(sorted(echoes))
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


def _choose(study: _Study, options: ReadOptions) -> _Found:
    if not study.found:
        raise _nothing(study)
    pool = list(study.found)
    if options.series is not None:
        pool = _named(study, options.series)
        if len(pool) == 1:
            return pool[0]
        # The user's word overrides what speaks against a series, but not between its own parts.
        pool = [one for one in pool if not one.candidate.problems] or pool
    else:
        pool = [one for one in pool if not one.candidate.problems]
    if not pool:
        raise _none_fit(study)
    return _best(pool, study)


def _best(pool: Sequence[_Found], study: _Study) -> _Found:
    readable = [one for one in pool if one.error is None] or list(pool)
    best = max(readable, key=lambda one: one.claim)
    rivals = [one for one in readable if one is not best and _as_good(best, one)]
    if rivals:
        names = "; ".join(
            f"{one.candidate.title()}: --series {one.candidate.name}" for one in [best, *rivals][:6]
        )
        raise AmbiguousSeries(
            "several series are equally good candidates",
            wanted="one",
            found=names,
            where=study.where,
            remedy="Choose one with --series (its name here, UID, number or description).",
        )
    return best


def _as_good(best: _Found, other: _Found) -> bool:
    """Tell whether choosing between two would be a guess: equal claims, or two patients or modalities."""
    if best.patient != other.patient:
        return True
    if best.candidate.modality is not other.candidate.modality:
        return best.claim.volume == other.claim.volume
    return best.claim.equals(other.claim)


def _named(study: _Study, wanted: str) -> list[_Found]:
    """Return the candidates that a user's word means, by the first way of naming that fits any."""
    text = wanted.strip()
    low = text.lower()
    ways = (
        lambda c: c.name == low,
        lambda c: c.series_uid == text,
        lambda c: str(c.number) == text,
        lambda c: c.description.lower() == low,
        lambda c: len(text) > 3 and c.series_uid.startswith(text),
        lambda c: len(text) > 2 and low in c.description.lower(),
    )
    for way in ways:
        matches = [one for one in study.found if way(one.candidate)]
        if matches:
            return matches
    raise NoSeries(
        "no series of that name",
        wanted=plain(wanted),
        found=_list(study),
        where=study.where,
        remedy="`bolus info` lists all series with the names that --series takes.",
    )


def _list(study: _Study, most: int = 5) -> str:
    titles = [_blamed(one.candidate) for one in study.found[:most]]
    more = len(study.found) - most
    return "; ".join(titles) + (f"; and {more} more" if more > 0 else "")


def _blamed(candidate: Candidate) -> str:
    return candidate.title() + (": " + ", ".join(candidate.problems) if candidate.problems else "")


def _none_fit(study: _Study) -> NoSeries:
    return NoSeries(
        "no perfusion series in the study",
        wanted="a series of frames over one passage of contrast",
        found=_list(study),
        where=study.where,
        remedy="Name a series with --series if one of them is it.",
    )


def _nothing(study: _Study) -> BadInput:
    """Return the error for a study without a single usable image."""
    reasons = Counter(rejected.reason for rejected in study.rejected)
    found = "; ".join(f"{count} files: {reason}" for reason, count in reasons.most_common(4)) or "no files"
    damaged = sum(n for reason, n in reasons.items() if reason.startswith(_DAMAGE))
    if damaged and 2 * damaged >= sum(reasons.values()):
        return UnreadableFile(
            "no image of the study can be read",
            found=found,
            where=study.where,
            remedy="Send the study again.",
        )
    return NoSeries(
        "no usable image in the study",
        wanted="CT, MR or XA images in DICOM, or one 4-D NIfTI file",
        found=found,
        where=study.where,
        remedy="Name the folder that holds the perfusion series.",
    )


def _check_losses(study: _Study, chosen: _Found) -> None:
    """Refuse a series that lost more than a few of its files to damage."""
    uid = chosen.candidate.series_uid
    lost = [r for r in study.rejected if r.series_uid == uid and r.reason.startswith(_DAMAGE)]
    if len(lost) > max(1, _FEW * chosen.candidate.n_images):
        reasons = Counter(r.reason for r in lost).most_common(1)[0]
        raise UnreadableFile(
            "too many files of the series are damaged",
            wanted=f"at most {_FEW:.0%} of {chosen.candidate.n_images + len(lost)}",
            found=f"{len(lost)}, most of them {reasons[0]}",
            where=study.where,
            remedy="Send the series again from the scanner or the archive.",
        )


def _account(study: _Study, chosen: _Found) -> tuple[Finding, ...]:
    """Say what became of everything that was received."""
    others = [one.candidate for one in study.found if one is not chosen]
    parts = []
    if chosen.layout is not None and chosen.layout.unused:
        told = ", ".join(f"{n} {reason}" for reason, n in chosen.layout.unused.most_common())
        parts.append(f"images of the series not used: {told}")
    if others:
        parts.append(f"{sum(c.n_images for c in others)} images are of {len(others)} other kinds or series")
    if study.rejected:
        reasons = Counter(r.reason for r in study.rejected).most_common(4)
        parts.append("passed over: " + ", ".join(f"{n} ({reason})" for reason, n in reasons))
    if not parts:
        return ()
    text = f"Of {study.n_files} files, " + "; ".join(parts) + "."
    return (Finding("FILES_NOT_USED", Severity.INFO, text, float(len(study.rejected))),)


def _survey_nifti(path: Path, options: ReadOptions) -> Survey:
    try:
        series = load_nifti(path, options)
    except BadInput as error:
        return Survey(1, (), {"not readable": 1}, str(error))
    steps = np.diff(series.times, axis=-1)
    candidate = Candidate(
        name=short_hash(path.name),
        series_uid="",
        number=None,
        description=series.acquisition.description,
        modality=series.modality,
        shape=(*series.grid.shape, series.n_frames),
        n_images=series.n_frames,
        clock=series.acquisition.clock,
        dt_s=(float(steps.min()), float(np.median(steps)), float(steps.max())) if series.n_frames > 1 else (),
        duration_s=float(np.ptp(series.times)),
        per_slice=series.times.ndim == 2,
        te_ms=series.acquisition.te_ms,
        findings=tuple((f.code, f.text) for f in series.findings),
        would_use=True,
    )
    return Survey(1, (candidate,), {}, f"would read {candidate.title()}")
