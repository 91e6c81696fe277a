"""`--method net`: deconvolution by a trained network, with a guard, a check, and physics to fall back on."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bolus import deconvolve, quantify
from bolus.core.arrays import Float32s, Mask
from bolus.core.errors import BadInput, NoBolus
from bolus.core.finding import Finding, Progress, Severity, silent
from bolus.core.grid import Grid
from bolus.core.maps import Estimate, Map, Maps
from bolus.core.recipe import Recipe
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import first_guess, sight
from bolus.learn.coarser import Coarse, coarser
from bolus.learn.first_guess import Guess
from bolus.learn.infer import Network, load
from bolus.learn.reconvolution import misfit
from bolus.pipeline import Mapped, Scan
from bolus.quantify.curves import measure_artery, origin_of
from bolus.quantify.maps import TISSUE

SHIPPED: Final = Path(__file__).parent / "weights" / "net.onnx"
FALLBACK: Final = "posterior"
"""What deconvolves scans that the network does not know."""
LATE_S: Final = 6.0
"""Tmax beyond which tissue counts as hypoperfused (Straka et al. 2010)."""
FINEST_MM: Final = 0.8
"""Smaller pixels are averaged in the plane before the network sees them."""
N_MEASURED: Final = 20_000
"""Voxels of tissue that the scale of a scan is measured in."""
MISFIT: Final = 0.3
"""Part of the enhancement that maps leave unexplained beyond noise, in half of the voxels, which is said. Of
77 simulated patches in its range the network leaves 0.05-0.1 in half and 0.36 at most; true maps leave
0.26 in one of twenty (their residues are of no single shape), delays wrong by 3 s leave 0.32 in half."""
WHOLE: Final = "whole"
"""Name on the card of what whole runs say of deviations; see `benchmarks.net_whole`."""
_MULTIPLE: Final = 8
_LEAST: Final = 32
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "dt_s": ("interval of frames", "s"),
    "after_s": ("time from arterial arrival to the end of the scan", "s"),
    "width_s": ("arterial width at half height", "s"),
    "tail": ("arterial end over peak", ""),
    "noise": ("noise over tissue enhancement", ""),
    "spacing_mm": ("pixel spacing", "mm"),
}


@dataclass(frozen=True, slots=True)
class Stranger:
    """What of a scan lies outside the range that a network was trained in."""

    name: str
    value: float
    least: float
    greatest: float

    @property
    def text(self) -> str:
        """Say so in words."""
        what, unit = _WORDS[self.name]
        span = f"{self.least:.3g}-{self.greatest:.3g} {unit}".strip()
        return f"{what} is {self.value:.3g} {unit}".strip() + f" (trained on {span})"


class Deconvolver:
    """Makes maps of tissue and arterial curves with an exported network.

    Parameters
    ----------
    network
        As `bolus.learn.infer.load` gives it. Its card says what it was trained on, and how wide of the mark
        its deviations were in held-out patients.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.ranges: Mapping[str, Any] = network.card.data.get("ranges", {})
        if not self.ranges:
            raise BadInput("the card says nothing of the training range", where=network.where)
        self.reach = _reach(network.card.scores)
        self.floors = {modality: _floor(network.card.scores, modality) for modality in Modality}

    def without_floor(self) -> Deconvolver:
        """Return one whose deviations are those of patches, from which floors are measured."""
        other = copy(self)
        other.floors = {modality: _floor({}, modality) for modality in Modality}
        return other

    def __call__(self, scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress = silent) -> Mapped:
        """Make the maps of a scan; by physics, and saying so, where the network does not know such scans.

        Parameters
        ----------
        scan, aif, recipe
            Filtered contrast and masks, the arterial curve on its clock, and the choices of the run.
        progress
            Called as `progress("deconvolve", slices done, slices)`.

        Returns
        -------
        The maps of `bolus.quantify.make_maps`, with standard deviations, and findings `NET_FALLBACK` or
        `NET_MISFIT`.

        Raises
        ------
        NoBolus
            If the whole arterial curve holds no bolus.
        """
        contrast, artery = sight.cut(*deconvolve.steady(scan.contrast, aif))
        coarse = coarser(contrast, _pool(contrast.grid))
        contrast = coarse.contrast
        try:
            clock = sight.clock_of(artery.values, contrast.times)
        except NoBolus as error:  # the whole curve may still be one
            why = f"in the first {sight.SEEN_S:g} s after arrival {error.what}"
            return _by_physics(scan, aif, recipe, (why, None), progress)
        tissue = _finite(contrast) & coarse.part(scan.brain.tissue[scan.contrast.mask])
        step = max(int(np.count_nonzero(tissue)) // N_MEASURED, 1)
        scale, noise = sight.measure(contrast.curves[np.flatnonzero(tissue)[::step]], clock)
        strangers = self.strangers(clock, noise, contrast.grid, scale)
        if strangers:
            why = "; ".join(stranger.text for stranger in strangers)
            return _by_physics(scan, aif, recipe, (why, strangers[0].value), progress)
        raw = _raw(scan, aif)
        guess = first_guess.first_guess(contrast, artery, place=scan.place)
        answer = self._asked((contrast, raw, guess), clock, (scale, noise), progress)
        noticed = _judged(answer, contrast, artery, tissue)
        return Mapped(_maps(_back(answer, coarse, scan.contrast), scan.contrast, aif, clock, recipe), noticed)

    def strangers(self, clock: sight.Clock, noise: float, grid: Grid, scale: float) -> list[Stranger]:
        """Return what of a scan lies outside the training range; empty: nothing."""
        if not scale > 0:
            return [Stranger("noise", float("inf"), *self.ranges["noise"])]
        found = {**clock.about, "noise": noise, "spacing_mm": _spacing(grid)}
        return [
            Stranger(name, found[name], *span)
            for name, span in self.ranges.items()
            if not span[0] <= found[name] <= span[1]
        ]

    def _asked(
        self,
        seen: tuple[Concentration, Float32s, Guess],
        clock: sight.Clock,
        measured: tuple[float, float],
        progress: Progress,
    ) -> dict[str, tuple[Float32s, Float32s]]:
        """Ask slice by slice; return mean and deviation of each map, shape `(voxels,)` each."""
        (contrast, raw, guess), (scale, noise) = seen, measured
        token = sight.token_of(clock, _spacing(contrast.grid), noise, first_guess.learned(guess))
        guessed = first_guess.shown(guess, scale)
        found = np.full((2 * len(sight.OUTPUTS), len(contrast.curves)), np.nan, dtype=np.float32)
        finite, slices = _finite(contrast), np.nonzero(contrast.mask)[2]
        n_slices = contrast.mask.shape[2]
        for z in range(n_slices):
            rows = np.flatnonzero((slices == z) & finite)
            if rows.size:
                plane = np.zeros(contrast.mask.shape[:2], dtype=bool)
                plane[tuple(index[rows] for index in np.nonzero(contrast.mask)[:2])] = True
                curves = sight.features_of(contrast.curves[rows], raw[rows], clock, scale)
                both = np.concatenate([curves, guessed[rows]], axis=1)
                found[:, rows] = _plane(self.network, both, token, plane)
            progress("deconvolve", z + 1, n_slices)
        mean, deviation = np.split(found, 2)
        means, deviations = sight.maps_of(mean, scale), sight.maps_of(deviation * self.reach[:, None], scale)
        return {
            name: (means[name], np.hypot(deviations[name], floor))
            for name, floor in zip(sight.OUTPUTS, self.floors[contrast.modality], strict=True)
        }


def _raw(scan: Scan, aif: VesselCurve) -> Float32s:
    """Return the curves before the noise filter, cut and averaged as those after it, of the same voxels."""
    rows = scan.raw.rows(scan.contrast.mask)
    raw = replace(scan.raw, curves=scan.raw.curves[rows], mask=scan.raw.mask & scan.contrast.mask)
    return coarser(sight.cut(*deconvolve.steady(raw, aif))[0], _pool(raw.grid)).contrast.curves


def _reach(scores: Mapping[str, Any]) -> Float32s:
    """Return what deviations are multiplied with, by what held-out patients of the card say; 1 if nothing."""
    sets = [found["scores"]["all"] for found in scores.values() if "scores" in found]
    if not sets:
        return np.ones(len(sight.OUTPUTS), dtype=np.float32)
    return np.array([sets[0][f"{name} reach"]["mean"] for name in sight.OUTPUTS], dtype=np.float32)


def _floor(scores: Mapping[str, Any], modality: Modality) -> Float32s:
    """Return what deviations of times have at least [s], by what whole runs of the card say; 0 if nothing."""
    maps = scores.get(WHOLE, {}).get(modality.value, {}).get("maps", {})
    return np.array([maps.get(name, {}).get("floor", 0.0) for name in sight.OUTPUTS], dtype=np.float32)


def _finite(contrast: Concentration) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(contrast.curves).all(axis=1))


