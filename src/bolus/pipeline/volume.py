"""CT and MR: a series of volumes becomes maps, lesions and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bolus import deconvolve, lesions, prepare, quality, quantify, read, tracer, vessels
from bolus.core.arrays import Mask, Volume
from bolus.core.brain import Brain
from bolus.core.errors import BadInput, BadRecipe, MissingTag, NoVessel
from bolus.core.finding import Finding, Progress, Severity, silent
from bolus.core.grid import Grid
from bolus.core.lesion import Lesions
from bolus.core.maps import Estimate, Maps
from bolus.core.recipe import Recipe
from bolus.core.result import MotionTrace, Result, TissueCurves
from bolus.core.series import Concentration, Series, Voxels
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve, Vessels
from bolus.pipeline.account import joined, mean_curve, versions
from bolus.pipeline.choices import require_solvable
from bolus.pipeline.classify import Classifier, Seen, classified
from bolus.pipeline.given import given
from bolus.pipeline.mapper import NO_MAPPERS, Mapped, Mapper, Mappers, Scan, require_mapper
from bolus.pipeline.watch import Stopwatch
from bolus.pipeline.without_artery import made_of_tissue, no_artery, stand_in, unused

_MIN_FRAMES = 8
_SEED = 0  # of the errors drawn for intervals: a run repeats itself
_CONTRAST = {Modality.CT: Unit.HU, Modality.MR: Unit.PER_SECOND}


def run_volume(
    series: Series,
    recipe: Recipe,
    *,
    place: deconvolve.Place | None = None,
    mappers: Mappers = NO_MAPPERS,
    classifiers: Sequence[Classifier] = (),
    progress: Progress = silent,
) -> Result:
    """Turn a CT or MR series into maps, lesions and findings; see `bolus.pipeline.run`."""
    recipe = recipe.settled(series.modality)
    mapper = require_mapper(recipe, series.modality, mappers)
    _check(series, recipe)
    watch = Stopwatch(progress)
    scan = _prepare(series, recipe, watch, with_frames=mapper is not None and mapper.takes_frames)
    scan = replace(scan, place=place)
    with watch("vessels"):
        found = _vessels_for(mapper, scan, recipe)
    scan = _without_motion(scan, found.aif, watch)
    perfusion = _perfuse(scan, found, recipe, mapper, watch)
    scan = replace(scan, raw=scan.raw.emptied(), frames=None)
    perfusion = _sure(perfusion, scan, recipe, watch)
    with watch("quality"):
        evidence = quality.Evidence(
            series,
            scan.motion,
            scan.brain,
            scan.contrast,
            scan.raw,
            perfusion.vessels,
            perfusion.maps,
            second=_second_opinion(scan, perfusion.vessels, recipe),
            by_numbers=lesions.RULES[recipe.rule].needs_scale,
        )
        by_scan = (series.findings, scan.brain.findings, scan.contrast.findings)
        findings = joined(*by_scan, perfusion.vessels.findings, perfusion.findings, quality.check(evidence))
    result = Result(
        modality=series.modality,
        acquisition=series.acquisition,
        grid=series.grid,
        times=series.times,
        underlay=scan.underlay,
        steps=scan.contrast.steps,
        recipe=recipe,
        motion=scan.motion,
        brain=scan.brain,
        baseline=scan.contrast.baseline,
        noise=scan.contrast.noise,
        vessels=perfusion.vessels,
        curves=_tissue_curves(scan.contrast, perfusion.lesions, scan.brain),
        maps=perfusion.maps,
        lesions=None if any(f.severity is Severity.FAIL for f in findings) else perfusion.lesions,
        findings=findings,
        timings_s=watch.seconds,
        versions=versions(),
    )
    return classified(Seen(series, result), classifiers, watch)


def _prepare(series: Series, recipe: Recipe, watch: Stopwatch, *, with_frames: bool) -> Scan:
    """Take the images to contrast inside the brain.

    Each large array is let go as soon as the next one is made from it: a wide scanner's study is several GB.
    """
    with watch("motion"):
        still, motion = prepare.correct_motion(
            series, method=recipe.motion, reference=_reference(recipe), progress=watch.progress
        )
    with watch("brain"):
        brain = _brain(still, motion, recipe)
        voxels = prepare.even_grid(still.within(brain.inside), dt=recipe.time_step)
    with watch("tracer"):
        baseline = tracer.find_baseline(voxels, brain.tissue)
        underlay, frames = _underlay(still, baseline.arrival_s), still if with_frames else None
        del still
        raw = tracer.to_concentration(voxels, baseline, te_ms=recipe.te_ms, leakage=recipe.leakage)
    with watch("filter"):
        if motion is not None and motion.unseen is not None:
            voxels = voxels.within(~motion.unseen)
        voxels = _filtered(voxels, recipe, watch)
        contrast = tracer.to_concentration(voxels, baseline, te_ms=recipe.te_ms, leakage=recipe.leakage)
    sought = motion if recipe.residual_motion else None
    way_mm = None if sought is None else sought.way_mm(series.times, contrast.times)
    return Scan(raw, contrast, brain, underlay, motion, way_mm, frames)


@dataclass(frozen=True, slots=True, eq=False)
class Perfusion:
    """What one arterial curve makes of a scan."""

    vessels: Vessels
    maps: Maps
    lesions: Lesions
    findings: tuple[Finding, ...]


def _perfuse(
    scan: Scan, found: Vessels, recipe: Recipe, mapper: Mapper | None, watch: Stopwatch
) -> Perfusion:
    """Make maps and lesions; once more from the healthy side if the artery lay behind the occlusion."""
    perfusion = _solve(scan, found, recipe, mapper, watch)
    if not vessels.is_ipsilateral_and_late(found, scan.raw, perfusion.lesions):
        return perfusion
    with watch("vessels"):
        avoid = _hemisphere(perfusion.lesions, scan.raw.grid)
        found = _vessels_for(mapper, scan, recipe, avoid=avoid)
    return _solve(scan, found, recipe, mapper, watch)


def _sure(found: Perfusion, scan: Scan, recipe: Recipe, watch: Stopwatch) -> Perfusion:
    """Say how sure the volumes of the lesions are."""
    with watch("intervals"):
        sure = lesions.with_intervals(
            found.maps,
            scan.brain,
            found.lesions,
            rng=np.random.default_rng(_SEED),
            min_lesion_ml=recipe.min_lesion_ml,
        )
    return replace(found, lesions=sure)


def _without_motion(scan: Scan, aif: VesselCurve, watch: Stopwatch) -> Scan:
    """Take what the head's motion left out of the filtered contrast, which is let go."""
    if scan.way_mm is None:
        return scan
    with watch("residual motion"):
        return replace(scan, contrast=deconvolve.without_motion(scan.contrast, aif, scan.way_mm))


