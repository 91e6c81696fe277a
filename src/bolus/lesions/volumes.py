"""Maps become lesions, and lesions become numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from bolus.core.arrays import Volume
from bolus.core.brain import Brain, Midline
from bolus.core.errors import ShapeMismatch
from bolus.core.finding import Finding, Severity
from bolus.core.grid import Grid, same_place
from bolus.core.lesion import Lesions
from bolus.core.maps import Maps
from bolus.lesions import labels, reference
from bolus.lesions.cleanup import MAX_HOLE_ML, median_in_plane, without_vessels
from bolus.lesions.midline import find_midline, midline_findings
from bolus.lesions.reference import Sides
from bolus.lesions.rules import Rule, find_rule
from bolus.lesions.scene import Outlines, Scene, later_than, measure

MIN_HIR_ML: Final = 5.0
"""Volume of Tmax > 6 s below which the hypoperfusion intensity ratio is left undefined [mL]."""
SMOOTHED: Final = ("CBF", "CBV", "MTT", "Tmax", "TTP", "BAT", "delay")
"""Maps that a threshold may look at, and that are smoothed for it."""


def find_lesions(
    maps: Maps, brain: Brain, underlay: Volume, *, rule: str = "rapid", min_lesion_ml: float = 1.0
) -> tuple[Lesions, tuple[Finding, ...]]:
    """Outline core and hypoperfused tissue and measure them.

    Parameters
    ----------
    maps
        At least `CBF` and `Tmax`, and what the rule needs; NaN where there is no number.
    brain
        Its masks; only `tissue` can be a lesion.
    underlay
        Mean pre-contrast volume, shape `(x, y, z)`, for the midline.
    rule
        A key of `RULES`.
    min_lesion_ml
        Smallest component that counts [mL].

    Returns
    -------
    The lesions, and findings: `MIDLINE_UNSURE`, `BILATERAL`, `REFERENCE_SMALL`, and of severity `fail`
    `NO_REFERENCE` and `NO_TISSUE`, with which volumes mean nothing.

    Raises
    ------
    BadRecipe
        If the rule is unknown or needs a map that was not made.
    ShapeMismatch
        If maps, masks and underlay do not share one grid.

    References
    ----------
    Straka et al., J Magn Reson Imaging 32:1024-1037 (2010), doi:10.1002/jmri.22338;
    Albers et al., N Engl J Med 378:708-718 (2018), doi:10.1056/NEJMoa1713973
    """
    style = find_rule(rule, maps)
    grid = _shared_grid(maps, brain, underlay)
    midline = find_midline(underlay, grid, brain)
    scene, sides, findings = _set_scene(maps, brain, midline, min_lesion_ml)
    drawn, volumes = measure(scene, style, sides.affected_half)
    found = (*midline_findings(midline), *findings)
    return _lesions(scene, style, drawn, volumes, (sides, midline)), found


def _shared_grid(maps: Maps, brain: Brain, underlay: Volume) -> Grid:
    """Return the one grid of all inputs."""
    grid = maps["Tmax"].grid
    for name, one in maps.items():
        if not same_place(one.grid, grid):
            raise ShapeMismatch(f"the {name} map and the Tmax map do not lie in the same place")
    grid.require_shape(brain.tissue.shape, "the brain mask")
    grid.require_shape(underlay.shape, "the underlay")
    return grid


def _set_scene(
    maps: Maps, brain: Brain, midline: Midline, min_lesion_ml: float
) -> tuple[Scene, Sides, tuple[Finding, ...]]:
    """Smooth the maps, find the affected side and measure healthy tissue."""
    grid = maps["Tmax"].grid
    tissue = without_vessels(brain.tissue & np.isfinite(maps["CBF"].values), maps)
    values = {name: median_in_plane(maps[name].values, tissue) for name in SMOOTHED if name in maps}
    scene = Scene(maps, values, {}, tissue, brain.tissue, grid, min_lesion_ml)
    everywhere = np.ones(grid.shape, dtype=np.bool_)
    late = scene.drawn((later_than(reference.HYPOPERFUSED_S),), everywhere)
    right = reference.right_half(grid, midline)
    sides = reference.find_sides(late, right, grid, values.get("TTP"))
    healthy, findings = reference.healthy_tissue(tissue, values["Tmax"], sides, grid)
    healthy_values = reference.medians(maps, values, healthy)
    if not tissue.any():
        text = "No voxel of brain tissue has a CBF: lesions cannot be measured."
        findings = (Finding("NO_TISSUE", Severity.FAIL, text, 0.0),)
    ready = Scene(maps, values, healthy_values, tissue, brain.tissue, grid, min_lesion_ml)
    return ready, sides, (*sides.findings, *findings)


def _lesions(
    scene: Scene,
    rule: Rule,
    drawn: Outlines,
    volumes: Mapping[str, float],
    place: tuple[Sides, Midline],
) -> Lesions:
    sides, midline = place
    late_ml = volumes["tmax>6s"]
    return Lesions(
        rule=rule.key,
        core=drawn.core,
        hypoperfused=drawn.hypoperfused,
        tissue=scene.tissue,
        side=sides.affected,
        midline=midline,
        reference=scene.reference,
        volumes_ml=volumes,
        mismatch_ml=volumes["hypoperfused"] - volumes["core"],
        mismatch_ratio=labels.mismatch_ratio(volumes["hypoperfused"], volumes["core"]),
        hypoperfusion_intensity_ratio=volumes["tmax>10s"] / late_ml if late_ml >= MIN_HIR_ML else None,
        cbv_index=_cbv_index(scene),
        labels=labels.trial_labels(volumes),
        methods=_methods(scene, rule, sides),
        criteria={
            "rule": rule.label,
            "core": " and ".join(t.text for t in rule.core),
            "hypoperfused": " and ".join(t.text for t in rule.hypoperfused),
        },
    )


def _cbv_index(scene: Scene) -> float | None:
    """Return mean CBV where Tmax > 6 s over that where Tmax <= 4 s; None where either is missing."""
    if "CBV" not in scene.maps:
        return None
    tmax, cbv = scene.values["Tmax"], scene.maps["CBV"].values
    usable = scene.tissue & np.isfinite(cbv)
    everywhere = np.ones_like(usable)
    late = scene.drawn((later_than(6),), everywhere) & usable
    with np.errstate(invalid="ignore"):
        timely = usable & (tmax <= reference.HEALTHY_S)
    if scene.ml(late) < MIN_HIR_ML or not timely.any():
        return None
    normal = float(cbv[timely].mean(dtype=np.float64))
    return float(cbv[late].mean(dtype=np.float64)) / normal if normal > 0 else None


def _methods(scene: Scene, rule: Rule, sides: Sides) -> tuple[str, ...]:
    flow, delay = scene.reference.get("CBF", float("nan")), scene.reference.get("Tmax", float("nan"))
    where = {"none": "both halves of the brain"}.get(sides.affected, "the half opposite the lesion")
    return (
        "Maps were smoothed by a 3 x 3 median in each slice, fluid and vessels left out.",
        f"Healthy tissue is tissue with Tmax <= {reference.HEALTHY_S:g} s in {where}; its medians are "
        f"CBF {flow:.1f} {scene.maps['CBF'].unit} and Tmax {delay:.1f} s.",
        rule.text,
        f"Components under {scene.min_lesion_ml:g} mL (26-connected) were dropped and holes in a slice up to "
        f"{MAX_HOLE_ML:g} mL filled.",
    )
