"""Cases on disk: one file a case, one table of them, and a set that reads them as they are asked for."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s
from bolus.core.errors import BadInput, UnreadableFile
from bolus.learn import files

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""What a network is shown and judged by: `image`, `target` and what else a task needs."""

MANIFEST: Final = "manifest.csv"
SOURCE: Final = "source.json"
_COLUMNS: Final = ("file", "patient", "view", "site", "digest")
_META: Final = "meta_json"
_EFFORT: Final = 1
"""Of the compression: frames are noise for the most part, and more effort gains little room for much time."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One example: what a network is shown, and what it should answer.

    Parameters
    ----------
    image
        Shape `(channels, y, x)`, or whatever the task says; float32.
    target
        Truth: a mask or maps, shape `(channels, y, x)`, or a label, shape `(1,)`.
    patient
        Who it is: splits keep patients together.
    view, site
        `AP` or `LAT`, and where it comes from; empty: not said.
    extra
        Further arrays by name, such as an arterial curve.
    meta
        What else is known, as JSON can hold it: seed, setting, file names.
    """

    image: Float32s
    target: NDArray[Any]
    patient: str
    view: str = ""
    site: str = ""
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.patient:
            raise BadInput("a case has no patient", remedy="Give every case the name of its patient.")
        if not np.isfinite(self.image).all():
            raise BadInput("the image of a case holds values that are no numbers", where=self.patient)

    @property
    def digest(self) -> str:
        """Tell equal images by sixteen hexadecimal digits."""
        return hashlib.sha256(np.ascontiguousarray(self.image).tobytes()).hexdigest()[:16]


def write_case(case: Case, path: Path) -> None:
    """Write a case as one NumPy archive, compressed where that pays, whole or not at all."""
    about = {
        "patient": case.patient,
        "view": case.view,
        "site": case.site,
        "meta": dict(case.meta),
        "kind": case.image.dtype.name,
    }
    arrays: dict[str, Any] = {"image": case.image, "target": case.target, **case.extra}
    arrays["image"] = _compact(case.image)
    # numbers in half precision are noise to their last bit, which no compression makes smaller
    kind = zipfile.ZIP_STORED if case.image.dtype == np.float16 else zipfile.ZIP_DEFLATED
    with files.whole(path) as made, zipfile.ZipFile(made, "w", kind, compresslevel=_EFFORT) as archive:
        for name, array in (arrays | {_META: np.array(json.dumps(about))}).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def _compact(image: Float32s) -> NDArray[Any]:
    """Return an image of whole numbers as small integers: less room, the same numbers when read."""
    if image.dtype != np.float32 or not image.size:
        return image
    least, most = image.min(), image.max()
    for kind in (np.uint8, np.int16):
        limit = np.iinfo(kind)
        if limit.min <= least and most <= limit.max:
            integers = image.astype(kind)
            return integers if np.array_equal(integers, image) else image
    return image


def read_case(path: Path) -> Case:
    """Read a case that `write_case` wrote.

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated or something else.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream):
            stream.seek(0)
            archive = np.load(stream, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop(_META)))
        image, target = arrays.pop("image"), arrays.pop("target")
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UnreadableFile("not a case", where=path, found=files.reason(error)) from error
    image = image.astype(about.get("kind", image.dtype), copy=False)
    return Case(image, target, about["patient"], about["view"], about["site"], arrays, about["meta"])


def read_meta(path: Path) -> Mapping[str, Any]:
    """Read what else is known of a case, and none of its arrays.

    Raises
    ------
    UnreadableFile
        If the file is missing, truncated or something else.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            about = json.loads(str(archive[_META]))
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UnreadableFile("not a case", where=path, found=files.reason(error)) from error
    meta: Mapping[str, Any] = about["meta"]
    return meta


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table of cases: the file, whose it is, and the digest of its image."""

    file: str
    patient: str
    view: str = ""
    site: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A folder of cases and what is in it.

    Parameters
    ----------
    folder
        Where the files of the entries are.
    entries
        One a case.
    source
        Where the cases come from: generator, version, seeds, or files.
    """

    folder: Path
    entries: tuple[Entry, ...]
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def patients(self) -> tuple[str, ...]:
        """Patients, sorted, each once."""
        return tuple(sorted({e.patient for e in self.entries}))

    @property
    def digest(self) -> str:
        """Tell equal tables of equal images by sixteen hexadecimal digits."""
        lines = "\n".join(sorted(f"{e.file} {e.digest}" for e in self.entries))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    def of(self, patients: Sequence[str]) -> Manifest:
        """Return the entries of some patients."""
        wanted = set(patients)
        return Manifest(self.folder, tuple(e for e in self.entries if e.patient in wanted), self.source)

    def require_task(self, name: str) -> None:
        """Make sure that the cases are for a task, where their source says for which they are.

        Raises
        ------
        BadInput
            If they are for another.
        """
        found = str(self.source.get("task", name))
        if found != name:
            raise BadInput("the cases are for another task", wanted=name, found=found, where=self.folder)


