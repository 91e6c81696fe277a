"""X-ray angiography: a run becomes maps relative to the internal carotid artery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from scipy.ndimage import uniform_filter1d

from bolus import deconvolve, prepare, quality, quantify, tracer, vessels
from bolus.core.arrays import Mask, Volume
from bolus.core.brain import Brain
from bolus.core.errors import BadInput, BadRecipe, NoVessel
from bolus.core.finding import Finding, Progress, Severity, silent
from bolus.core.maps import Maps
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.result import MotionTrace, Result, TissueCurves
from bolus.core.series import Concentration, Series, Voxels
from bolus.core.units import Modality, Unit
from bolus.core.vessel import Vessels
from bolus.pipeline.account import joined, mean_curve, versions
from bolus.pipeline.choices import require_solvable
from bolus.pipeline.classify import Classifier, Seen, classified
from bolus.pipeline.given import given
from bolus.pipeline.watch import Stopwatch


class Segment(Protocol):
    """What finds the internal carotid artery; takes a MinIP [nat] and the field of view, `(x, y, 1)` each."""

    def __call__(self, minip: Volume, field: Mask, /) -> Volume:
        """Return the chance of each pixel to show the artery, shape `(x, y, 1)`."""
        ...

    def doubt(self, minip: Volume, field: Mask, /) -> float | None:
        """Return the chance, 0-1, that another artery was injected; None where that cannot be told."""
        ...


_FEWEST_FRAMES: Final = 4
_STEP_S: Final = (0.25, 0.5)
"""Bounds of the even time step [s]: Marc 2023 resamples to 1 s, its successor to 0.25 s."""
_ELSEWHERE: Final = (
    "mask",
    "vof",
    "te_ms",
    "leakage",
    "bootstrap",
    "motion_reference",
    "rule",
    "min_lesion_ml",
)
"""Choices for CT and MR that have no meaning here."""
_LIKELY: Final = 0.5
_DOUBTFUL: Final = 0.5
"""Chance that another artery was injected from which a reader is warned."""
_NONE: Final = 0.9
"""The same from which there is no carotid artery."""
_VISIBLE: Final = 3.0
"""Pixels whose contrast, averaged over three frames, stays under so many SDs of the noise have no map."""
_BLOCK: Final = 16_384
_FULL: Final = 0.5
"""Pixels that reach this part of the arterial peak are vessels, not tissue."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An X-ray run as contrast.

    Parameters
    ----------
    contrast
        Optical density above the background inside the field of view [nat], before the noise filter.
    baseline
        Its frames before the bolus.
    field
        Pixels that are not collimated away, shape `(x, y, 1)`.
    minip
        Greatest density of each pixel over time, shape `(x, y, 1)` [nat]; 0 outside the field. Shown dark,
        it is the minimum-intensity projection.
    motion
        What was found and undone; None where nothing was looked for.
    findings
        What the stages noticed.
    """

    contrast: Concentration
    baseline: tracer.Baseline
    field: Mask
    minip: Volume
    motion: MotionTrace | None
    findings: tuple[Finding, ...]


def prepare_run(
    series: Series, recipe: Recipe = DEFAULT, *, progress: Progress = silent, watch: Stopwatch | None = None
) -> Run:
    """Take an X-ray run to contrast over time, as maps and networks want it.

    Parameters
    ----------
    series
        As read: stored values and what the file says about them.
    recipe
        Of it `motion` and `time_step`.
    progress
        Called as `progress(stage, done, total)`, unless a `watch` is given, which has its own.

    Raises
    ------
    BadInput
        If the run has fewer than four frames, or holds no contrast.
    """
    _require_run(series)
    watch = watch or Stopwatch(progress)
    with watch("density"):
        field = prepare.find_field(series)
        density = tracer.to_density(series)
    motion = None
    if recipe.motion != "none":
        with watch("motion"):
            density, motion = prepare.correct_run_motion(density, progress=watch.progress)
    with watch("tracer"):
        density = tracer.subtract(density, aligned=motion is not None)
        noticed, step = density.findings, _time_step(density, recipe)
        voxels = density.within(field)
        del density  # each large array is let go as soon as the next is made from it
        voxels = prepare.even_grid(voxels, dt=step)
        baseline = tracer.find_baseline(voxels)
        contrast = tracer.to_concentration(voxels, baseline)
        del voxels
        minip = np.nan_to_num(tracer.minip(contrast))
    return Run(contrast, baseline, field, minip, motion, noticed)


def run_angiogram(
    series: Series,
    recipe: Recipe,
    *,
    place: deconvolve.Place | None = None,
    carotid: Segment | None = None,
    classifiers: Sequence[Classifier] = (),
    progress: Progress = silent,
) -> Result:
    """Turn an X-ray run into maps and findings; see `bolus.pipeline.run`."""
    recipe = recipe.settled(Modality.XA)
    _check(series, recipe)
    watch = Stopwatch(progress)
    run = prepare_run(series, recipe, watch=watch)
    with watch("vessels"):
        found = _input(run, recipe, carotid)
    with watch("filter"):
        smooth = _smooth(run.contrast, recipe, watch.progress)
        whole = run.contrast if classifiers else None  # held no longer than somebody looks at it
        run = replace(run, contrast=run.contrast.emptied())
        contrast = _visible(smooth, run)
        del smooth
    with watch("deconvolve"):
        maps = make_maps(contrast, found, recipe, place=place, progress=watch.progress)
    brain = _regions(run, contrast, found)
    with watch("quality"):
        evidence = quality.Evidence(series, run.motion, brain, contrast, run.contrast, found, maps)
        findings = joined(
            series.findings, run.findings, contrast.findings, found.findings, quality.check(evidence)
        )
    result = Result(
        modality=series.modality,
        acquisition=series.acquisition,
        grid=series.grid,
        times=series.times,
        underlay=run.minip,
        steps=contrast.steps,
        recipe=recipe,
        motion=run.motion,
        brain=brain,
        baseline=contrast.baseline,
        noise=contrast.noise,
        vessels=found,
        curves=TissueCurves(contrast.times, {"tissue": mean_curve(contrast, brain.tissue)}, contrast.unit),
        maps=maps,
        lesions=None,
        findings=findings,
        timings_s=watch.seconds,
        versions=versions(),
    )
    return classified(Seen(series, result, whole), classifiers, watch)


def _require_run(series: Series) -> None:
    if series.n_frames < _FEWEST_FRAMES:
        raise BadInput(
            "the X-ray run has too few frames",
            wanted=f"at least {_FEWEST_FRAMES}, from before the bolus to the veins",
            found=str(series.n_frames),
            remedy="Give the whole run; `bolus info` lists what the study holds.",
        )


def _check(series: Series, recipe: Recipe) -> None:
    """Refuse now what would be refused later, and what a run would leave out without a word."""
    _require_run(series)
    _require_fitting(recipe)
    if recipe.method not in deconvolve.METHODS:
        raise BadRecipe(
            "unknown deconvolution method",
            wanted=", ".join(("auto", "paper", *deconvolve.METHODS)),
            found=recipe.method,
        )
    if recipe.filter not in prepare.METHODS:
        raise BadRecipe("unknown filter", wanted=", ".join(("auto", *prepare.METHODS)), found=recipe.filter)
    require_solvable(recipe)
    if recipe.aif != "physics":
        given(recipe.aif, "AIF", series.grid, Unit.NAT)


def _require_fitting(recipe: Recipe) -> None:
    for name in _ELSEWHERE:
        value = getattr(recipe, name)
        if value != getattr(DEFAULT, name) and value != "none":
            raise BadRecipe(
                f"{name} does not go with an X-ray run",
                found=repr(value),
                remedy="Leave it out, or give it with a CT or MR study.",
            )
    if recipe.aif in {*vessels.METHODS, vessels.OF_TISSUE} - {"auto"}:
        raise BadRecipe(
            "unknown search for the artery of an X-ray run",
            wanted="auto, physics, MASK.nii.gz, FILE.csv or x,y,z",
            found=recipe.aif,
        )


def _time_step(series: Series, recipe: Recipe) -> float:
    finest, coarsest = _STEP_S
    return recipe.time_step or float(np.clip(series.median_dt, finest, coarsest))


def _input(run: Run, recipe: Recipe, carotid: Segment | None) -> Vessels:
    """Find the arterial input where the user says, else by the network, else by when and how pixels fill."""
    if recipe.aif not in {"auto", "physics"}:
        everything = Brain(run.field, run.field, np.zeros_like(run.field))
        aif = given(recipe.aif, "AIF", run.contrast.grid, Unit.NAT)
        if isinstance(aif, np.ndarray):
            return vessels.carotid_input(run.contrast, aif, whole=averages_all(recipe))
        return vessels.find_vessels(run.contrast, everything, aif=aif, vof="none", partial_volume=False)
    if carotid is None or recipe.aif == "physics":
        return _by_filling(run, recipe)
    chance: Volume = carotid(run.minip, run.field)
    mask, noticed = vessels.largest_part(chance > _LIKELY)
    doubts = (
        *([noticed] if noticed else []),
        *carotid_doubts(carotid.doubt(run.minip, run.field), empty=not mask.any()),
    )
    if mask.any():
        origin = "internal carotid artery found by a network"
        found = vessels.carotid_input(run.contrast, mask, origin, whole=averages_all(recipe))
        return replace(found, findings=(*found.findings, *doubts))
    found = _by_filling(run, recipe)
    return replace(found, findings=(*found.findings, *doubts))


def carotid_doubts(other: float | None, *, empty: bool) -> tuple[Finding, ...]:
    """Say where a network found no carotid artery, or where it looks as if another one was injected.

    Parameters
    ----------
    other
        Chance of that, 0-1, as `Segment.doubt` gives it.
    empty
        Whether the network outlined nothing.
    """
    if not empty and (other is None or not other > _DOUBTFUL):
        return ()
    if empty:
        what = "The network that looks for the internal carotid artery found none"
    else:
        what = f"The chance that another artery than a carotid was injected is {100.0 * (other or 0.0):.0f} %"
    text = f"{what}, or it knows no such view: look at the outline, or give a mask with --aif."
    fails = empty or (other or 0.0) > _NONE
    return (Finding("NO_CAROTID", Severity.FAIL if fails else Severity.WARN, text, other),)


def averages_all(recipe: Recipe) -> bool:
    """Tell whether a settled recipe averages all pixels of the artery, as the papers' causal one does."""
    return recipe.method == "ssvd"


