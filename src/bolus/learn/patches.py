"""Patches of simulated tissue for `--method net`: physics drawn as widely as it can be, anatomy not at all.

Flow, volume, transit time and delay are drawn apart from one another and from any anatomy, so that a network
that learns them has nothing to print: it must measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bolus import prepare
from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.series import Concentration, Voxels
from bolus.core.units import TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.learn import bolus_family as family
from bolus.learn import first_guess, sight
from bolus.learn.bolus_family import FINE_S, Injection, Site, Tissue
from bolus.learn.cases import Case
from bolus.learn.making import Order
from bolus.physics.features import arrival

START_S: Final = -40.0
"""Fine clocks begin so long before the first frame [s]."""
MTTS_S: Final = np.geomspace(1.5, 30.0, 48)
"""Transit times that tissue may have [s]."""
DELAYS_S: Final = (-3.0, 16.0)
FILTERS: Final = {"profile": 0.5, "gaussian": 0.2, "none": 0.3}
LESIONS: Final = {"territory": 0.35, "blobs": 0.35, "tiles": 0.1, "none": 0.2}
ELSEWHERE: Final = 0.25
"""How far the median volume of a scan may lie from that of a patch, SD of the logarithm."""
SLICE_MM: Final = 20.0
"""Thicker than filters reach: a patch has no neighbours above and below."""


@dataclass(frozen=True, slots=True)
class Design:
    """All that is drawn for a patch besides its fields.

    Parameters
    ----------
    size, spacing_mm
        Pixels along a side, and their spacing.
    dt_s, after_s
        Interval of frames, and how long the scan goes on after the arrival.
    injection, peak_hu
        Arterial curve.
    noise_hu, grain_px
        Standard deviation of a sample and SD of the Gaussian that correlates it between pixels.
    grows
        How much noise grows with contrast, as MR noise does, relative at the highest tissue.
    filter, filter_mm
        Noise filter of the scan, and its width.
    lesion
        `territory`, `blobs`, `tiles` (no anatomy at all) or `none`.
    tissues
        Of normal tissue and of lesions.
    artery_noise
        Of the arterial curve, over its peak.
    """

    size: int
    spacing_mm: float
    dt_s: float
    after_s: float
    injection: Injection
    peak_hu: float
    noise_hu: float
    grain_px: float
    grows: float
    filter: str
    filter_mm: float
    lesion: str
    tissues: tuple[Tissue, Tissue]
    artery_noise: float


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A patch as a scan would show it, and its truth.

    Parameters
    ----------
    raw, curves
        Contrast before and after the filter [HU], shape `(voxels, t)`.
    times, aif
        Seconds and HU, shape `(t,)`.
    mask, tissue
        Inside the brain, and tissue that is no vessel; shape `(y, x)`.
    truth
        `CBF` as `k` [1/s], `CBV` [no unit], `MTT`, `Tmax`, `delay` and `TTP` after arrival [s], `(y, x)`.
    grid
        Of one slice, `(y, x, 1)`.
    n_before
        Frames before contrast.
    """

    raw: Float32s
    curves: Float32s
    times: Float64s
    aif: Float64s
    mask: Mask
    tissue: Mask
    truth: Mapping[str, Float64s]
    grid: Grid
    n_before: int

    def scaled(self, where: Mask, factor: float) -> Patch:
        """Return it with all contrast multiplied where a mask `(y, x)` says so."""
        by = np.where(where[self.mask], np.float32(factor), np.float32(1.0))[:, None]
        return replace(self, raw=by * self.raw, curves=by * self.curves)

    def as_scan(self) -> tuple[Concentration, VesselCurve]:
        """Return it as a run holds a scan of one slice, and its arterial curve."""
        shown = self.curves
        noise = float(shown[:, : self.n_before].std())
        before = (0, self.n_before)
        mask = self.mask[:, :, None]
        contrast = Concentration(shown, self.times, mask, self.grid, Modality.CT, Unit.HU, before, noise)
        return contrast, VesselCurve("AIF", self.times, self.aif, Unit.HU, "simulated")


def simulate(order: Order) -> list[Case]:
    """Make the case of a simulated patch.

    Raises
    ------
    BadRecipe
        If there is no such setting.
    """
    rng = np.random.default_rng([order.seed, 5])
    design = draw(order.setting, order.size, rng)
    patch = make(design, rng)
    if not enhances(patch):
        return []
    return [case_of(patch, order, design, unlike=float(np.exp(ELSEWHERE * rng.normal())))]


def site_of(setting: str) -> Site:
    """Return a setting by name, or raise `BadRecipe`."""
    if setting not in family.SITES:
        raise BadRecipe("unknown setting of the simulator", wanted=", ".join(family.SITES), found=setting)
    return family.SITES[setting]


