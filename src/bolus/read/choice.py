"""Which candidate of a study to read, and what to say where none can be chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bolus.core.errors import AmbiguousSeries, BadInput, NoSeries, UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.units import Modality
from bolus.read.files import Rejected
from bolus.read.found import Found
from bolus.read.options import ReadOptions
from bolus.read.survey import Candidate
from bolus.read.text import plain

_DAMAGE: Final = ("truncated", "damaged", "may not be opened", "claims", "an absurd")
_BOTH_VIEWS: Final = " From Python, bolus.read.load_views reads both views of an X-ray run."
_FEW: Final = 0.05  # share of a series' files that may be damaged, and one always


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Everything that was found.

    Parameters
    ----------
    where
        The path that was given, not where an archive was unpacked.
    n_files
        Files that were looked at.
    found
        Candidates, best first.
    rejected
        Files that hold no usable image.
    """

    where: Path
    n_files: int
    found: tuple[Found, ...]
    rejected: tuple[Rejected, ...]


def _never(_a: Found, _b: Found) -> bool:
    return False


def choose(study: Study, options: ReadOptions, *, together: Callable[[Found, Found], bool] = _never) -> Found:
    """Return the candidate to read.

    Parameters
    ----------
    study
        Everything that was found.
    options
        What the user asked for.
    together
        Tells whether two candidates are parts of one run, between which nothing has to be chosen.

    Raises
    ------
    NoSeries
        If there is none, or none of the name that was asked for.
    AmbiguousSeries
        If choosing would be a guess.
    UnreadableFile
        If most of what there is, is damaged.
    """
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
    return _best(pool, study, together)


def _best(pool: Sequence[Found], study: Study, together: Callable[[Found, Found], bool]) -> Found:
    readable = [one for one in pool if one.error is None] or list(pool)
    best = max(readable, key=lambda one: one.claim)
    rivals = [one for one in readable if one is not best and _as_good(best, one) and not together(best, one)]
    if rivals:
        names = "; ".join(
            f"{one.candidate.title()}: --series {one.candidate.name}" for one in [best, *rivals][:6]
        )
        raise AmbiguousSeries(
            "several series are equally good candidates",
            wanted="one",
            found=names,
            where=study.where,
            remedy="Choose one with --series (its name here, UID, number, description or file name)."
            + (_BOTH_VIEWS if best.candidate.modality is Modality.XA else ""),
        )
    return best


def _as_good(best: Found, other: Found) -> bool:
    """Tell whether choosing between two would be a guess: equal claims, or two patients or modalities."""
    if best.patient != other.patient:
        return True
    if best.candidate.modality is not other.candidate.modality:
        return best.claim.volume == other.claim.volume
    return best.claim.equals(other.claim)


def _named(study: Study, wanted: str) -> list[Found]:
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


def _list(study: Study, most: int = 5) -> str:
    titles = [_blamed(one.candidate) for one in study.found[:most]]
    more = len(study.found) - most
    return "; ".join(titles) + (f"; and {more} more" if more > 0 else "")


def _blamed(candidate: Candidate) -> str:
    return candidate.title() + (": " + ", ".join(candidate.problems) if candidate.problems else "")


def _none_fit(study: Study) -> NoSeries:
    return NoSeries(
        "no perfusion series in the study",
        wanted="a series of frames over one passage of contrast",
        found=_list(study),
        where=study.where,
        remedy="Name a series with --series if one of them is it.",
    )


def _nothing(study: Study) -> BadInput:
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


def check_losses(study: Study, chosen: Found) -> None:
    """Refuse a series that lost more than a few of its files to damage.

    Raises
    ------
    UnreadableFile
        If more than 5 % of them, and more than one, are damaged.
    """
    uid = chosen.candidate.series_uid
    lost = [r for r in study.rejected if r.series_uid == uid != "" and r.reason.startswith(_DAMAGE)]
    if len(lost) > max(1, _FEW * chosen.candidate.n_images):
        reasons = Counter(r.reason for r in lost).most_common(1)[0]
        raise UnreadableFile(
            "too many files of the series are damaged",
            wanted=f"at most {_FEW:.0%} of {chosen.candidate.n_images + len(lost)}",
            found=f"{len(lost)}, most of them {reasons[0]}",
            where=study.where,
            remedy="Send the series again from the scanner or the archive.",
        )


def account(study: Study, chosen: Found) -> tuple[Finding, ...]:
    """Say what became of everything that was received, as a finding where anything was left."""
    others = [one.candidate for one in study.found if one is not chosen]
    parts = []
    if chosen.unused:
        told = ", ".join(f"{n} {reason}" for reason, n in chosen.unused.most_common())
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
