"""One way through the house: a series becomes maps, lesions and findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bolus.core.errors import BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.recipe import DEFAULT, Recipe
from bolus.core.result import Result
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.deconvolve import Place
from bolus.pipeline.angiogram import Segment, run_angiogram
from bolus.pipeline.classify import Classifier, Seen, require_fitting
from bolus.pipeline.mapper import NO_MAPPERS, Mapped, Mapper, Mappers, Scan
from bolus.pipeline.volume import run_volume
from bolus.pipeline.without_artery import require_artery

__all__ = ["Classifier", "Mapped", "Mapper", "Mappers", "Scan", "Seen", "Segment", "require_artery", "run"]

_SAME_STEP: Final = 0.01


def run(  # noqa: PLR0913  options, by keyword
    series: Series,
    recipe: Recipe = DEFAULT,
    *,
    place: Place | None = None,
    carotid: Segment | None = None,
    mappers: Mappers = NO_MAPPERS,
    classifiers: Sequence[Classifier] = (),
    progress: Progress = silent,
) -> Result:
    """Turn a perfusion series into maps, lesions and findings.

    Parameters
    ----------
    series
        As `bolus.load` gives it.
    recipe
        Every choice; `bolus.DEFAULT` unless given. Those about reading (`series`, `modality`, `dt`) are for
        `bolus.load`, as `bolus.read.ReadOptions.of(recipe)`.
    place
        What puts curves on a device, such as `bolus.learn.on_device("cuda")`; None works in memory.
    carotid
        What finds the internal carotid artery in an X-ray run, such as `bolus.learn.carotid()`; None finds
        it by when and how strongly its pixels fill.
    mappers
        What makes maps of CT and MR by a trained network, by the name that `recipe.method` calls it:
        `bolus.learn.MAPPERS`, or some of one's own. Unless it names one, nothing is loaded.
    classifiers
        What answers questions about the study after the maps; the result holds their answers as `research`.
    progress
        Called as `progress(stage, done, total)`.

    Returns
    -------
    All that was found; nothing is written (`bolus.write` does that). X-ray runs have no lesions.

    Raises
    ------
    BadInput
        If no maps can be made of this series: the message says why and what to do.
    BadRecipe
        If an option is unknown or does not go with this series, such as a `dt` that it was not read with.
    """
    _require_read(series, recipe)
    require_fitting(classifiers, series.modality)
    if series.modality is Modality.XA:
        return run_angiogram(
            series, recipe, place=place, carotid=carotid, classifiers=classifiers, progress=progress
        )
    return run_volume(
        series, recipe, place=place, mappers=mappers, classifiers=classifiers, progress=progress
    )


def _require_read(series: Series, recipe: Recipe) -> None:
    """Refuse choices about reading that the series was not read with: they would do nothing."""
    wanted, found = recipe.modality.upper(), series.modality.value
    if wanted and wanted != found:
        raise _read_otherwise("modality", recipe.modality, f"a series of {found}")
    step = series.median_dt
    if recipe.dt and abs(step - recipe.dt) > _SAME_STEP * recipe.dt:
        raise _read_otherwise("dt", f"{recipe.dt:g} s", f"frames {step:g} s apart")


def _read_otherwise(name: str, asked: str, found: str) -> BadRecipe:
    return BadRecipe(
        f"{name} is a choice of reading, and the series was not read with it",
        wanted=asked,
        found=found,
        remedy="Read it with bolus.load(STUDY, options=bolus.read.ReadOptions.of(recipe)).",
    )
