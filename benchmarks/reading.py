"""Reading a CT perfusion study of 256 x 256 x 16 voxels and 60 frames, against reading the same bytes.

The floor reads the same files in the same run, headers included, and decompresses them where they are
compressed, but looks at nothing. All come from the cache of the system: disks differ more than programs.
"""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from benchmarks.clock import best
from bolus import load, phantom


def run() -> list[dict[str, object]]:
    """Return a row a form of the study."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        phantom.write_study(phantom.ct(phantom.CtOptions(dt=1.0, n_frames=60)), study)
        archive = Path(folder) / "study.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in _files(study / "dicom"):
                file.write(path, path.name)
        places = {
            "DICOM, a file a slice and time": study / "dicom",
            "the same, zipped": archive,
            "NIfTI, gzipped": study / "nifti" / "series.nii.gz",
        }
        return [_measure(name, place) for name, place in places.items()]


def read_all(place: Path) -> int:
    """Read all bytes of a folder, an archive or a gzipped file, decompressed; return how many."""
    if place.is_dir():
        return sum(len(path.read_bytes()) for path in _files(place))
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as file:
            return sum(len(file.read(name)) for name in file.namelist())
    with gzip.open(place) as stream:
        return len(stream.read())


def _measure(name: str, place: Path) -> dict[str, object]:
    n_bytes = read_all(place)
    load(place)  # warms up
    floor, taken = best(partial(read_all, place), 5), best(partial(load, place))
    return {
        "study": name,
        "files": len(_files(place)) if place.is_dir() else 1,
        "MiB": n_bytes / 2**20,
        "seconds": taken.wall,
        "processor seconds": taken.processor,
        "MiB/s": n_bytes / 2**20 / taken.wall,
        "floor [s]": floor.wall,
        "seconds/floor": taken.wall / floor.wall,
        "processor/floor": taken.processor / floor.processor,
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())