def _spacing(grid: Grid) -> float:
    return float(np.sqrt(grid.spacing_mm[0] * grid.spacing_mm[1]))


def _pool(grid: Grid) -> int:
    """Return how many pixels are averaged along each side."""
    return int(np.ceil(FINEST_MM / _spacing(grid) - 1e-6))


def _plane(network: Network, seen: Float32s, token: Float32s, plane: Mask) -> Float32s:
    """Ask about the pixels of a plane, shape `(12, pixels)`."""
    sides = [np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0)]
    starts = [int(side[0]) for side in sides]
    sizes = [max(_up(int(s[-1] - s[0]) + 1, _MULTIPLE), _LEAST) for s in sides]
    frame = np.zeros(sizes, dtype=bool)
    inside = plane[starts[0] : starts[0] + sizes[0], starts[1] : starts[1] + sizes[1]]
    frame[: inside.shape[0], : inside.shape[1]] = inside
    answer = network(sight.channels(seen, token, frame)[None])[0]
    return np.asarray(answer[:, frame])


def _back(
    answer: Mapping[str, tuple[Float32s, Float32s]], coarse: Coarse, contrast: Concentration
) -> dict[str, tuple[Float32s, Float32s]]:
    """Return answers of the scan's own voxels; NaN where they had no numbers."""
    known = _finite(contrast)
    return {
        name: (np.where(known, pair[0][coarse.row], np.nan), np.where(known, pair[1][coarse.row], np.nan))
        for name, pair in answer.items()
    }


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def _maps(
    answer: Mapping[str, tuple[Float32s, Float32s]],
    contrast: Concentration,
    aif: VesselCurve,
    clock: sight.Clock,
    recipe: Recipe,
) -> Maps:
    """Make maps of the answers; CBV and TTP are the network's own, not flow times MTT nor a noisy peak."""
    mean, sd = ({name: pair[i] for name, pair in answer.items()} for i in (0, 1))
    estimate = Estimate(
        flow=mean["CBF"],
        tmax=mean["Tmax"],
        mtt=mean["MTT"],
        delay=mean["delay"],
        sd={
            "flow": sd["CBF"],
            "volume": sd["CBV"],
            "mtt": sd["MTT"],
            "tmax": sd["Tmax"],
            "delay": sd["delay"],
        },
        extra={"PTmax6": ndtr((mean["Tmax"] - LATE_S) / sd["Tmax"]).astype(np.float32)},
    )
    maps = dict(quantify.make_maps(estimate, contrast, aif, ttp_origin=recipe.ttp_origin))
    volume = mean["CBV"] * np.float32(TISSUE.volume)
    maps["CBV"] = replace(maps["CBV"], values=contrast.image(volume))
    zero = origin_of(measure_artery(aif.values, aif.times)[0], recipe.ttp_origin)
    first = np.float32(clock.arrival_s - aif.times[0] - zero)
    peak, spread = contrast.image(mean["TTP"] + first), contrast.image(sd["TTP"])
    maps["TTP"] = Map("TTP", peak, Unit.SECOND, contrast.grid, spread)
    return maps