def draw(setting: str, size: int, rng: np.random.Generator) -> Design:
    """Draw the design of a patch."""
    site = site_of(setting)
    chosen = str(rng.choice(list(FILTERS), p=list(FILTERS.values())))
    noise = float(np.exp(rng.uniform(*np.log(site.noise_hu))))
    injection = family.draw_injection(site, rng)
    return Design(
        size=size,
        spacing_mm=float(rng.uniform(0.8, 2.4)),
        dt_s=min(float(np.exp(rng.uniform(*np.log(site.dt_s)))), 0.9 * injection.width_s),
        after_s=float(rng.uniform(*site.after_s)),
        injection=injection,
        peak_hu=float(np.exp(rng.uniform(*np.log(site.peak_hu)))),
        noise_hu=noise if chosen != "none" else 0.4 * noise,
        grain_px=float(rng.uniform(0.0, 1.1)),
        grows=float(rng.uniform(0.0, 0.6)) if chosen == "none" else 0.0,
        filter=chosen,
        filter_mm=4.0 if chosen == "profile" else float(rng.uniform(1.5, 4.0)),
        lesion=str(rng.choice(list(LESIONS), p=list(LESIONS.values()))),
        tissues=(
            family.draw_tissue(rng, dispersed=rng.random() < 0.15),
            family.draw_tissue(rng, dispersed=rng.random() < 0.4),
        ),
        artery_noise=float(np.exp(rng.uniform(np.log(0.002), np.log(0.03)))),
    )


def make(design: Design, rng: np.random.Generator) -> Patch:
    """Simulate a patch."""
    layout = _layout(design, rng)
    onset, tissues = design.injection.onset_s, design.tissues
    times = _even(0.0, design.dt_s, max(round((onset + design.after_s) / design.dt_s), 10))
    fine = _even(START_S, FINE_S, round((float(times[-1]) + 6.0 - START_S) / FINE_S))
    artery = design.injection(fine)
    rows = np.concatenate([family.residues(tissue, MTTS_S) for tissue in tissues])
    passages = family.passages(artery, rows)
    n_before = max(int(np.searchsorted(times, onset - design.dt_s)), 1)
    clean = layout.curves(passages, fine, times) * design.peak_hu
    raw = _above(clean + _noise(design, clean, layout.mask, rng), n_before).astype(np.float32)
    measured: Float64s = np.interp(times, fine, artery) + design.artery_noise * rng.normal(size=times.size)
    latest = fine[np.argmax(passages * (fine <= times[-1]), axis=1)][layout.row] + layout.delay
    truth = layout.maps() | {
        "Tmax": family.peaks(rows)[layout.row] + layout.delay,
        "TTP": np.minimum(latest, times[-1]) - float(arrival(artery[None].astype(np.float32), fine)[0]),
    }
    grid = Grid((*layout.mask.shape, 1), np.diag([design.spacing_mm, design.spacing_mm, SLICE_MM, 1.0]))
    aif = design.peak_hu * _above(measured[None], n_before)[0]
    curves = filtered(raw, times, layout.mask, grid, (design.filter, design.filter_mm))
    return Patch(raw, curves, times, aif, layout.mask, layout.mask & ~layout.vessel, truth, grid, n_before)


def filtered(
    raw: Float32s, times: Float64s, mask: Mask, grid: Grid, chosen: tuple[str, float | None]
) -> Float32s:
    """Filter curves `(voxels, t)` of a slice as a run does, by a filter's name and width [mm]."""
    voxels = Voxels(raw, times, mask[:, :, None], grid, Modality.CT, Unit.HU)
    return np.asarray(prepare.smooth(voxels, method=chosen[0], sigma_mm=chosen[1]).curves)


def enhances(patch: Patch) -> bool:
    """Tell whether half of the tissue shows contrast at all; noise may hide it."""
    return (
        sight.measure(patch.curves[patch.tissue[patch.mask]], sight.clock_of(patch.aif, patch.times))[0] > 0
    )


