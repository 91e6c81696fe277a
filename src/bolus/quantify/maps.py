"""Estimates and curves to maps with units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bolus.core.arrays import Float32s
from bolus.core.errors import NoBolus, ShapeMismatch
from bolus.core.maps import Estimate, Map
from bolus.core.series import Concentration
from bolus.core.units import ML_100G_MIN_PER_ML_G_S, TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.quantify.curves import CurveFeatures, measure, measure_artery, origin_of


@dataclass(frozen=True, slots=True)
class Scale:
    """Factors from what deconvolution gives to what a map shows.

    Parameters
    ----------
    flow
        From `k` [1/s] to `flow_unit`.
    volume
        From a ratio of areas to `volume_unit`.
    seconds
        What turns volume over flow into seconds.
    """

    flow: float
    volume: float
    seconds: float
    flow_unit: Unit
    volume_unit: Unit


TISSUE = Scale(ML_100G_MIN_PER_ML_G_S * TISSUE_SCALE, 100.0 * TISSUE_SCALE, 60.0, Unit.FLOW, Unit.VOLUME)
"""CT and MR: per 100 g of tissue. The one place where kappa_H / rho is applied."""
PROJECTION = Scale(1.0, 1.0, 1.0, Unit.PER_SECOND, Unit.RATIO)
"""X-ray angiography: relative to the artery, as contrast along a ray belongs to no mass of tissue."""


def make_maps(
    estimate: Estimate, concentration: Concentration, aif: VesselCurve, *, ttp_origin: str = "arrival"
) -> dict[str, Map]:
    """Make maps of flow, volume and times.

    Parameters
    ----------
    estimate
        From `bolus.deconvolve`, one value a row of the concentration.
    concentration
        Contrast that was deconvolved.
    aif
        Arterial curve that it was deconvolved with.
    ttp_origin
        Zero of TTP: `scan` (first frame), `arrival` or `peak` of the arterial curve.

    Returns
    -------
    `CBF` [mL/100 g/min; X-ray: 1/s], `CBV` [mL/100 g; X-ray: ratio to the artery], `MTT`, `Tmax`, `TTP`,
    `BAT` (after the first frame), `FM` (after the first moment of the artery), `delay` from methods that
    fit one [s], and what else a method finds. NaN outside the mask and where there is no value.

    Raises
    ------
    ShapeMismatch
        If the estimate, the concentration and the arterial curve do not belong together.
    NoBolus
        If the arterial curve has no area.
    BadRecipe
        If `ttp_origin` is unknown.

    Notes
    -----
    CBV is the ratio of the areas under the curves. Negative samples count: cutting them would turn noise
    into volume. Where noise wins, CBV is 0 or less, kept as it is, and MTT is NaN.
    A method that fits MTT gives CBV as well, from flow times MTT.

    References
    ----------
    Meier and Zierler, J Appl Physiol 6:731-744 (1954), doi:10.1152/jappl.1954.6.12.731

    Fieselmann et al., Int J Biomed Imaging 2011:467563, doi:10.1155/2011/467563
    """
    _check(estimate, concentration, aif)
    scale = _scale_of(concentration)
    artery, start = measure_artery(aif.values, concentration.times)
    if not artery.area[0] > 0:
        raise NoBolus("the arterial curve has no area", remedy="Choose another artery.")
    zero = origin_of(artery, ttp_origin)
    tissue = measure(concentration.curves, concentration.times, start)
    cbf = estimate.flow * np.float32(scale.flow)
    cbv, mtt = volume_and_transit(estimate, cbf, tissue, artery, scale)
    times = {
        "MTT": mtt,
        "Tmax": estimate.tmax,
        "TTP": tissue.peak - np.float32(zero),
        "BAT": tissue.arrival,
        "FM": tissue.moment - artery.moment[0],
    }
    if estimate.delay is not None:
        times["delay"] = estimate.delay
    values = {"CBF": cbf, "CBV": cbv, **times, **estimate.extra}
    units = {"CBF": scale.flow_unit, "CBV": scale.volume_unit, "PTmax6": Unit.RATIO}
    sd = _deviations(estimate, scale)
    return {
        name: Map(
            name,
            concentration.image(array),
            units.get(name, Unit.SECOND),
            concentration.grid,
            concentration.image(sd[name]) if name in sd else None,
        )
        for name, array in values.items()
    }


def flow_map(estimate: Estimate, concentration: Concentration) -> Map:
    """Make the map of flow alone, for a look at another method; see `make_maps`."""
    scale = _scale_of(concentration)
    flow = estimate.flow * np.float32(scale.flow)
    return Map("CBF", concentration.image(flow), scale.flow_unit, concentration.grid)


def _scale_of(concentration: Concentration) -> Scale:
    return PROJECTION if concentration.modality is Modality.XA else TISSUE


def volume_and_transit(
    estimate: Estimate, cbf: Float32s, tissue: CurveFeatures, artery: CurveFeatures, scale: Scale
) -> tuple[Float32s, Float32s]:
    """Return volume and mean transit time [s], tied to flow by the central volume theorem, `(voxels,)`."""
    if estimate.mtt is not None:
        return (cbf * estimate.mtt / np.float32(scale.seconds)).astype(np.float32), estimate.mtt
    volume = tissue.area * np.float32(scale.volume / float(artery.area[0]))
    with_transit = (cbf > 0) & (volume > 0)
    mtt = np.full_like(volume, np.nan)
    np.divide(volume * np.float32(scale.seconds), cbf, out=mtt, where=with_transit)
    return volume, mtt


def _deviations(estimate: Estimate, scale: Scale) -> dict[str, Float32s]:
    """Return the standard deviations that the method gives, by name of the map."""
    names = {"flow": "CBF", "volume": "CBV", "tmax": "Tmax", "mtt": "MTT"}
    factors = {"flow": scale.flow, "volume": scale.volume}
    return {
        names.get(field, field): values * np.float32(factors.get(field, 1.0))
        for field, values in estimate.sd.items()
    }


def _check(estimate: Estimate, concentration: Concentration, aif: VesselCurve) -> None:
    if estimate.flow.shape != concentration.curves.shape[:1]:
        raise ShapeMismatch(
            "the estimate does not fit the concentration",
            wanted=f"{len(concentration.curves)} voxels",
            found=str(estimate.flow.shape),
        )
    if aif.values.shape != concentration.times.shape:
        raise ShapeMismatch(
            "the arterial curve is on another clock than the tissue",
            wanted=f"{concentration.times.size} samples",
            found=f"{aif.values.size} samples",
        )