def _by_filling(run: Run, recipe: Recipe) -> Vessels:
    mask = vessels.find_carotid(run.contrast, run.minip, run.field)
    origin = "artery that fills first, in the lower middle"
    return vessels.carotid_input(run.contrast, mask, origin, whole=averages_all(recipe))


def shown(run: Run, recipe: Recipe) -> Concentration:
    """Return the filtered contrast of the pixels in which it stands out of the noise, which maps are made of.

    Parameters
    ----------
    run
        As `prepare_run` gives it.
    recipe
        Of it the filter; settled for X-ray runs.
    """
    return _visible(_smooth(run.contrast, recipe, silent), run)


def make_maps(
    contrast: Concentration,
    found: Vessels,
    recipe: Recipe,
    *,
    place: deconvolve.Place | None = None,
    progress: Progress = silent,
) -> Maps:
    """Make the maps of filtered contrast relative to an artery; the recipe is settled for X-ray runs."""
    estimate = deconvolve.deconvolve(
        contrast,
        found.aif,
        method=recipe.method,
        options=recipe.method_options,
        place=place,
        progress=progress,
    )
    return quantify.make_maps(estimate, contrast, found.aif, ttp_origin=recipe.ttp_origin)


def _smooth(raw: Concentration, recipe: Recipe, progress: Progress) -> Voxels:
    voxels = Voxels(raw.curves, raw.times, raw.mask, raw.grid, raw.modality, raw.unit, steps=raw.steps)
    return prepare.smooth(voxels, method=recipe.filter, sigma_mm=recipe.filter_sigma_mm, progress=progress)


def _visible(smooth: Voxels, run: Run) -> Concentration:
    """Keep the pixels in which contrast stands out of the noise that the filter left."""
    noise = tracer.noise_level(smooth.curves, run.baseline)
    blocks = range(0, len(smooth.curves), _BLOCK)
    tops = [uniform_filter1d(smooth.curves[i : i + _BLOCK], 3, axis=1).max(axis=1) for i in blocks]
    shown = np.zeros_like(smooth.mask)
    shown[smooth.mask] = np.concatenate(tops) > _VISIBLE * noise
    if not shown.any():
        raise NoVessel("no contrast stands out of the noise of this run", found=f"noise of {noise:.3g} nat")
    kept = smooth.within(shown)
    return replace(run.contrast, curves=kept.curves, mask=kept.mask, noise=noise, steps=kept.steps)


def _regions(run: Run, contrast: Concentration, found: Vessels) -> Brain:
    """Return what is shown as `inside`, and as `tissue` what fills far less than the artery."""
    inside = np.array(contrast.mask)
    tissue = inside & (run.minip < _FULL * float(found.aif.values.max()))
    tissue[tuple(found.aif.voxels.T)] = False
    return Brain(inside, tissue, np.zeros_like(inside))
