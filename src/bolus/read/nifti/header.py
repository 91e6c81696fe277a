"""What the header of a NIfTI file claims, and whether it can be true."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import IO, Any, Final

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from bolus.core.arrays import Float64s
from bolus.core.errors import UnreadableFile
from bolus.core.finding import Finding
from bolus.read.memory import require_memory
from bolus.read.nifti.affine import find_affine

_HEADER_BYTES: Final = {348: 352, 540: 544}  # size of the header, and where voxels start at the earliest
_DEFLATE_LIMIT: Final = 1032  # no deflate stream expands more than this
_AGAIN: Final = "Export or convert the study again."
_TIME_UNITS: Final = {0: "", 8: "s", 16: "ms", 24: "us"}


@dataclass(frozen=True, slots=True, eq=False)
class StoredImage:
    """What the header of a NIfTI file says, checked against the file.

    Parameters
    ----------
    path
        The file.
    shape
        Stored sizes, ones at the end removed down to three axes.
    dtype
        Stored type with its byte order.
    offset
        Where the voxels start in the (unpacked) file [bytes].
    slope, intercept
        Stored number to value.
    affine
        Stored voxel index to patient coordinates (RAS) [mm], shape `(4, 4)`.
    step, step_unit
        `pixdim[4]` and its unit: `s`, `ms`, `us`, or empty where the header does not say; None where
        the fourth axis is not time.
    is_bare
        Whether every spacing is 1 and no unit is given: nobody filled the header in.
    findings
        What the geometry made worth telling.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: Float64s
    step: float
    step_unit: str | None
    is_bare: bool
    findings: tuple[Finding, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Bytes from the start of the file to the end of the voxels."""
        return self.offset + prod(self.shape) * self.dtype.itemsize

    def scale_of(self, read: NDArray[Any]) -> tuple[float, float]:
        """Return slope and intercept of an array that `read_values` gave: reals are scaled already."""
        return (self.slope, self.intercept) if read.dtype.kind in "iu" else (1.0, 0.0)


def is_nifti(path: Path) -> bool:
    """Tell whether a file claims to be NIfTI: `.nii`, `.nii.gz`, or half of an `.hdr`/`.img` pair."""
    return path.name.lower().endswith((".nii", ".nii.gz")) or is_pair(path)


def is_pair(path: Path) -> bool:
    """Tell whether a file is half of an `.hdr`/`.img` pair, by name and by content of the header."""
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith((".hdr", ".img")):
        return False
    header = path if name.endswith(".hdr") else path.with_name(path.name[:-4] + ".hdr")
    try:
        with header.open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return any(int.from_bytes(start, order) in _HEADER_BYTES for order in ("little", "big"))


def read_header(path: Path) -> StoredImage:
    """Read and check the header of a single-file NIfTI-1 or NIfTI-2 image, packed or not.

    Raises
    ------
    UnreadableFile
        If the file is no such image, is truncated, or claims what it cannot hold.
    BadGeometry
        If it gives no usable affine.
    """
    if is_pair(path):
        raise UnreadableFile(
            "a header and its image in two files are not read",
            wanted="one .nii or .nii.gz file",
            where=path,
            remedy="Convert the pair, for example with nibabel or fslchfiletype NIFTI_GZ.",
        )
    header = _parsed(path)
    shape, dtype = _shape(header, path), _dtype(header, path)
    slope, intercept = _scaling(header, path)
    affine, findings = find_affine(header, shape, path)
    image = StoredImage(
        path=path,
        shape=shape,
        dtype=dtype,
        offset=_offset(header, path),
        slope=slope,
        intercept=intercept,
        affine=affine,
        step=float(header["pixdim"][4]),
        step_unit=_TIME_UNITS.get(int(header["xyzt_units"]) & 0x38),
        is_bare=bool(np.all(header["pixdim"][1:5] == 1.0)) and int(header["xyzt_units"]) == 0,
        findings=findings,
    )
    _check_claim(image)
    return image


def _parsed(path: Path) -> Any:
    with unpacked(path) as stream:
        block = stream.read(540)
    size = int.from_bytes(block[:4], "little")
    endianness = "<"
    if size not in _HEADER_BYTES:
        size, endianness = int.from_bytes(block[:4], "big"), ">"
    magic = block[344:347] if size == 348 else block[4:7]
    if size not in _HEADER_BYTES or len(block) < size or magic not in {b"n+1", b"n+2"}:
        raise UnreadableFile(
            "this is not a NIfTI file",
            wanted="a NIfTI-1 or NIfTI-2 header",
            found="a truncated file" if len(block) < size in _HEADER_BYTES else "other content",
            where=path,
            remedy=_AGAIN,
        )
    kind = nib.nifti1.Nifti1Header if size == 348 else nib.nifti2.Nifti2Header
    return kind(block[:size], endianness=endianness, check=False)


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, through gzip where its content is gzip, and name what goes wrong.

    Raises
    ------
    UnreadableFile
        If the file is missing, not permitted, truncated or damaged.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=plain) as stream:
                    yield stream  # type: ignore[misc]
            else:
                yield plain
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise UnreadableFile(
            "the compressed file is truncated, damaged or followed by something else",
            found=str(problem)[:200],
            where=path,
            remedy="Copy it again; `gzip -t FILE` tests it.",
        ) from problem
    except OSError as problem:
        raise UnreadableFile(
            "the file cannot be read",
            found=problem.strerror or str(problem),
            where=path,
            remedy="Check the path and its permissions.",
        ) from problem


def _shape(header: Any, path: Path) -> tuple[int, ...]:
    n_axes = int(header["dim"][0])
    sizes = [int(size) for size in header["dim"][1 : 1 + max(n_axes, 0)]]
    if not 1 <= n_axes <= 7 or min(sizes) < 1:
        raise UnreadableFile(
            "the header gives impossible sizes",
            wanted="1 to 7 axes, each at least 1",
            found=f"dim = {[int(d) for d in header['dim']]}",
            where=path,
            remedy=_AGAIN,
        )
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)


def _dtype(header: Any, path: Path) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError, TypeError):
        dtype = np.dtype("V1")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableFile(
            "the voxels are not plain numbers",
            wanted="integers or real numbers of 8 to 64 bit",
            found=f"datatype {int(header['datatype'])}",
            where=path,
            remedy="Convert magnitude images, not colour, complex or binary ones.",
        )
    return dtype


def _offset(header: Any, path: Path) -> int:
    earliest = _HEADER_BYTES[int(header["sizeof_hdr"])]
    offset = float(header["vox_offset"])
    if offset == 0:
        return earliest
    if not isfinite(offset) or offset < earliest:
        raise UnreadableFile(
            "the header says that voxels start inside it",
            wanted=f"vox_offset of at least {earliest}",
            found=f"{offset:g}",
            where=path,
            remedy=_AGAIN,
        )
    return int(offset)


def _scaling(header: Any, path: Path) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):  # the standard's ways of saying that there is no scaling
        return 1.0, 0.0
    if not (isfinite(slope) and isfinite(intercept)):
        raise UnreadableFile(
            "the scaling of the voxels is not a number",
            found=f"scl_slope {slope:g}, scl_inter {intercept:g}",
            where=path,
            remedy=_AGAIN,
        )
    return slope, intercept


def _check_claim(image: StoredImage) -> None:
    """Refuse before anything is allocated what the file cannot hold or the machine cannot load."""
    file_bytes = image.path.stat().st_size
    with image.path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if image.n_bytes > (file_bytes * _DEFLATE_LIMIT if packed else file_bytes):
        raise UnreadableFile(
            "the file is shorter than its header says",
            wanted=f"{image.n_bytes} bytes for {' x '.join(map(str, image.shape))} voxels of {image.dtype}",
            found=f"{file_bytes} bytes" + (" compressed" if packed else ""),
            where=image.path,
            remedy="It is truncated or its header is damaged: copy or convert it again.",
        )
    require_memory(image.n_bytes, image.path)