def _solve(scan: Scan, found: Vessels, recipe: Recipe, mapper: Mapper | None, watch: Stopwatch) -> Perfusion:
    with watch("deconvolve"):
        mapped = (mapper.make if mapper else _by_physics)(scan, found.aif, recipe, watch.progress)
    with watch("lesions"):
        lesion, noticed = lesions.find_lesions(
            mapped.maps, scan.brain, scan.underlay, rule=recipe.rule, min_lesion_ml=recipe.min_lesion_ml
        )
    return Perfusion(found, mapped.maps, lesion, (*mapped.findings, *noticed))


def _vessels_for(mapper: Mapper | None, scan: Scan, recipe: Recipe, *, avoid: Mask | None = None) -> Vessels:
    """Find artery and vein; without an artery make its curve of tissue, or show one where none is needed."""
    needed = mapper is None or mapper.needs_artery
    try:
        found = _vessels(scan.raw, scan.brain, recipe, avoid=avoid)
    except NoVessel as error:
        if not needed:
            return Vessels(stand_in(scan.raw, scan.brain.tissue), findings=(no_artery(error),))
        if recipe.aif != "auto":
            raise
        return _of_tissue(scan, recipe, error)
    if found.aif.measured:
        return found
    return made_of_tissue(found, recipe.rule) if needed else unused(found)


def _of_tissue(scan: Scan, recipe: Recipe, error: NoVessel) -> Vessels:
    """Make the arterial curve of tissue after no artery was found; the error stays where that fails too."""
    try:
        found = _vessels(scan.raw, scan.brain, replace(recipe, aif=vessels.OF_TISSUE))
    except NoVessel as neither:
        raise error from neither
    return made_of_tissue(found, recipe.rule, error)


def _by_physics(scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress) -> Mapped:
    estimate = _estimate(scan, aif, recipe, progress)
    return Mapped(quantify.make_maps(estimate, scan.contrast, aif, ttp_origin=recipe.ttp_origin))


def _estimate(scan: Scan, aif: VesselCurve, recipe: Recipe, progress: Progress) -> Estimate:
    options = recipe.method_options
    if recipe.bootstrap:
        return deconvolve.bootstrap(
            scan.contrast,
            aif,
            repeats=recipe.bootstrap,
            method=recipe.method,
            options=options,
            progress=progress,
        )
    return deconvolve.deconvolve(
        scan.contrast,
        aif,
        method=recipe.method,
        options=options,
        neighbours=recipe.neighbours,
        place=scan.place,
        progress=progress,
    )


