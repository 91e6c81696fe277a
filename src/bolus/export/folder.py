"""A folder that appears whole or not at all, and replaces none but an earlier one of its kind."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from bolus.core.errors import OutputFailed

_IGNORED: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_SHOWN_FILES: Final = 3
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_REMEDIES: Final = {
    errno.ENOSPC: "Free disk space, or write elsewhere with -o.",
    errno.EDQUOT: "Free some of your quota, or write elsewhere with -o.",
    errno.EACCES: "Choose a folder that you may write to with -o.",
    errno.EPERM: "Choose a folder that you may write to with -o.",
    errno.EROFS: "Choose a folder on a disk that can be written to with -o.",
    errno.ENAMETOOLONG: "Choose a shorter path with -o.",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The JSON document in a folder that lists, under `files`, what was written there.

    Parameters
    ----------
    name
        Of its file.
    kinds
        What may stand under `kind` in documents of ours.
    """

    name: str
    kinds: tuple[str, ...]


@contextmanager
def replaced(out: str | Path, manifest: Manifest, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a hidden folder to fill, and put it in the place of `out` when the block ends well.

    Parameters
    ----------
    out
        Folder; made where it is missing. One that holds an earlier result is replaced in one step, so that
        a program which is killed leaves the old result or the new one.
    manifest
        How an earlier result is known.
    overwrite
        Replace the folder whatever it holds.

    Raises
    ------
    OutputFailed
        If the folder holds something else than an earlier result, or the disk refuses; nothing that
        is half-written stays.
    """
    target = resolved(out)
    if not overwrite:
        require_writable(target, manifest)
    with _refusals(target):
        _require_folder(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as made:
            yield made
            _put_in_place(made, target)


def resolved(out: str | Path) -> Path:
    """Return the folder that a user meant."""
    return Path(out).expanduser().resolve()


def require_writable(out: str | Path, manifest: Manifest) -> None:
    """Make sure, before an hour of work, that a result may be written to a folder.

    Raises
    ------
    OutputFailed
        If it is a file, holds something else than an earlier result, or lies where nothing may be
        written.
    """
    target = resolved(out)
    with _refusals(target):
        _require_replaceable(target, manifest)
        _require_movable(target)
        place = next((p for p in target.parents if p.exists()), target)
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def _require_folder(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputFailed(
            "the output is not a folder", found="a file", where=target, remedy="Choose another one with -o."
        )


def _require_movable(target: Path) -> None:
    """Refuse the root of a disk, such as a volume of a container: nothing can be renamed into its place."""
    if target.is_mount():
        raise OutputFailed(
            "the output folder is where a disk is mounted, and no folder can take its place in one step",
            wanted="a folder that is made or replaced as a whole",
            where=target,
            remedy=f"Name a folder on that disk, such as {target / 'result'}.",
        )


def _require_replaceable(target: Path, manifest: Manifest) -> None:
    """Refuse a folder that holds anything which no earlier result put there."""
    _require_folder(target)
    foreign = list(islice(_foreign(target, manifest), _SHOWN_FILES + 1))
    if foreign:
        shown = ", ".join(foreign[:_SHOWN_FILES]) + (", ..." if len(foreign) > _SHOWN_FILES else "")
        raise OutputFailed(
            "the output folder holds other files",
            wanted="a new or empty folder, or one that holds an earlier result alone",
            found=shown,
            where=target,
            remedy="Choose another folder with -o, or move those files away.",
        )


def _foreign(target: Path, manifest: Manifest) -> Iterator[str]:
    """Yield the files of a folder that no earlier result lists."""
    ours = _files_of_earlier(target, manifest)
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if (path.is_symlink() or path.is_file()) and name not in ours and path.name not in _IGNORED:
            yield name


def _files_of_earlier(target: Path, manifest: Manifest) -> set[str]:
    """Return the files that an earlier result says it wrote; none where there is no result."""
    try:
        document = json.loads((target / manifest.name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(document, dict) or document.get("kind") not in manifest.kinds:
        return set()
    names = document.get("files")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


@contextmanager
def _refusals(target: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one clear error."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "Choose another folder with -o.")
        raise OutputFailed(
            "the results could not be written", found=reason.lower(), where=target, remedy=remedy
        ) from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside the target, and leave none behind however this ends."""
    made = target.parent / f".{target.name[:60]}.{secrets.token_hex(6)}.partial"
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put_in_place(made: Path, target: Path) -> None:
    """Rename the finished folder; where an old one stands, exchange the two in one step."""
    if not target.exists():
        made.rename(target)
    elif not _exchange(made, target):
        old = made.with_suffix(".old")
        target.rename(old)
        try:
            made.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two folders in one step, where the system can (Linux); tell whether it did."""
    if not sys.platform.startswith("linux"):
        return False
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is None:
        return False
    done = swap(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE)
    return bool(done == 0)
