"""Studies packed as zip or tar, unpacked where nothing in them can do harm."""

from __future__ import annotations

import errno
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, NoReturn

from bolus.core.errors import BadInput, NoSeries, UnreadableFile

MAX_MEMBERS: Final = 200_000
"""Most files in one archive: ten times the widest detector's longest scan (320 slices x 60 frames)."""
MAX_BYTES: Final = 64 * 2**30
"""Most bytes that one archive may unpack to."""
MAX_RATIO: Final = 200
"""Most bytes a packed byte may become, above `RATIO_FREE_BYTES`; CT packs 2-4 fold, empty phantoms 50."""
RATIO_FREE_BYTES: Final = 256 * 2**20
_CHUNK: Final = 2**20
_DISK_MARGIN: Final = 2**28
_LONGEST_NAME: Final = 200
_JUNK: Final = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_UNKNOWN: Final = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar"}
_BROKEN: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a packing method that zipfile does not know
    RuntimeError,  # an encrypted member
    ValueError,
    OverflowError,
)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give the place to read a study from: the path itself, or where its archive was unpacked.

    Zip, tar and compressed tar are recognised by their content. Archives inside the archive are
    unpacked too, one level deep. What was unpacked is removed when the block ends.

    Parameters
    ----------
    path
        A folder, a file or an archive.

    Yields
    ------
    A folder or a file.

    Raises
    ------
    UnreadableFile
        If the path is missing, not permitted, neither file nor folder, or an archive that is damaged,
        encrypted, too large, or names places outside itself.
    NoSeries
        If the folder or the archive is empty.
    """
    _require_readable(path)
    if path.is_dir() or _kind(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="bolus-") as folder:
        root = Path(folder).resolve()
        _unpack_nested(path, root)
        try:
            yield root
        except BadInput as error:
            raise _named_inside(error, path, root) from None


def _named_inside(error: BadInput, path: Path, root: Path) -> BadInput:
    """Return an error that names the archive where it named a file that is gone by now."""
    if error.where is None or not Path(error.where).is_relative_to(root):
        return error
    where = path / Path(error.where).relative_to(root)
    parts = {"wanted": error.wanted, "found": error.found, "remedy": error.remedy}
    return type(error)(error.what, where=where, **parts)


def _require_readable(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                empty = next(entries, None) is None
        elif stat.S_ISREG(mode):
            with path.open("rb") as file:
                empty = not file.read(1)
        else:
            _refuse("this is neither a file nor a folder", path, "Give a study as folder, file or zip.")
    except FileNotFoundError:
        _refuse("there is nothing at this path", path, "Check the spelling.")
    except PermissionError:
        _refuse(
            "reading is not permitted", path, "Change its permissions, or copy it to a place of your own."
        )
    except OSError as problem:  # a loop of links, a name too long, a share that is gone
        _refuse(f"the path cannot be opened ({problem.strerror})", path, "Check the path.")
    if empty and stat.S_ISDIR(mode):
        raise NoSeries(
            "the folder is empty", wanted="DICOM or NIfTI files", where=path, remedy="Check the path."
        )
    if empty:
        _refuse("the file is empty", path, "Copy or export it again.")


def _refuse(what: str, path: Path, remedy: str, *, wanted: str = "", found: str = "") -> NoReturn:
    raise UnreadableFile(what, wanted=wanted, found=found, where=path, remedy=remedy)


def _kind(path: Path) -> str | None:
    """Return `zip` or `tar` for an archive, by content; None for any other file."""
    name = path.name.lower()
    with path.open("rb") as file:
        start = file.read(512)
    for magic, kind in _UNKNOWN.items():
        if start.startswith(magic):
            _refuse(f"{kind} archives are not read", path, "Unpack it and give the folder.")
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    if start[257:262] == b"ustar" or name.endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")):
        return "tar"
    if name.endswith(".zip"):
        _refuse("this is not a zip file", path, "Export or download it again.", found="other content")
    return None


@dataclass(slots=True)
class _Budget:
    """What is still allowed to be unpacked, over all levels."""

    path: Path
    packed_bytes: int
    members: int = 0
    unpacked_bytes: int = 0

    def take(self, declared: int) -> None:
        """Count one more member of a declared size, or refuse."""
        self.members += 1
        self.unpacked_bytes += declared
        if self.members > MAX_MEMBERS:
            self._refuse("too many files", f"at most {MAX_MEMBERS}")
        if self.unpacked_bytes > MAX_BYTES:
            self._refuse("too large unpacked", f"at most {MAX_BYTES / 2**30:.0f} GiB")
        too_dense = self.unpacked_bytes > MAX_RATIO * max(self.packed_bytes, 1)
        if too_dense and self.unpacked_bytes > RATIO_FREE_BYTES:
            self._refuse("packed more densely than images can be", f"at most {MAX_RATIO} to 1")
        if self.unpacked_bytes > shutil.disk_usage(tempfile.gettempdir()).free - _DISK_MARGIN:
            self._refuse("larger than the free disk space", f"less in {tempfile.gettempdir()}")

    def _refuse(self, what: str, wanted: str) -> NoReturn:
        found = f"{self.unpacked_bytes / 2**20:.0f} MiB in {self.members} files so far"
        _refuse(
            f"the archive is {what}",
            self.path,
            "Unpack it yourself and give the folder of the series.",
            wanted=wanted,
            found=found,
        )


def _unpack_nested(path: Path, root: Path) -> None:
    budget = _Budget(path, path.stat().st_size)
    outer = _unpack(path, root, budget)
    inner_archives = [file for file in outer if _is_archive(file)]
    for number, file in enumerate(inner_archives):
        inner = _unpack(file, file.parent / f"unpacked-{number}", budget)
        file.unlink()
        if any(_is_archive(f) for f in inner):
            _refuse(
                "the archive is nested too deeply", path, "Unpack it and give the folder.", wanted="one level"
            )
    if not any(p.is_file() for p in root.rglob("*")):
        raise NoSeries("the archive holds no files", where=path, remedy="Export or download it again.")


def _is_archive(path: Path) -> bool:
    return path.stat().st_size > 0 and _kind(path) is not None


def _unpack(path: Path, root: Path, budget: _Budget) -> list[Path]:
    """Unpack one archive into a folder and return the files."""
    unpack = _unpack_zip if _kind(path) == "zip" else _unpack_tar
    try:
        return list(unpack(path, root, budget))
    except UnreadableFile:
        raise
    except _BROKEN as problem:
        _refuse(
            "the archive is damaged or packed in an unknown way",
            budget.path,
            "Export or download it again, or unpack it and give the folder.",
            found=str(problem)[:200] or type(problem).__name__,
        )
    except OSError as problem:
        full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
        what = "the disk for temporary files is full" if full else "the archive cannot be unpacked"
        remedy = "Free some space or set TMPDIR." if full else "Export or download it again."
        _refuse(what, budget.path, remedy, found=problem.strerror or str(problem))


def _unpack_zip(path: Path, root: Path, budget: _Budget) -> Iterator[Path]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                _refuse_member(budget.path, member.filename, "is a link or a device")
            if member.flag_bits & 1:
                _refuse(
                    "the archive is encrypted",
                    budget.path,
                    "Unpack it with its password and give the folder.",
                )
            target = _target(root, member.orig_filename, budget.path)
            if member.is_dir() or target is None:
                continue
            budget.take(member.file_size)
            with archive.open(member) as source:
                yield _copy(source, target, member.file_size, budget.path)


def _unpack_tar(path: Path, root: Path, budget: _Budget) -> Iterator[Path]:
    with tarfile.open(path, mode="r|*") as archive:
        for member in archive:
            if not (member.isreg() or member.isdir()):
                _refuse_member(budget.path, member.name, "is a link or a device")
            target = _target(root, member.name, budget.path)
            if member.isdir() or target is None:
                continue
            budget.take(member.size)
            source = archive.extractfile(member)
            if source is not None:
                with source:
                    yield _copy(source, target, member.size, budget.path)


def _target(root: Path, name: str, archive: Path) -> Path | None:
    """Return where a member goes, None for litter of operating systems; refuse every way out of `root`."""
    slashed = name.replace("\\", "/")
    parts = PurePosixPath(slashed).parts
    outside = slashed.startswith("/") or re.match(r"[A-Za-z]:/", slashed) or ".." in parts
    if outside or "\0" in name:
        _refuse_member(archive, name, "points outside the archive")
    if not parts or _JUNK & set(parts) or parts[-1].startswith("._"):
        return None
    return root.joinpath(*(_safe_name(part) for part in parts))


def _safe_name(part: str) -> str:
    """Return a name that every file system takes."""
    kept = re.sub(r"[^\w.,()+=@ -]", "_", part).strip() or "_"
    if len(kept.encode()) <= _LONGEST_NAME:
        return kept
    ending = re.search(r"(\.nii)?\.\w{1,8}$", kept)  # an image and its sidecar must keep a common stem
    suffix = ending[0] if ending else ""
    stem = kept.removesuffix(suffix)
    return f"{stem[:20]}-{zlib.crc32(stem.encode()):08x}{suffix}"


def _refuse_member(archive: Path, name: str, why: str) -> NoReturn:
    shown = re.sub(r"[^\x20-\x7e]", "?", name)[:100]
    _refuse(
        f"a file in the archive {why}",
        archive,
        "Do not trust this archive; if you do, unpack it and give the folder.",
        found=shown,
    )


def _copy(source: IO[bytes], target: Path, declared: int, archive: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    chosen = target
    while chosen.exists():
        number += 1
        chosen = target.with_name(f"{number}-{target.name}")
    written = 0
    with chosen.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > declared:
                _refuse("a file in the archive is larger than it says", archive, "Do not trust this archive.")
            out.write(chunk)
    if written != declared:
        _refuse("the archive is truncated", archive, "Export or download it again.")
    return chosen