def _second_opinion(scan: Scan, found: Vessels, recipe: Recipe) -> Maps:
    """Make the map of flow by another kind of method: where the two disagree, neither is to be trusted."""
    other = "box" if recipe.method == "osvd" else "osvd"
    estimate = deconvolve.deconvolve(scan.contrast, found.aif, method=other, place=scan.place)
    return {"CBF": quantify.flow_map(estimate, scan.contrast)}


def _check(series: Series, recipe: Recipe) -> None:
    """Refuse now what would be refused after minutes of work."""
    _check_series(series, recipe)
    _check_names(recipe)
    require_solvable(recipe)
    for text, name in ((recipe.aif, "AIF"), (recipe.vof, "VOF")):
        given(text, name, series.grid, _CONTRAST[series.modality])
    if recipe.mask != "auto":
        read.load_mask(Path(recipe.mask), series.grid)


def _check_series(series: Series, recipe: Recipe) -> None:
    if series.n_frames < _MIN_FRAMES:
        raise BadInput(
            "the series has too few time points",
            wanted=f"at least {_MIN_FRAMES}",
            found=str(series.n_frames),
            remedy="Give the dynamic series; `bolus info` lists what the study holds.",
        )
    if series.modality is Modality.MR and not (recipe.te_ms or series.acquisition.te_ms):
        raise MissingTag(
            "the series has no echo time, and signal cannot become concentration without one",
            wanted="EchoTime",
            found="none",
            remedy="Give the echo time in milliseconds with --te.",
        )


def _check_names(recipe: Recipe) -> None:
    if recipe.bootstrap:
        deconvolve.check_bootstrap(recipe.method, recipe.bootstrap)
    if recipe.rule not in lesions.RULES:
        raise BadRecipe("unknown lesion rule", wanted=", ".join(lesions.RULES), found=recipe.rule)
    if recipe.filter not in prepare.METHODS:
        raise BadRecipe("unknown filter", wanted=", ".join(("auto", *prepare.METHODS)), found=recipe.filter)


def _reference(recipe: Recipe) -> str | int:
    text = recipe.motion_reference
    return int(text) if text.isdecimal() else text


def _brain(series: Series, motion: MotionTrace | None, recipe: Recipe) -> Brain:
    if recipe.mask == "auto":
        return prepare.find_brain(series, unseen=motion.unseen if motion else None)
    given = read.load_mask(Path(recipe.mask), series.grid)
    return Brain(inside=given, tissue=given, csf=np.zeros_like(given))


def _underlay(series: Series, arrival_s: float) -> Volume:
    """Average the frames before arrival; at least the first one."""
    clock = series.times if series.times.ndim == 1 else series.times.max(axis=0)
    n_before = int(np.count_nonzero(clock < arrival_s - 0.5 * series.median_dt))
    return series.mean(0, max(n_before, 1))


def _vessels(raw: Concentration, brain: Brain, recipe: Recipe, *, avoid: Mask | None = None) -> Vessels:
    return vessels.find_vessels(
        raw,
        brain,
        aif=given(recipe.aif, "AIF", raw.grid, raw.unit),
        vof=given(recipe.vof, "VOF", raw.grid, raw.unit),
        partial_volume=recipe.partial_volume,
        avoid=avoid,
    )


def _filtered(voxels: Voxels, recipe: Recipe, watch: Stopwatch) -> Voxels:
    return prepare.smooth(
        voxels,
        method=recipe.filter,
        sigma_mm=recipe.filter_sigma_mm,
        range_hu=recipe.filter_range_hu,
        progress=watch.progress,
    )


def _hemisphere(lesion: Lesions, grid: Grid) -> Mask | None:
    """Return the affected half of the volume, or None where neither is."""
    if lesion.midline is None or lesion.side == "none":
        return None
    index = np.moveaxis(np.indices(grid.shape, dtype=np.float32), 0, -1)
    right = lesion.midline.distance_mm(grid.position_mm(index)) > 0
    return right if lesion.side == "right" else ~right


def _tissue_curves(contrast: Concentration, lesion: Lesions, brain: Brain) -> TissueCurves:
    regions = {
        "core": lesion.core,
        "hypoperfused": lesion.hypoperfused & ~lesion.core,
        "healthy": lesion.tissue & ~lesion.hypoperfused & ~lesion.core,
    }
    if not lesion.tissue.any():
        regions = {"tissue": brain.tissue}
    means = {name: mean_curve(contrast, where) for name, where in regions.items() if where.any()}
    return TissueCurves(contrast.times, means, contrast.unit)
