"""Reads a laid-out DICOM series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bolus.core.arrays import Float64s
from bolus.core.errors import UnreadableFile
from bolus.core.finding import Finding, Severity
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.core.xray import XRay
from bolus.read.dicom.clock import settle
from bolus.read.dicom.holes import fill, plan_repair
from bolus.read.dicom.layout import Layout
from bolus.read.dicom.pixels import Decoded, decode
from bolus.read.options import ReadOptions

_FEW = 0.05  # share of images that may be undecodable, and one always


def read_series(layout: Layout, options: ReadOptions, where: Path | str) -> Series:
    """Decode the pixels of a layout and make a series of them.

    Raises
    ------
    UnreadableFile
        If more than 5 % of the images cannot be decoded, or the machine cannot hold them.
    BadGeometry
        If too many slices are missing, counting those that cannot be decoded.
    """
    decoded = decode(layout, where)
    if decoded.failed.any():
        layout, decoded = _without_failed(layout, decoded, where)
    slope, intercept = _scales(layout)
    if len(layout.fills):
        fill(decoded.frames, layout.fills, layout.times, slope, intercept)
    modality = layout.kind.modality
    return Series(
        frames=decoded.frames,
        times=settle(layout.times),
        grid=layout.grid,
        modality=modality,
        unit=Unit.HU if modality is Modality.CT else Unit.SIGNAL,
        slope=_one_or_all(slope),
        intercept=_one_or_all(intercept),
        acquisition=_acquisition(layout, options),
        steps=(f"read {layout.table.shape[1]} frames of {len(layout.slices)} slices from DICOM",),
        findings=(*layout.findings, *_padding(decoded)),
    )


def _without_failed(layout: Layout, decoded: Decoded, where: Path | str) -> tuple[Layout, Decoded]:
    """Treat images that could not be decoded as missing."""
    n_failed, n_images = int(decoded.failed.sum()), int((layout.table >= 0).sum())
    if n_failed > max(1, _FEW * n_images):
        raise UnreadableFile(
            "the pixels of the series cannot be decoded",
            wanted=f"at most {_FEW:.0%} of the images damaged",
            found=f"{n_failed} of {n_images}; {decoded.reason}",
            where=where,
            remedy="Send the series again, uncompressed or losslessly compressed.",
        )
    table = layout.table.copy()
    table[decoded.failed] = -1
    repair = plan_repair(table < 0, where)
    text = f"{n_failed} images could not be decoded and were treated as missing."
    notes = (Finding("DAMAGED_IMAGES", Severity.WARN, text, n_failed), *repair.findings)
    layout = replace(layout, table=table).keep(repair.kept, repair.fills, notes)
    layout.unused["undecodable"] += n_failed
    if len(repair.kept) < table.shape[1]:
        decoded = replace(decoded, frames=np.ascontiguousarray(decoded.frames[..., repair.kept]))
    return layout, decoded


def _scales(layout: Layout) -> tuple[Float64s, Float64s]:
    """Return slope and intercept of every image, those of missing ones from the frame before: `(z, t)`."""
    slope, intercept = np.ones(layout.table.shape), np.zeros(layout.table.shape)
    for k, t in np.ndindex(*layout.table.shape):
        image = layout.image(k, t) or layout.image(k, t - 1)
        if image is not None:
            slope[k, t], intercept[k, t] = image.slope, image.intercept
    return slope, intercept


def _one_or_all(factors: Float64s) -> float | np.ndarray:
    if np.ptp(factors) == 0:
        return float(factors[0, 0])
    return factors.astype(np.float32)


def _padding(decoded: Decoded) -> tuple[Finding, ...]:
    if not decoded.padded:
        return ()
    share = decoded.padded / decoded.frames.size
    text = f"{share:.1%} of the pixels are padding or below -1024 HU and were set to air."
    return (Finding("PADDING", Severity.INFO, text, share),)


def _acquisition(layout: Layout, options: ReadOptions) -> Acquisition:
    kind, label = layout.kind, layout.label
    used = {layout.slices[k][layout.table[k, t]].source.path for k, t in np.argwhere(layout.table >= 0)}
    return Acquisition(
        description=label.description,
        source="dicom",
        manufacturer=label.manufacturer,
        model=label.model,
        te_ms=kind.te_ms or options.te_ms,
        tr_ms=label.tr_ms,
        kvp=kind.kvp,
        thickness_mm=kind.thickness_mm,
        study_uid=kind.study_uid,
        series_uid=kind.series_uid,
        frame_uid=label.frame_uid,
        clock=layout.clock,
        n_files=len(used),
        xray=None if label.xray is None else _of_kept(label.xray, layout),
    )


def _of_kept(xray: XRay, layout: Layout) -> XRay:
    """Return what the file says of its frames in the numbers of those that were kept."""
    images = [layout.image(0, t) for t in range(layout.table.shape[1])]
    kept = [image.frame for image in images if image is not None and image.source.frames > 1]
    return xray.of_frames(kept) if len(kept) == len(images) else xray
