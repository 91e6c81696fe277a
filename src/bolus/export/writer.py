"""Writing a result: everything into a hidden folder beside the wanted one, then one rename."""

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
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.errors import OutputFailed
from bolus.core.finding import Progress, silent
from bolus.core.result import Result
from bolus.export import figures, layout, nifti, report, summary, tables

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


def write(
    result: Result,
    out: str | Path,
    *,
    overwrite: bool = False,
    colours: str = "spectrum",
    progress: Progress = silent,
) -> Path:
    """Write all of a result into a folder: maps, masks, curves, figures, summary and report.

    The folder appears whole or not at all. A folder that an earlier result fills is replaced in one
    step, so that a run which is killed leaves the old result or the new one.

    Parameters
    ----------
    result
        What `bolus.run` gave.
    out
        Folder; made where it is missing.
    overwrite
        Replace the folder whatever it holds. Files in it are lost.
    colours
        Colour table of the maps: `spectrum`, `cividis` or `grey`.
    progress
        Called as `progress("export", done, total)`.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputFailed
        If the folder holds something else than an earlier result, or the disk refuses; nothing that
        is half-written stays.
    BadRecipe
        If there is no such colour table.
    """
    target = _target(out)
    if not overwrite:
        require_writable(target)
    with _refusals(target):
        _require_folder(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as made:
            _write_all(result, made, colours, progress)
            _put_in_place(made, target)
    return target


def require_writable(out: str | Path) -> None:
    """Make sure, before an hour of work, that a result may be written to a folder.

    Raises
    ------
    OutputFailed
        If it is a file, holds something else than an earlier result, or lies where nothing may be
        written.
    """
    target = _target(out)
    with _refusals(target):
        _require_replaceable(target)
        place = next((p for p in target.parents if p.exists()), target)
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def _target(out: str | Path) -> Path:
    return Path(out).expanduser().resolve()


def _require_folder(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputFailed(
            "the output is not a folder", found="a file", where=target, remedy="Choose another one with -o."
        )


def _require_replaceable(target: Path) -> None:
    """Refuse a folder that holds anything which no earlier result put there."""
    _require_folder(target)
    foreign = list(islice(_foreign(target), _SHOWN_FILES + 1))
    if foreign:
        shown = ", ".join(foreign[:_SHOWN_FILES]) + (", ..." if len(foreign) > _SHOWN_FILES else "")
        raise OutputFailed(
            "the output folder holds other files",
            wanted="a new or empty folder, or one that holds an earlier result alone",
            found=shown,
            where=target,
            remedy="Choose another folder with -o, or move those files away.",
        )


def _foreign(target: Path) -> Iterator[str]:
    """Yield the files of a folder that no earlier result lists."""
    ours = _files_of_earlier(target)
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if (path.is_symlink() or path.is_file()) and name not in ours and path.name not in _IGNORED:
            yield name


def _files_of_earlier(target: Path) -> set[str]:
    """Return the files that an earlier result says it wrote; none where there is no result."""
    try:
        document = json.loads((target / layout.SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(document, dict) or document.get("kind") != summary.KIND:
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


def _write_all(result: Result, folder: Path, colours: str, progress: Progress) -> None:
    """Write every file; the summary comes last, so that it vouches for the others."""
    total = len(layout.figure_names(result)) + 3
    for name in {str(Path(f).parent) for f in layout.files(result)}:
        (folder / name).mkdir(exist_ok=True)
    progress("export", 0, total)
    _write_volumes(result, folder)
    progress("export", 1, total)
    drawn = {}
    for name, png in figures.draw_all(result, colours=colours):
        (folder / "figures" / f"{name}.png").write_bytes(png)
        drawn[name] = png
        progress("export", 1 + len(drawn), total)
    (folder / layout.REPORT).write_text(report.render(result, drawn), encoding="utf-8")
    progress("export", total - 1, total)
    tables.write_recipe(folder / layout.RECIPE, result.recipe)
    (folder / layout.SUMMARY).write_text(summary.dumps(summary.summarise(result)), encoding="utf-8")
    progress("export", total, total)


def _write_volumes(result: Result, folder: Path) -> None:
    for made in result.maps.values():
        nifti.write_map(folder / "maps" / f"{layout.stem(made.name)}.nii.gz", made)
        if made.sd is not None:
            nifti.write_deviation(folder / "maps" / f"{layout.stem(made.name)}_sd.nii.gz", made)
    if result.lesions is not None:
        for name, mask in (("core", result.lesions.core), ("hypoperfused", result.lesions.hypoperfused)):
            nifti.write_mask(folder / "lesions" / f"{name}.nii.gz", mask, result.grid, name)
    for key, curve in layout.curves(result).items():
        tables.write_curve(folder / "vessels" / f"{key}.csv", curve)
        if curve.voxels.size:
            chosen = np.zeros(result.grid.shape, dtype=np.bool_)
            chosen[tuple(curve.voxels.T)] = True
            nifti.write_mask(folder / "vessels" / f"{key}.nii.gz", chosen, result.grid, curve.name)
