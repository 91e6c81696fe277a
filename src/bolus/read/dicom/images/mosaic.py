"""Images of Siemens mosaics: all slices of one time tiled into one frame.

The vendor's private headers say how many tiles there are and which way the slices run; positions are
checked against the slice positions of the protocol where the file carries it.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bolus.core.arrays import Float64s
from bolus.read.dicom.images.classic import make_image
from bolus.read.dicom.images.records import Image, NotUsable, Source
from bolus.read.dicom.images.stamps import binary, number

_SLICE = re.compile(r"sSliceArray\.asSlice\[(\d+)\]\.sPosition\.d(Sag|Cor|Tra)\s*=\s*([-+.\deE]+)")
_COUNT = re.compile(r"sSliceArray\.lSize\s*=\s*(\d+)")
_AXES = {"Sag": 0, "Cor": 1, "Tra": 2}


def is_mosaic(values: Mapping[str, Any]) -> bool:
    """Tell whether a file is a Siemens mosaic."""
    words = values.get("ImageType") or ()
    return "SIEMENS" in str(values.get("Manufacturer") or "").upper() and "MOSAIC" in [str(w) for w in words]


def mosaic_images(values: Mapping[str, Any], source: Source) -> tuple[Image, ...]:
    """Return every tile of a mosaic as an image.

    Notes
    -----
    ImagePositionPatient of a mosaic is that of a single image as large as the whole mosaic around the
    same centre, so it is moved by half of the difference in size.

    Raises
    ------
    NotUsable
        If nothing says how many slices there are.
    """
    csa, protocol = _csa(values.get("ImageCSA")), _protocol(values)
    count = _count(values, csa, protocol)
    across = math.ceil(math.sqrt(count))
    rows, columns = source.rows // across, source.columns // across
    whole = make_image(values, source)
    tile = (rows, columns)
    corner, step = _place(values, whole, tile, csa)
    ends = _ends(protocol)
    if ends is not None and _is_at(corner - (count - 1) * step, whole, tile, ends):
        step = -step
    delays = _delays(values, csa, count)
    kind = replace(whole.kind, rows=rows, columns=columns)
    return tuple(
        replace(
            whole,
            kind=kind,
            tile=(index // across * rows, index % across * columns),
            position=tuple(float(v) for v in corner + index * step),
            clocks={name: value + delays[index] for name, value in whole.clocks.items()},
        )
        for index in range(count)
    )


def _csa(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, bytes):
        return {}
    with warnings.catch_warnings():  # the package calls itself experimental whenever it is imported
        warnings.simplefilter("ignore")
        from nibabel.nicom import csareader  # noqa: PLC0415
    try:
        tags: dict[str, Any] = csareader.read(raw)["tags"]
    except (csareader.CSAReadError, ValueError, KeyError, IndexError, TypeError, UnicodeError):
        return {}
    return {name: tag["items"] for name, tag in tags.items() if tag.get("items")}


def _protocol(values: Mapping[str, Any]) -> str:
    series = _csa(values.get("SeriesCSA"))
    items = series.get("MrPhoenixProtocol") or series.get("MrProtocol") or [""]
    return str(items[0])


def _count(values: Mapping[str, Any], csa: Mapping[str, Any], protocol: str) -> int:
    stated = _COUNT.search(protocol)
    found = (
        number(binary(values.get("NumberOfImagesInMosaic"), "<H"))
        or number(csa.get("NumberOfImagesInMosaic"))
        or (float(stated.group(1)) if stated else None)
    )
    if not found or not 1 <= found <= 1024:
        raise NotUsable("a mosaic that does not say how many slices it holds")
    return int(found)


def _place(
    values: Mapping[str, Any], whole: Image, tile: tuple[int, int], csa: Mapping[str, Any]
) -> tuple[Float64s, Float64s]:
    """Return the first voxel of the first tile and the step from slice to slice (LPS) [mm]."""
    row, column = np.array(whole.kind.plane[:3]), np.array(whole.kind.plane[3:6])
    row_mm, column_mm = whole.kind.plane[6:]
    corner = np.array(whole.position)
    corner = corner + row * column_mm * (whole.kind.columns - tile[1]) / 2
    corner = corner + column * row_mm * (whole.kind.rows - tile[0]) / 2
    normal = np.cross(row, column)
    stated = csa.get("SliceNormalVector") or ()
    if len(stated) == 3 and float(np.dot(np.array(stated, dtype=float), normal)) < 0:
        normal = -normal
    gap = number(values.get("SpacingBetweenSlices")) or number(values.get("SliceThickness"))
    if not gap:
        raise NotUsable("a mosaic without SpacingBetweenSlices")
    return corner, normal * gap


def _ends(protocol: str) -> tuple[Float64s, Float64s] | None:
    """Return the centres of the protocol's first and last slice (LPS) [mm]."""
    centres: dict[int, list[float]] = {}
    for index, axis, text in _SLICE.findall(protocol):
        centres.setdefault(int(index), [0.0, 0.0, 0.0])[_AXES[axis]] = float(text)
    if len(centres) < 2:
        return None
    return np.array(centres[min(centres)]), np.array(centres[max(centres)])


def _is_at(corner: Float64s, whole: Image, tile: tuple[int, int], ends: tuple[Float64s, Float64s]) -> bool:
    """Tell whether a tile with this first voxel is at one of the ends of the protocol's stack."""
    plane = np.array(whole.kind.plane)
    middle = corner + plane[:3] * plane[7] * tile[1] / 2 + plane[3:6] * plane[6] * tile[0] / 2
    return any(np.linalg.norm(middle - end) <= max(plane[6:]) for end in ends)


def _delays(values: Mapping[str, Any], csa: Mapping[str, Any], count: int) -> Float64s:
    """Return when each slice was taken after the start of its volume [s], shape `(count,)`."""
    stated = values.get("MosaicRefAcqTimes")
    if isinstance(stated, bytes):
        stated = np.frombuffer(stated, dtype="<f8") if len(stated) % 8 == 0 else None
    if stated is None:
        stated = csa.get("MosaicRefAcqTimes")
    if stated is None or not hasattr(stated, "__len__") or len(stated) != count:
        return np.zeros(count)
    delays = np.asarray(stated, dtype=np.float64) / 1000.0
    usable = np.isfinite(delays).all() and delays.min() >= 0 and np.ptp(delays) < 60
    return delays if usable else np.zeros(count)
