"""Which files of a study to look at."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from bolus.core.errors import UnreadableFile

_DEEPEST, _MOST_FILES = 32, 200_000
_READ_ME_NOT = {"DICOMDIR", "LOCKFILE", "VERSION", "Thumbs.db"}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that is not used, and why.

    Parameters
    ----------
    path, reason
        Which file, and why in a few words that hold no text from the file.
    series_uid
        The series that it says it belongs to, where it could be read so far.
    """

    path: Path
    reason: str
    series_uid: str = ""


def find_files(place: Path) -> tuple[list[Path], list[Rejected]]:
    """Return the regular files under a folder (or the file itself) and what was passed over.

    Links to files are followed, links to folders once; pipes, devices, sockets, hidden and empty
    files are passed over, each with its reason.

    Raises
    ------
    UnreadableFile
        If the place holds absurdly many files.
    """
    if not place.is_dir():
        return [place], []
    found: list[Path] = []
    skipped: list[Rejected] = []
    _walk(place, 0, set(), found, skipped)
    return sorted(found), skipped


def _walk(folder: Path, depth: int, seen: set[str], found: list[Path], skipped: list[Rejected]) -> None:
    real = os.path.realpath(folder)
    if real in seen or depth > _DEEPEST:
        skipped.append(Rejected(folder, "a folder that leads back to itself or lies too deep"))
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        skipped.append(Rejected(folder, "a folder that may not be opened"))
        return
    for entry in entries:
        _sort_entry(entry, depth, seen, found, skipped)


def _sort_entry(
    entry: os.DirEntry[str], depth: int, seen: set[str], found: list[Path], skipped: list[Rejected]
) -> None:
    path = Path(entry.path)
    try:
        mode, size = entry.stat().st_mode, entry.stat().st_size
    except OSError:
        skipped.append(Rejected(path, "a link that leads nowhere"))
        return
    if entry.name.startswith("."):
        skipped.append(Rejected(path, "hidden"))
    elif stat.S_ISDIR(mode):
        _walk(path, depth + 1, seen, found, skipped)
    elif not stat.S_ISREG(mode):
        skipped.append(Rejected(path, "not a regular file"))
    elif size == 0:
        skipped.append(Rejected(path, "empty"))
    elif entry.name in _READ_ME_NOT:
        skipped.append(Rejected(path, "a directory record, not an image"))
    else:
        found.append(path)
        if len(found) > _MOST_FILES:
            raise UnreadableFile(
                "too many files", wanted=f"at most {_MOST_FILES}", where=path.parent, remedy="Name one study."
            )
