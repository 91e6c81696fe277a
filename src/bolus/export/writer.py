"""Writing a result: everything into a hidden folder beside the wanted one, then one rename."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bolus.core.finding import Progress, silent
from bolus.core.result import Result
from bolus.core.units import Modality
from bolus.export import figures, folder, layout, nifti, projections, report, summary, tables

MANIFEST: Final = folder.Manifest(layout.SUMMARY, (summary.KIND, summary.KIND_OF_VIEWS))
"""How an earlier result is known."""


def write(
    result: Result,
    out: str | Path,
    *,
    overwrite: bool = False,
    colours: str = "spectrum",
    progress: Progress = silent,
) -> Path:
    """Write all of a result into a folder: maps, masks, curves, figures, summary and report.

    The folder appears whole or not at all. A folder that an earlier result fills is replaced in one
    step, so that a run which is killed leaves the old result or the new one.

    Parameters
    ----------
    result
        What `bolus.run` gave.
    out
        Folder; made where it is missing.
    overwrite
        Replace the folder whatever it holds. Files in it are lost.
    colours
        Colour table of the maps: `spectrum`, `cividis` or `grey`.
    progress
        Called as `progress("export", done, total)`.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputFailed
        If the folder holds something else than an earlier result, or the disk refuses; nothing that
        is half-written stays.
    BadRecipe
        If there is no such colour table.
    """
    with folder.replaced(out, MANIFEST, overwrite=overwrite) as made:
        _write_all(result, made, colours, progress)
    return folder.resolved(out)


def write_views(
    results: Sequence[Result],
    out: str | Path,
    *,
    overwrite: bool = False,
    colours: str = "spectrum",
    progress: Progress = silent,
) -> Path:
    """Write the views of one injection: each into a folder of its own, and one report of all side by side.

    Parameters
    ----------
    results
        What `bolus.run` gave for each view, in the order of reading.
    out, overwrite, colours, progress
        As for `write`.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputFailed, BadRecipe
        As for `write`.
    """
    with folder.replaced(out, MANIFEST, overwrite=overwrite) as made:
        drawn = []
        for name, result in layout.views(results).items():
            (made / name).mkdir()
            drawn.append((result, _write_all(result, made / name, colours, progress)))
        (made / layout.REPORT).write_text(projections.render(drawn), encoding="utf-8")
        document = summary.summarise_views(results)
        (made / layout.SUMMARY).write_text(summary.dumps(document), encoding="utf-8")
    return folder.resolved(out)


def require_writable(out: str | Path) -> None:
    """Make sure, before an hour of work, that a result may be written to a folder.

    Raises
    ------
    OutputFailed
        If it is a file, holds something else than an earlier result, or lies where nothing may be
        written.
    """
    folder.require_writable(out, MANIFEST)


def _write_all(result: Result, made: Path, colours: str, progress: Progress) -> dict[str, bytes]:
    """Write every file, and return the figures; the summary comes last, so that it vouches for the others."""
    total = len(layout.figure_names(result)) + 3
    for name in {str(Path(f).parent) for f in layout.files(result)}:
        (made / name).mkdir(exist_ok=True)
    progress("export", 0, total)
    _write_volumes(result, made)
    progress("export", 1, total)
    drawn = {}
    for name, png in figures.draw_all(result, colours=colours):
        (made / "figures" / f"{name}.png").write_bytes(png)
        drawn[name] = png
        progress("export", 1 + len(drawn), total)
    (made / layout.REPORT).write_text(_report(result, drawn), encoding="utf-8")
    progress("export", total - 1, total)
    tables.write_recipe(made / layout.RECIPE, result.recipe)
    (made / layout.SUMMARY).write_text(summary.dumps(summary.summarise(result)), encoding="utf-8")
    progress("export", total, total)
    return drawn


def _report(result: Result, drawn: Mapping[str, bytes]) -> str:
    if result.modality is Modality.XA:
        return projections.render([(result, drawn)])
    return report.render(result, drawn)


def _write_volumes(result: Result, made: Path) -> None:
    for image in result.maps.values():
        nifti.write_map(made / "maps" / f"{layout.stem(image.name)}.nii.gz", image)
        if image.sd is not None:
            nifti.write_deviation(made / "maps" / f"{layout.stem(image.name)}_sd.nii.gz", image)
    if result.lesions is not None:
        for name, mask in (("core", result.lesions.core), ("hypoperfused", result.lesions.hypoperfused)):
            nifti.write_mask(made / "lesions" / f"{name}.nii.gz", mask, result.grid, name)
        chance = result.lesions.intervals.chance if result.lesions.intervals else {}
        for name, volume in chance.items():
            path = made / "lesions" / f"{name}_probability.nii.gz"
            nifti.write_chance(path, volume, result.grid, name)
    for key, curve in layout.curves(result).items():
        tables.write_curve(made / "vessels" / f"{key}.csv", curve)
        if curve.voxels.size:
            chosen = np.zeros(result.grid.shape, dtype=np.bool_)
            chosen[tuple(curve.voxels.T)] = True
            nifti.write_mask(made / "vessels" / f"{key}.nii.gz", chosen, result.grid, curve.name)
