"""Maps of a whole scan by a network that takes no arterial curve: `bolus run --method unet|temp-pix2pix`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Mask, Volume
from bolus.core.errors import BadInput
from bolus.core.finding import Finding, Progress, Severity
from bolus.core.maps import Map
from bolus.core.recipe import Recipe
from bolus.core.series import Series
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import infer
from bolus.learn.cases import Case
from bolus.learn.frame import Field
from bolus.learn.maps import BASELINE_S, CTP, DSC, FIELD_MM, Plan, answer, signal_scale
from bolus.phantom import ct, mr
from bolus.pipeline import Mapped, Mapper, Scan
from bolus.quantify.curves import measure_artery, origin_of

_LEAD_S: Final = 10.0
"""Seconds before contrast arrives that the network is shown, where there are more."""
_PROBE: Final[dict[str, Any]] = {"shape": (80, 80, 4), "seed": 4711}
_FACTORS: Final = (0.5, 1.5)
_UNITS: Final = {"CBF": Unit.FLOW, "CBV": Unit.VOLUME}


@dataclass(frozen=True, slots=True)
class Reach:
    """What scans a network can answer for: beyond the wide limits it is not asked, beyond the rest it warns.

    Parameters
    ----------
    dt_s, widest_dt_s
        Longest interval between frames in training (both sites), and the longest that is taken [s].
    length_s, least_s
        Shortest stretch that networks were shown in training, and the shortest that is taken [s]. It begins
        10 s before contrast arrives, or with the scan.
    head_mm
        Least and greatest width and length of the inside of the skull, along x and y [mm].
    tissue_hu
        Least and greatest median of brain tissue before contrast, of CT [HU].
    """

    dt_s: float
    widest_dt_s: float
    length_s: float
    least_s: float
    head_mm: tuple[tuple[float, float], tuple[float, float]] = ((95.0, 165.0), (115.0, 195.0))
    tissue_hu: tuple[float, float] = (20.0, 50.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """A network that a run can be given: its task, what it sees and answers, and what scans it can take."""

    task: str
    modality: Modality
    plan: Plan
    reach: Reach


UNET: Final = Kind("ctp-unet", Modality.CT, CTP, Reach(2.2, 4.0, 36.0, 25.0))
TEMP_PIX2PIX: Final = Kind("dsc-gan", Modality.MR, DSC, Reach(2.6, 4.0, 50.0, 30.0))


@cache
def _shipped(task: str) -> infer.Network:
    return infer.load(infer.shipped(task), task=task)


@dataclass(frozen=True, slots=True)
class Mapping2D:
    """Makes maps slice by slice; see `bolus.pipeline.Mapper`.

    Parameters
    ----------
    name
        What the method is called.
    kind
        Its task and limits.
    network
        An exported network; None: the one that comes with `bolus`, loaded when it is first needed.
    """

    name: str
    kind: Kind
    network: infer.Network | None = None

    def __call__(self, scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress) -> Mapped:
        """Return maps and findings of a scan; the arterial curve only sets the zero of MR's TTP.

        Raises
        ------
        BadInput
            If frames are too far apart or too few for the network, or it is not told of the frames.
        """
        network = self.network or _shipped(self.kind.task)
        series = _required(scan)
        start_s = _start_s(scan)
        findings = (*self._warned(scan, series, start_s), self._told(network))
        volumes = self._volumes(network, scan, (series, start_s), progress)
        maps = self._named(volumes, start_s, aif, recipe)
        grid = scan.contrast.grid
        return Mapped({n: Map(n, v, _UNITS.get(n, Unit.SECOND), grid) for n, v in maps.items()}, findings)

    def _volumes(
        self, network: infer.Network, scan: Scan, shown: tuple[Series, float], progress: Progress
    ) -> dict[str, Volume]:
        """Return what the network answers inside the brain, shape `(x, y, z)` each."""
        series, start_s = shown
        plan, inside = self.kind.plan, scan.contrast.mask
        found = np.full((len(plan.maps), *inside.shape), np.nan, dtype=np.float32)
        square = _field(series, inside, int(network.card.recipe["size"]))
        for done, (k, case) in enumerate(_slices(series, inside, start_s), 1):
            found[..., k] = answer(plan, network, case, square).transpose(0, 2, 1)
            progress("network", done, int(np.count_nonzero(inside.any(axis=(0, 1)))))
        return {name: np.where(inside, one, np.nan) for name, one in zip(plan.maps, found, strict=True)}

    def _named(
        self, volumes: dict[str, Volume], start_s: float, aif: VesselCurve, recipe: Recipe
    ) -> dict[str, Volume]:
        """Return maps by the names that lesion rules and reports know.

        TTP of CT is the middle of a box-shaped residue after the arterial curve, which `box` calls Tmax.
        """
        if self.kind.modality is Modality.CT:
            flow, volume = volumes["CBF"], volumes["CBV"]
            mtt = np.full_like(flow, np.nan)
            np.divide(60.0 * volume, flow, out=mtt, where=flow > 1.0)
            return {"CBF": flow, "CBV": volume, "MTT": mtt, "Tmax": volumes["TTP"]}
        artery, _ = measure_artery(aif.values, aif.times)
        zero = origin_of(artery, recipe.ttp_origin)
        return volumes | {"TTP": volumes["TTP"] + np.float32(start_s - zero)}

    def _warned(self, scan: Scan, series: Series, start_s: float) -> Iterator[Finding]:
        """Refuse what lies far beyond the training, and tell of what lies a little beyond."""
        reach, dt_s = self.kind.reach, series.median_dt
        length_s = float(series.times.max()) - start_s
        _require_time(
            dt_s <= reach.widest_dt_s, "frames are too far apart", reach.widest_dt_s, dt_s, "at most"
        )
        _require_time(
            length_s >= reach.least_s, "the scan ends too early", reach.least_s, length_s, "at least"
        )
        if dt_s > reach.dt_s:
            yield _beyond(Severity.WARN, f"frames {dt_s:.2g} s apart, more than {reach.dt_s:g} s", dt_s)
        if length_s < reach.length_s:
            yield _beyond(
                Severity.WARN,
                f"{length_s:.0f} s from {_LEAD_S:g} s before contrast on, under {reach.length_s:g} s",
                length_s,
            )
        lead_s = _arrival_s(scan) - float(series.times.min())
        if lead_s < BASELINE_S:
            text = f"contrast comes {lead_s:.1f} s after the first frame, not {BASELINE_S:g} s or more"
            yield _beyond(Severity.WARN, text, lead_s)
        for what, value, (low, high), unit in self._measures(scan):
            if not low <= value <= high:
                yield _beyond(
                    Severity.FAIL, f"{what} of {value:.0f} {unit}, not {low:g} to {high:g}: no head?", value
                )

    def _measures(self, scan: Scan) -> Iterator[tuple[str, float, tuple[float, float], str]]:
        reach, where = self.kind.reach, np.argwhere(scan.contrast.mask)
        spans = np.ptp(where, axis=0) + 1
        for axis, name in enumerate(("a width", "a length")):
            yield name, float(spans[axis] * scan.contrast.grid.spacing_mm[axis]), reach.head_mm[axis], "mm"
        if self.kind.modality is Modality.CT:
            level = float(np.median(scan.underlay[scan.brain.tissue]))
            yield "brain tissue", level, reach.tissue_hu, "HU"

    def _told(self, network: infer.Network) -> Finding:
        response = network.card.scores.get("shown", {}).get("CBF slope")
        measured = (
            "" if response is None else f" (of more flow in simulated patients its CBF shows {response:.0%})"
        )
        return Finding(
            "NETWORK_MAPS",
            Severity.WARN,
            f"The maps are those of a network ({self.name}) that takes no arterial curve: the artery shown "
            "was not used, CBF and CBV are on the scale of simulated patients, and the network may print "
            f"what it expects of a tissue instead of what flows there{measured}. Compare with --method auto.",
            response,
        )


def flow_response_of(kind: Kind, network: infer.Network) -> dict[str, float]:
    """Return how the network's maps answer where the tissue of a simulated patient enhances more.

    Slopes of CBF and CBV are 1, that of MTT 0, and shifts of times 0 s where maps follow flow; see
    `bolus.validate.flow_response`. The patient is not one of the cohort. Nothing is returned for a network
    that shows no flow anywhere.
    """
    from bolus.validate import flow_response  # draws figures, which no other use of networks needs

    study = ct(**_PROBE) if kind.modality is Modality.CT else mr(**_PROBE)
    mapper = Mapper(Mapping2D("network", kind, network), True, (kind.modality,), needs_artery=False)
    asked = Recipe(method="network")
    try:
        found = flow_response(study.series, asked, factors=_FACTORS, mappers={"network": mapper})
    except BadInput:
        return {}
    slopes = {f"{name} slope": value for name, value in found.slopes.items()}
    return slopes | {f"{name} shift [s]": value for name, value in found.shifts.items()}


def _start_s(scan: Scan) -> float:
    """Return from when on frames are shown: a little before contrast arrives [s]."""
    return max(_arrival_s(scan) - _LEAD_S, 0.0)


def _arrival_s(scan: Scan) -> float:
    times, last = scan.contrast.times, scan.contrast.baseline[1]
    return float(times[min(last, times.size - 1)])


def _required(scan: Scan) -> Series:
    if scan.frames is None:
        raise BadInput("the network takes frames", found="none", remedy="Make the mapper with takes_frames.")
    return scan.frames


def _require_time(holds: bool, what: str, limit_s: float, found_s: float, side: str) -> None:
    if not holds:
        raise BadInput(
            f"{what} for the network",
            wanted=f"{side} {limit_s:g} s",
            found=f"{found_s:.3g} s",
            remedy="Check the frame interval (--dt), or choose another --method.",
        )


def _beyond(severity: Severity, what: str, value: float) -> Finding:
    text = f"The scan lies outside what the network was trained on: {what}. Choose another --method."
    return Finding("NETWORK_RANGE", severity, text, value)


def _field(series: Series, inside: Mask, side: int) -> Field:
    """Return the square about the brain."""
    x, y, _ = (0.5 * (where.min() + where.max()) for where in np.nonzero(inside))
    dx, dy, _ = series.grid.spacing_mm
    return Field((inside.shape[1], inside.shape[0]), (dy, dx), (float(y), float(x)), FIELD_MM, side)


def _slices(series: Series, inside: Mask, start_s: float) -> Iterator[tuple[int, Case]]:
    """Yield number and case of each slice with brain, from a time on."""
    clocks = np.broadcast_to(series.times, (inside.shape[2], series.n_frames))
    scale = np.array(signal_scale(series, inside), dtype=np.float32)
    for k in np.flatnonzero(inside.any(axis=(0, 1))):
        first = max(int(np.searchsorted(clocks[k], start_s, side="right")) - 1, 0)
        frames = _slice(series, int(k))[first:]
        times = np.asarray(clocks[k][first:], dtype=np.float64)
        yield int(k), Case(frames, np.zeros(0), "run", extra={"times": times, "scale": scale})


def _slice(series: Series, k: int) -> Float32s:
    """Return the values of a slice, shape `(t, y, x)`; what lies beyond a moved volume is 0."""
    frames = np.stack([series.frame(i)[:, :, k].T for i in range(series.n_frames)])
    return np.nan_to_num(frames.astype(np.float32))
