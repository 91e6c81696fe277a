"""Names of the files of a result: the one list that writing, the summary and replacing go by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bolus.core.result import Result
from bolus.core.units import Modality
from bolus.core.vessel import VesselCurve

SUMMARY: Final = "summary.json"
REPORT: Final = "report.html"
RECIPE: Final = "recipe.toml"
OVERVIEW: Final = ("CBF", "CBV", "MTT", "Tmax", "TTP")
"""Maps of the overview, in the order of reading; the others follow."""


_VIEWS: Final = {"AP": "ap", "LAT": "lateral"}


def map_names(result: Result) -> tuple[str, ...]:
    """Return the names of the maps in the order of reading."""
    known = tuple(n for n in OVERVIEW if n in result.maps)
    return known + tuple(n for n in result.maps if n not in known)


def figure_names(result: Result) -> tuple[str, ...]:
    """Return the names of the figures, without folder and suffix, in the order of reading."""
    motion = ("motion",) if result.motion is not None else ()
    if result.modality is Modality.XA:
        return ("minip", "curves", "maps", *motion)
    lesions = ("mismatch", "thresholds") if result.lesions is not None else ()
    maps = ("maps", *(f"map_{stem(n)}" for n in map_names(result)))
    return (*lesions, *maps, "vessels", *motion)


def curves(result: Result) -> dict[str, VesselCurve]:
    """Return the vessels' curves by file name: `aif`, and `vof` where a vein was found."""
    found = {"aif": result.vessels.aif, "vof": result.vessels.vof}
    return {key: curve for key, curve in found.items() if curve is not None}


def files(result: Result) -> tuple[str, ...]:
    """Return the paths of all files of a result, relative to its folder, sorted."""
    names = [SUMMARY, REPORT, RECIPE]
    for key, curve in curves(result).items():
        names.append(f"vessels/{key}.csv")
        if curve.voxels.size:
            names.append(f"vessels/{key}.nii.gz")
    if result.lesions is not None:
        names += ["lesions/core.nii.gz", "lesions/hypoperfused.nii.gz"]
        chance = result.lesions.intervals.chance if result.lesions.intervals else ()
        names += [f"lesions/{name}_probability.nii.gz" for name in chance]
    for name, made in result.maps.items():
        names.append(f"maps/{stem(name)}.nii.gz")
        if made.sd is not None:
            names.append(f"maps/{stem(name)}_sd.nii.gz")
    names += [f"figures/{name}.png" for name in figure_names(result)]
    return tuple(sorted(names))


def stem(name: str) -> str:
    """Return the file name of a map: letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def views(results: Sequence[Result]) -> dict[str, Result]:
    """Return the views of one injection by their folder: `ap`, `lateral`, or else `view1`, `view2`."""
    names = [_VIEWS.get(r.acquisition.xray.view if r.acquisition.xray else "", "") for r in results]
    if "" in names or len(set(names)) < len(names):
        names = [f"view{i}" for i in range(1, len(results) + 1)]
    return dict(zip(names, results, strict=True))


def files_of_views(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the paths of all files of the views of one injection, relative to their folder, sorted."""
    inner = [f"{name}/{path}" for name, result in views(results).items() for path in files(result)]
    return tuple(sorted([SUMMARY, REPORT, *inner]))