def case_of(patch: Patch, order: Order, design: Design, *, unlike: float = 1.0) -> Case:
    """Make a case of a patch: features as `image`, truth as the network's answers.

    The median volume of the scan is `unlike` times that of the patch.
    """
    clock, tissue = sight.clock_of(patch.aif, patch.times), patch.tissue[patch.mask]
    scale, noise = sight.measure(patch.curves[tissue], clock)
    scale, noise = scale * unlike, noise / unlike
    features, token = seen(patch, clock, (scale, noise))
    about = {
        **{name: float(value) for name, value in clock.about.items()},
        "noise": noise,
        "lesion": design.lesion,
        "filter": design.filter,
        "noise_hu": design.noise_hu,
        "peak_hu": design.peak_hu,
        "spacing_mm": design.spacing_mm,
    }
    extra: dict[str, Any] = {
        "token": token,
        "tissue": patch.tissue.astype(np.uint8),
        "scale": np.array(scale),
    }
    # in half precision, as a network is shown it: cases are read many times
    image: Any = sight.channels(features, token, patch.mask)[: -sight.N_TOKEN].astype(np.float16)
    target = sight.numbers_of(patch.truth, scale)
    return Case(image, target, order.patient, site=f"simulated {order.setting}", extra=extra, meta=about)


def seen(patch: Patch, clock: sight.Clock, measured: tuple[float, float]) -> tuple[Float32s, Float32s]:
    """Return what the network sees of the voxels, shape `(voxels, 113)`, and of all, shape `(35,)`.

    `measured` are scale and noise, of `bolus.learn.sight.measure`.
    """
    scale, noise = measured
    guess = first_guess.first_guess(*patch.as_scan())
    curves = sight.features_of(patch.curves, patch.raw, clock, scale)
    token = sight.token_of(clock, float(patch.grid.spacing_mm[0]), noise, first_guess.learned(guess))
    return np.concatenate([curves, first_guess.shown(guess, scale)], axis=1), token


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where what is, `(y, x)` each: volume [no unit], index of the transit time, delay [s], and masks."""

    volume: Float64s
    level: NDArray[np.intp]
    delay: Float64s
    sick: Mask
    vessel: Mask
    mask: Mask

    @property
    def row(self) -> NDArray[np.intp]:
        """Row of each pixel's residue: those of normal tissue, then those of lesions."""
        return np.asarray(self.level + MTTS_S.size * self.sick, dtype=np.intp)

    def maps(self) -> dict[str, Float64s]:
        """Return `CBF` as `k` [1/s], `CBV` [no unit], `MTT` and `delay` [s]."""
        mtt = MTTS_S[self.level]
        return {"CBF": self.volume / mtt, "CBV": self.volume, "MTT": mtt, "delay": self.delay}

    def curves(self, passages: Float64s, fine: Float64s, times: Float64s) -> Float64s:
        """Return the tissue curves inside the mask for an artery of peak 1, shape `(voxels, t)`."""
        flow, delay, row = self.maps()["CBF"][self.mask], self.delay[self.mask], self.row[self.mask]
        place = (times[None, :] - delay[:, None] - fine[0]) / FINE_S - 0.5  # residues are means over cells
        place = np.clip(place, 0.0, fine.size - 1.001)
        left = place.astype(np.intp)
        part = place - left
        near = passages[row[:, None], left], passages[row[:, None], left + 1]
        return np.asarray(flow[:, None] * ((1.0 - part) * near[0] + part * near[1]))


def _layout(design: Design, rng: np.random.Generator) -> Layout:
    """Draw volume, transit time and delay, each by itself, lesions into them, and vessels."""
    classes = _smooth(design, rng.uniform(2.0, 10.0), rng) > rng.normal(0.0, 0.5)
    volume = np.where(classes, *(_CBV_UNIT * rng.uniform(*span) for span in ((2.0, 6.0), (0.8, 3.5))))
    mtt = np.where(classes, rng.uniform(2.5, 6.0), rng.uniform(3.0, 8.0))
    delay = np.full(volume.shape, rng.uniform(-1.5, 2.5))
    if design.lesion == "tiles":
        volume, mtt, delay = _tiles(design, rng)
    sick, deep = _lesions(design, rng)
    spread = rng.uniform(0.05, 0.4, 2)
    volume = volume * np.exp(spread[0] * _smooth(design, rng.uniform(3.0, 15.0), rng))
    mtt = mtt * np.exp(spread[1] * _smooth(design, rng.uniform(3.0, 15.0), rng))
    delay = delay + rng.uniform(0.0, 0.7) * _smooth(design, rng.uniform(5.0, 20.0), rng)
    for where, (flow, usual, late) in ((sick, (0.35, 1.0, 4.0)), (deep, (0.45, 0.7, 1.5))):
        # flow falls more than volume, so that transit is longer; how far is anyone's guess
        blood = usual * np.exp(0.35 * rng.normal())
        slower = max(blood / (flow * np.exp(0.45 * rng.normal())), 0.7)
        volume, mtt = np.where(where, volume * blood, volume), np.where(where, mtt * slower, mtt)
        delay = np.where(where, delay + late * rng.uniform(0.1, 2.5), delay)
    mask, vessel = _shape(design, rng), _vessels(design, rng)
    volume = np.where(vessel, volume * rng.uniform(3.0, 12.0), volume)
    level = np.abs(np.log(mtt)[..., None] - np.log(MTTS_S)).argmin(axis=-1)
    return Layout(volume, level, np.clip(delay, *DELAYS_S), sick | deep, vessel, mask)


