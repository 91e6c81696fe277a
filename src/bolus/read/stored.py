"""NIfTI files as they are stored: what the header claims, whether it can be true, and the voxels."""

from __future__ import annotations

import gzip
import os
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

from bolus.core.arrays import Float64s, Frames
from bolus.core.errors import BadGeometry, BadInput, UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid, turn_canonical

_HEADER_BYTES: Final = {348: 352, 540: 544}  # size of the header, and where voxels start at the earliest
_DEFLATE_LIMIT: Final = 1032  # no deflate stream expands more than this
_MAX_BYTES: Final = 32 * 2**30
_BATCH_BYTES: Final = 64 * 2**20
_AGAIN: Final = "Export or convert the study again."
_SPATIAL_MM: Final = {1: 1000.0, 3: 0.001}
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
    affine, findings = _affine(header, shape, path)
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


def _affine(header: Any, shape: tuple[int, ...], path: Path) -> tuple[Float64s, tuple[Finding, ...]]:
    """Choose the affine: sform, else qform, else spacing alone, and say what is doubtful about it."""
    sform, qform = _form(header, "sform"), _form(header, "qform")
    chosen = sform if sform is not None else qform
    findings: tuple[Finding, ...] = ()
    if chosen is None:
        chosen = np.asarray(header.get_base_affine(), dtype=np.float64)
        text = "The NIfTI header gives no orientation: left and right cannot be trusted."
        findings = (Finding("ORIENTATION_UNKNOWN", Severity.WARN, text),)
    elif sform is not None and qform is not None and np.isfinite(sform).all():
        findings = _disagreement(sform, qform, shape)
    if not np.isfinite(chosen).all():
        raise BadGeometry(
            "the orientation in the NIfTI header is not a number",
            found="NaN or Inf",
            where=path,
            remedy=_AGAIN,
        )
    chosen = chosen.copy()
    chosen[:3] *= _SPATIAL_MM.get(int(header["xyzt_units"]) & 0x07, 1.0)
    return chosen, findings


def _form(header: Any, which: str) -> Float64s | None:
    """Return the sform or the qform, None where its code is 0; NaN where it cannot be worked out."""
    if int(header[f"{which}_code"]) <= 0:
        return None
    try:
        return np.array(getattr(header, f"get_{which}")(), dtype=np.float64)
    except (ValueError, HeaderDataError):  # a quaternion longer than 1, a spacing of 0
        return np.full((4, 4), np.nan)


def _disagreement(sform: Float64s, qform: Float64s, shape: tuple[int, ...]) -> tuple[Finding, ...]:
    """Tell how far apart the two affines put the corners of the volume, above a tenth of a voxel."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
    corners[:, :3] *= np.array((*shape, 1, 1)[:3]) - 1
    with np.errstate(invalid="ignore"):
        apart = np.linalg.norm(corners @ (sform - qform).T, axis=1).max()
    smallest = np.linalg.norm(sform[:3, :3], axis=0).min()
    if apart <= 0.1 * smallest:
        return ()
    text = f"sform and qform place the volume {apart:.1f} mm apart; the sform was used."
    return (Finding("FORMS_DISAGREE", Severity.WARN, text, float(apart) if isfinite(apart) else None),)


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
    limit = min(_MAX_BYTES, _memory_bytes())
    if image.n_bytes > limit:
        raise UnreadableFile(
            "the image is too large for this machine",
            wanted=f"at most {limit / 2**30:.0f} GiB",
            found=f"{image.n_bytes / 2**30:.0f} GiB",
            where=image.path,
            remedy="Crop it, or use a machine with more memory.",
        )


def _memory_bytes() -> int:
    """Return the machine's memory [bytes], a great deal where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return _MAX_BYTES


def read_values(image: StoredImage, grid: Grid) -> tuple[Frames, tuple[Finding, ...]]:
    """Read the voxels, a few frames at a time, straight into the order of a grid.

    Parameters
    ----------
    image
        From `read_header`, with three or four axes.
    grid
        From `canonical` of the image's shape and affine.

    Returns
    -------
    Shape `(x, y, z, t)`, C order: stored integers of up to 32 bit as they are, all else as scaled
    float32 values; and what was noticed.

    Raises
    ------
    UnreadableFile
        If the file ends early or is damaged.
    """
    n_frames = image.shape[3] if len(image.shape) == 4 else 1
    keeps = image.dtype.kind in "iu" and image.dtype.itemsize <= 4
    kept = image.dtype.newbyteorder("=") if keeps else np.dtype(np.float32)
    frames = np.empty((*grid.shape, n_frames), dtype=kept)
    frame_bytes = prod(image.shape[:3]) * image.dtype.itemsize
    batch = max(1, _BATCH_BYTES // frame_bytes)
    with unpacked(image.path) as stream:
        stream.seek(image.offset)
        for first in range(0, n_frames, batch):
            count = min(batch, n_frames - first)
            block = _block(stream, image, count)
            frames[..., first : first + count] = turn_canonical(
                block if keeps else _scaled(block, image), grid
            )
        extra = len(stream.read(_BATCH_BYTES))  # reading to the end makes gzip test its checksum
    if not extra:
        return frames, ()
    text = f"The file goes on for {extra} bytes after its voxels; they were ignored."
    return frames, (Finding("TRAILING_BYTES", Severity.INFO, text, float(extra)),)


def _block(stream: IO[bytes], image: StoredImage, count: int) -> NDArray[Any]:
    wanted = prod(image.shape[:3]) * count * image.dtype.itemsize
    data = stream.read(wanted)
    if len(data) < wanted:
        raise UnreadableFile(
            "the file ends before its last voxel",
            wanted=f"{image.n_bytes} bytes",
            where=image.path,
            remedy="It is truncated: copy or convert it again.",
        )
    return np.frombuffer(data, dtype=image.dtype).reshape((*image.shape[:3], count), order="F")


def _scaled(block: NDArray[Any], image: StoredImage) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # what does not fit becomes Inf and is counted later
        if (image.slope, image.intercept) == (1.0, 0.0):
            return block.astype(np.float32)
        return (block.astype(np.float64) * image.slope + image.intercept).astype(np.float32)


def require_axes(image: StoredImage, n_axes: int, what: str, remedy: str) -> None:
    """Raise `BadInput` unless an image has so many axes."""
    if len(image.shape) != n_axes:
        raise BadInput(
            what,
            wanted="sizes along " + ", ".join("xyzt"[:n_axes]),
            found=" x ".join(map(str, image.shape)),
            where=image.path,
            remedy=remedy,
        )
