"""What is true of one view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Mask
from bolus.core.maps import Map
from bolus.core.series import Series
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.phantom.angiogram.curves import Kind
from bolus.phantom.angiogram.detector import Encoding, to_linear
from bolus.phantom.angiogram.film import Camera, Shown, pieces, shown, tissue_arrival
from bolus.phantom.angiogram.flow import Strand
from bolus.phantom.angiogram.kernels import mark
from bolus.phantom.angiogram.motion import Hold, table
from bolus.phantom.angiogram.patient import ICA, ICA_TOP, Patient
from bolus.phantom.angiogram.study import ViewTruth

SEEN_NAT: Final = 0.05
"""Line integral from which a vessel counts as seen: about twice the noise [nat]."""
ICA_NAT: Final = 0.04
"""The same for the internal carotid, which an annotator follows through pale parts [nat]."""
TISSUE_NAT: Final = 0.01
"""The same for tissue [nat]."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What the truth is made from."""

    patient: Patient
    camera: Camera
    spells: tuple[Hold, ...]
    open_: Mask
    encoding: Encoding


def known(seen: Known, density: Float32s, series: Series) -> ViewTruth:
    """Return the truth of one view.

    Parameters
    ----------
    density
        Line integrals of contrast [nat], shape `(x, y, t)`.
    """
    masks, arteries, veins = _masks(seen)
    segments, names = _segments(seen, masks["vessels"])
    aif = _aif(density, masks["ica"], series)
    cbv = _volume_ratio(density, aif)
    patient, camera = seen.patient, seen.camera
    return ViewTruth(
        masks={name: mask[..., None] for name, mask in masks.items()},
        segments=segments[..., None],
        names=names,
        arrival=_arrival(seen, density, arteries, veins)[..., None],
        density=density[:, :, None, :],
        aif=aif,
        maps={"CBV": Map("CBV", cbv[..., None], Unit.RATIO, series.grid)},
        clot_px=clot_in(patient, camera, seen.spells[0], seen.open_),
        motion=table(seen.spells),
        noise=float(1.0 / np.sqrt(seen.encoding.photons)),
        mu=patient.mu,
        pixel_mm=camera.pixel_mm,
        photometric=seen.encoding.photometric,
        to_linear=to_linear(seen.encoding) if seen.encoding.table else np.empty(0, dtype=np.uint16),
    )


def is_ica(strand: Strand) -> bool:
    """Tell whether a strand is a part of the internal carotid that fills from below."""
    return strand.name in {ICA, ICA_TOP} and strand.kind is not Kind.COLLATERAL


def _masks(seen: Known) -> tuple[dict[str, Mask], Shown, Shown]:
    """Return masks `(x, y)`, and what arteries and veins cover, over all spells."""
    arteries = _over_spells(seen, lambda strand: strand.kind is not Kind.VEIN)
    veins = _over_spells(seen, lambda strand: strand.kind is Kind.VEIN)
    ica = _over_spells(seen, is_ica)
    top = _over_spells(seen, lambda strand: is_ica(strand) and strand.name == ICA_TOP)
    masks = {
        "ica": ica.inside & (ica.peak > ICA_NAT) & seen.open_,
        "arteries": (arteries.peak > SEEN_NAT) & seen.open_,
        "veins": (veins.peak > SEEN_NAT) & seen.open_,
        "field": seen.open_,
    }
    masks["ica_top"] = masks["ica"] & top.inside
    masks["vessels"] = masks["arteries"] | masks["veins"]
    return masks, arteries, veins


def _over_spells(seen: Known, pick: Callable[[Strand], bool]) -> Shown:
    """Return what vessels cover in any spell: a minimum over time shows every place that one was in."""
    vessels = [strand for strand in seen.patient.vessels if pick(strand)]
    parts = [shown(seen.patient, seen.camera, hold, vessels) for hold in seen.spells]
    return Shown(
        np.max([part.peak for part in parts], axis=0),
        np.any([part.inside for part in parts], axis=0),
        np.min([part.arrival_s for part in parts], axis=0),
    )


def _segments(seen: Known, visible: Mask) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Return the number of the vessel that each pixel shows in the first spell, and the names."""
    widest: dict[str, float] = {}
    for strand in seen.patient.vessels:
        widest[strand.name] = max(widest.get(strand.name, 0.0), float(strand.course[:, 3].max()))
    names = ("", *sorted(widest))
    segments = np.zeros(visible.shape, dtype=np.int16)
    for name in sorted(widest, key=lambda each: widest[each]):
        inside = np.zeros(visible.shape, dtype=np.bool_)
        drawn = [strand for strand in seen.patient.vessels if strand.name == name]
        values = pieces(seen.patient, seen.camera, drawn, seen.spells[0]).values
        mark(inside, np.empty(visible.shape, dtype=np.float32), values, seen.camera.pixel_mm)
        segments[inside & visible] = names.index(name)
    return segments, names


def _arrival(seen: Known, density: Float32s, arteries: Shown, veins: Shown) -> Float32s:
    """Return arrivals [s after the first frame], shape `(x, y)`."""
    there = density.max(axis=2) > TISSUE_NAT
    arrival = np.where(there, tissue_arrival(seen.patient, seen.camera, seen.spells[0]), np.nan)
    for vessels in (veins, arteries):
        arrival = np.where(vessels.inside & (vessels.peak > SEEN_NAT), vessels.arrival_s, arrival)
    arrival[~seen.open_] = np.nan
    return np.asarray(arrival + seen.patient.injection.start_s, dtype=np.float32)


def _aif(density: Float32s, ica: Mask, series: Series) -> VesselCurve:
    """Return the mean curve of the internal carotid; NaN where there is none."""
    where = np.argwhere(ica)
    values = density[ica].mean(axis=0, dtype=np.float64) if len(where) else np.full(series.n_frames, np.nan)
    voxels = np.column_stack([where, np.zeros(len(where), dtype=np.intp)])
    return VesselCurve("AIF", series.times, values, Unit.NAT, "simulated", voxels=voxels)


def _volume_ratio(density: Float32s, aif: VesselCurve) -> Float32s:
    """Return the area of each pixel's curve over that of the artery, shape `(x, y)`."""
    width = np.gradient(aif.times)
    width[[0, -1]] *= 0.5  # the trapezoidal rule
    area = density @ width.astype(np.float32)
    return np.where(density.max(axis=2) > TISSUE_NAT, area / np.float32(aif.values @ width), np.nan)


def clot_in(patient: Patient, camera: Camera, hold: Hold, open_: Mask) -> tuple[float, float] | None:
    """Return where the clot begins in a spell, x and y [pixels]; None outside of the open field `(x, y)`."""
    if patient.clot is None:
        return None
    x, y = camera.seen((patient.clot.place @ patient.head.T)[None], hold)[0]
    inside = 0 <= round(x) < camera.size and 0 <= round(y) < camera.size
    return (float(x), float(y)) if inside and open_[round(x), round(y)] else None