_CBV_UNIT: Final = 1.0 / (100.0 * TISSUE_SCALE)
"""Volume [no unit] of 1 mL/100 g."""


def _tiles(design: Design, rng: np.random.Generator) -> tuple[Float64s, Float64s, Float64s]:
    """Draw volume, transit time and delay of rectangular tiles, each apart from the others."""
    n = int(rng.integers(3, 8))
    index = np.minimum(np.arange(design.size) * n // design.size, n - 1)
    volume, mtt, delay = (
        rng.uniform(low, high, (n, n))[np.ix_(index, index)]
        for low, high in ((1.0, 6.0), (2.5, 20.0), (-1.5, 8.0))
    )
    return volume * _CBV_UNIT, mtt, delay


def _lesions(design: Design, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """Draw where tissue is hypoperfused, and where it is more so."""
    none = np.zeros((design.size, design.size), dtype=bool)
    if design.lesion in {"none", "tiles"}:
        return none, none
    if design.lesion == "territory":
        field = _smooth(design, rng.uniform(15.0, 40.0), rng) + _slope(design, rng)
        edge = rng.uniform(-1.0, 1.2)
        return field > edge, field + 0.5 * _smooth(design, 5.0, rng) > edge + rng.uniform(0.3, 2.0)
    sick, deep = none, none
    for _ in range(int(rng.integers(1, 5))):
        distance = _distance(design, rng) + 0.15 * _smooth(design, 6.0, rng)
        sick, deep = sick | (distance < 1.0), deep | (distance < rng.uniform(0.0, 0.9))
    return sick, deep


def _distance(design: Design, rng: np.random.Generator) -> Float64s:
    """Return the distance from the middle of an ellipse, 1 on its edge, shape `(y, x)`."""
    middle = rng.uniform(0.0, design.size, 2)
    angle, (a, b) = rng.uniform(0.0, np.pi), rng.uniform(4.0, 30.0, 2) / design.spacing_mm
    y, x = np.mgrid[: design.size, : design.size] - middle[:, None, None]
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.asarray(np.hypot(along / a, across / b))


def _slope(design: Design, rng: np.random.Generator) -> Float64s:
    """Return a plane that rises by about 2 across the patch in any direction, shape `(y, x)`."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = np.mgrid[: design.size, : design.size] / design.size - 0.5
    return np.asarray(2.0 * (np.cos(angle) * x + np.sin(angle) * y))


def _shape(design: Design, rng: np.random.Generator) -> Mask:
    """Return the brain in the patch: now and then cut by a skull, with fluid in it."""
    mask = _smooth(design, rng.uniform(2.0, 6.0), rng) < rng.uniform(1.2, 3.0)
    if rng.random() < 0.5:
        mask &= _slope(design, rng) < rng.uniform(0.2, 1.0)
    mask[design.size // 2 :: 8, design.size // 2 :: 8] = True  # never empty
    return np.asarray(mask)


def _vessels(design: Design, rng: np.random.Generator) -> Mask:
    field = _smooth(design, rng.uniform(1.5, 3.0), rng)
    return np.asarray(field > rng.uniform(2.3, 3.5))


def _smooth(design: Design, reach_mm: float, rng: np.random.Generator) -> Float64s:
    """Return a smooth random field of SD 1, shape `(y, x)`."""
    white = rng.normal(size=(design.size, design.size))
    field = gaussian_filter(white, reach_mm / design.spacing_mm / 2.0, mode="reflect")
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-9))


def _noise(design: Design, clean: Float64s, mask: Mask, rng: np.random.Generator) -> Float64s:
    """Return noise with the design's grain, shape `(voxels, t)`."""
    white = rng.normal(size=(*mask.shape, clean.shape[1]))
    if design.grain_px > 0.2:
        white = gaussian_filter(white, (design.grain_px, design.grain_px, 0.0))
        white /= white.std()
    top = max(float(np.percentile(clean, 99)), 1e-9)
    return np.asarray(design.noise_hu * white[mask] * (1.0 + design.grows * clean / top))


def _above(curves: Float64s, n_before: int) -> Float64s:
    return np.asarray(curves - curves[:, :n_before].mean(axis=1, keepdims=True))


def _even(start: float, step: float, n: int) -> Float64s:
    return np.asarray(start + step * np.arange(n), dtype=np.float64)