def write_manifest(manifest: Manifest) -> None:
    """Write the table of cases and where they come from into their folder."""
    with files.whole(manifest.folder / MANIFEST) as made, made.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows([getattr(e, name) for name in _COLUMNS] for e in manifest.entries)
    files.write_json(manifest.folder / SOURCE, dict(manifest.source))


def read_manifest(folder: Path) -> Manifest:
    """Read the table of cases of a folder.

    Raises
    ------
    UnreadableFile
        If there is none, or it is not such a table.
    BadInput
        If it lists no case.
    """
    path = folder / MANIFEST
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        entries = tuple(Entry(**{name: row.get(name) or "" for name in _COLUMNS}) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        remedy = "Make the cases with `bolus learn data`."
        raise UnreadableFile(
            "no table of cases", where=path, found=files.reason(error), remedy=remedy
        ) from error
    if not entries or any(not (e.file and e.patient) for e in entries):
        raise BadInput("the table of cases is empty or lacks names", wanted="file, patient", where=path)
    source = files.read_json(folder / SOURCE, "where cases come from") if (folder / SOURCE).is_file() else {}
    return Manifest(folder, entries, source)


Fit: TypeAlias = Callable[[Case], Arrays]
"""Turns a case into arrays of one size, so that cases stack to batches."""


class Memory:
    """Arrays by name, the last ones that were asked for.

    Parameters
    ----------
    room_mb
        For all of them [MB].
    """

    def __init__(self, room_mb: float) -> None:
        self._room = self._free = int(room_mb * 1e6)
        self._kept: OrderedDict[str, Arrays] = OrderedDict()

    def recall(self, name: str) -> Arrays | None:
        """Return arrays if they are still there."""
        if name in self._kept:
            self._kept.move_to_end(name)
        return self._kept.get(name)

    def keep(self, name: str, arrays: Arrays) -> None:
        """Keep arrays, and forget those longest not asked for where there is no room."""
        size = size_of(arrays)
        if size > self._room:
            return
        self._kept[name] = arrays
        self._free -= size
        while self._free < 0:
            self._free += size_of(self._kept.popitem(last=False)[1])


class CaseSet(Sequence[Arrays]):
    """Cases as arrays that stack, read when they are asked for, the last ones kept in memory.

    Parameters
    ----------
    manifest
        Which cases.
    fit
        What makes arrays of one size of a case.
    cache_mb
        Room for arrays in memory [MB], where no memory is given.
    memory, kind
        What others keep arrays in as well, and what tells those of this `fit` from theirs.
    """

    def __init__(
        self,
        manifest: Manifest,
        fit: Fit,
        *,
        cache_mb: float = 1000.0,
        memory: Memory | None = None,
        kind: str = "",
    ) -> None:
        self.manifest = manifest
        self.fit = fit
        self._memory, self._kind = memory or Memory(cache_mb), kind

    def __len__(self) -> int:
        return len(self.manifest.entries)

    def __getitem__(self, index: Any) -> Any:
        key = f"{self._kind} {self.manifest.folder / self.manifest.entries[index].file}"
        known = self._memory.recall(key)
        if known is not None:
            return known
        arrays = self.fit(self.case(index))
        self._memory.keep(key, arrays)
        return arrays

    def case(self, index: int) -> Case:
        """Read one case as it is on disk."""
        return read_case(self.manifest.folder / self.manifest.entries[index].file)


def size_of(arrays: Arrays) -> int:
    """Return the room that arrays take in memory [bytes]."""
    return sum(a.nbytes for a in arrays.values())