def _by_physics(
    scan: Scan, aif: VesselCurve, recipe: Recipe, told: tuple[str, float | None], progress: Progress
) -> Mapped:
    """Return the maps of `FALLBACK`, and say why the network made none: in words, and a number."""
    estimate = deconvolve.deconvolve(
        scan.contrast,
        aif,
        method=FALLBACK,
        neighbours=recipe.neighbours,
        place=scan.place,
        progress=progress,
    )
    why, value = told
    text = f"Maps were made by {FALLBACK}, not by the network, which knows no such scans: {why}."
    noticed = Finding("NET_FALLBACK", Severity.WARN, text, value)
    maps = quantify.make_maps(estimate, scan.contrast, aif, ttp_origin=recipe.ttp_origin)
    return Mapped(maps, (noticed,))


def _judged(
    answer: Mapping[str, tuple[Float32s, Float32s]],
    contrast: Concentration,
    aif: VesselCurve,
    tissue: NDArray[np.bool_],
) -> tuple[Finding, ...]:
    """Say where the maps, convolved with the arterial curve again, are not what was measured."""
    left = misfit({name: pair[0] for name, pair in answer.items()}, contrast, aif, tissue)
    if not left > MISFIT:
        return ()
    text = (
        f"Convolved with the arterial curve again, the network's maps leave {100 * left:.0f} % of the "
        "enhancement of tissue unexplained beyond noise in half of its voxels: see --method posterior."
    )
    return (Finding("NET_MISFIT", Severity.WARN, text, left),)


def deconvolver(weights: str | Path, *, threads: int = 0) -> Deconvolver:
    """Return what makes maps with the weights of a file; see `bolus.learn.infer.load` for its errors."""
    return Deconvolver(load(weights, task="net", threads=threads))


@cache
def shipped() -> Deconvolver:
    """Return the network that comes with `bolus`, loaded when it is first asked for.

    Raises
    ------
    UnreadableFile, BadInput
        If the weights are missing from the installation, or were changed.
    """
    return deconvolver(SHIPPED)


def make_maps(scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress = silent) -> Mapped:
    """Make the maps of a scan with the network that is shipped; see `Deconvolver`."""
    return shipped()(scan, aif, recipe, progress)
