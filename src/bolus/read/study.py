"""Finds the perfusion series of a study and reads it."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Severity
from bolus.core.series import Series
from bolus.read import dicom, nifti
from bolus.read.archive import opened
from bolus.read.biplane import in_order, is_partner, partner_of
from bolus.read.choice import Study, account, check_losses, choose
from bolus.read.files import find_files
from bolus.read.found import Found
from bolus.read.options import ReadOptions
from bolus.read.rank import Claim
from bolus.read.survey import Survey

_DEFAULT = ReadOptions()


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
        if place.is_file() and nifti.is_nifti(place):
            return nifti.load_nifti(place, options)
        study = _look(place, options, Path(path))
        return _read(study, choose(study, options))


def load_views(path: Path | str, *, options: ReadOptions = _DEFAULT) -> tuple[Series, ...]:
    """Read the perfusion series of a study and, where it is a biplane run, its other view.

    Parameters
    ----------
    path, options
        As for `load`; `options.series` may name either view.

    Returns
    -------
    One series; or the two views of one X-ray run, AP before lateral (plane A before B where the
    angles do not tell). The other view is of the same patient and study, of another plane or view,
    with as many frames at the same times, and began within 5 s.

    Raises
    ------
    NoSeries, AmbiguousSeries, UnreadableFile, BadGeometry, BadTimes, MissingTag
        As for `load`; the two views of one run are not rivals.
    """
    with _quiet(), opened(Path(path)) as place:
        if place.is_file() and nifti.is_nifti(place):
            return (nifti.load_nifti(place, options),)
        study = _look(place, options, Path(path))
        chosen = choose(study, options, together=is_partner)
        other = partner_of(chosen, study)
        views = (chosen,) if other is None else in_order((chosen, other))
        return tuple(_read(_without(study, views, one), one) for one in views)


def _without(study: Study, views: tuple[Found, ...], one: Found) -> Study:
    """Leave the other views of a run out of what is told about one: they are read as well."""
    kept = tuple(f for f in study.found if f is one or all(f is not view for view in views))
    return replace(study, found=kept)


def _read(study: Study, chosen: Found) -> Series:
    """Read a candidate, with what became of everything else."""
    if chosen.error is not None:
        raise chosen.error
    check_losses(study, chosen)
    series = chosen.read()
    return replace(series, findings=(*series.findings, *account(study, chosen), *_reasons(study, chosen)))


def _reasons(study: Study, chosen: Found) -> tuple[Finding, ...]:
    """Say which of several candidates was taken, and why."""
    if len(study.found) < 2:
        return ()
    why = ", ".join(chosen.candidate.reasons) or "it was asked for"
    text = f"Of {len(study.found)} candidates, {chosen.candidate.title()} was taken: {why}."
    return (Finding("SERIES_CHOSEN", Severity.INFO, text, float(len(study.found))),)


def survey(path: Path | str, *, options: ReadOptions = _DEFAULT) -> Survey:
    """Say what is in a study, and what `load_views` would do with it; no pixels of DICOM are read.

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
        if place.is_file() and nifti.is_nifti(place):
            return _survey_nifti(place, options)
        study = _look(place, options, Path(path))
    rejected = dict(Counter(r.reason for r in study.rejected).most_common())
    try:
        chosen = choose(study, options, together=is_partner)
    except BadInput as error:
        return Survey(study.n_files, tuple(f.candidate for f in study.found), rejected, str(error))
    other = partner_of(chosen, study)
    used = (chosen,) if other is None else in_order((chosen, other))
    candidates = [replace(f.candidate, would_use=f in used and f.error is None) for f in study.found]
    titles = " and its other view ".join(view.candidate.title() for view in used)
    verdict = f"would read {titles}" if chosen.error is None else str(chosen.error)
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


def _look(place: Path, options: ReadOptions, where: Path) -> Study:
    files, skipped = find_files(place)
    volumes = [file for file in files if nifti.is_nifti(file)]
    apart = {*volumes, *map(nifti.sidecar_of, volumes)}
    images: list[dicom.Image] = []
    for file in files:
        if file in apart:
            continue
        read, rejected = dicom.read_images(file)
        images += read
        if rejected is not None:
            skipped.append(rejected)
    found = dicom.find_candidates(images, options, where)
    others, damaged = nifti.find_candidates(volumes, options)
    if any(not one.candidate.problems for one in found):
        others = [_with_problem(one, "a NIfTI file beside DICOM images") for one in others]
    found = [_of_modality(one, options) for one in (*found, *others)]
    found.sort(key=_order, reverse=True)
    n_files = len({*files, *(rejected.path for rejected in skipped)})
    return Study(where, n_files, tuple(found), (*skipped, *damaged))


def _order(found: Found) -> tuple[bool, bool, Claim]:
    return not found.candidate.problems, found.error is None, found.claim


def _of_modality(found: Found, options: ReadOptions) -> Found:
    if options.modality in {None, found.candidate.modality}:
        return found
    return _with_problem(found, f"not {options.modality}")


def _with_problem(found: Found, problem: str) -> Found:
    return replace(found, candidate=replace(found.candidate, problems=(*found.candidate.problems, problem)))


def _survey_nifti(path: Path, options: ReadOptions) -> Survey:
    """Say what is in one NIfTI file, which is read whatever speaks against it."""
    found, _ = nifti.find_candidates([path], options)
    if found:
        candidate = replace(found[0].candidate, would_use=found[0].error is None)
        return Survey(1, (candidate,), {}, candidate.error or f"would read {candidate.title()}")
    try:
        nifti.load_nifti(path, options)
    except BadInput as error:
        return Survey(1, (), {"not readable": 1}, str(error))
    raise AssertionError("a NIfTI file that can be read is a candidate")
