"""All that a rule is applied to, and what it makes of it: masks of lesions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Mask, Volume
from bolus.core.grid import Grid
from bolus.core.maps import Maps
from bolus.lesions.cleanup import clean
from bolus.lesions.rules import Against, Rule, Threshold

TMAX_STEPS_S: Final = (4, 6, 8, 10)
"""Tmax thresholds whose volumes are always reported [s]."""
CBF_STEPS_PERCENT: Final = (20, 30, 34, 38)
"""Relative CBF thresholds whose volumes are always reported [% of healthy tissue]."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that thresholds are applied to.

    Parameters
    ----------
    maps
        All maps, for their units.
    values
        Smoothed values by name, shape `(x, y, z)`, or any part of the volume.
    reference
        Medians of healthy tissue by name.
    tissue
        Voxels that can be a lesion, shape as `values`.
    fillable
        Voxels that filling a hole may add, shape as `values`.
    grid
        For volumes.
    min_lesion_ml
        Smallest component that counts [mL].
    """

    maps: Maps
    values: Mapping[str, Volume]
    reference: Mapping[str, float]
    tissue: Mask
    fillable: Mask
    grid: Grid
    min_lesion_ml: float

    def where(self, thresholds: tuple[Threshold, ...], within: Mask) -> Mask:
        """Return tissue of a region that meets all thresholds, before clean-up."""
        met = self.tissue & within
        for t in thresholds:
            unit, name = self.maps[t.quantity].unit, t.quantity
            met = met & t.met(self.values[name], unit, self.reference.get(name, float("nan")))
        return met

    def clean(self, mask: Mask, within: Mask) -> Mask:
        """Tidy a mask without letting it grow out of its region."""
        return clean(mask, self.grid, self.fillable & within, min_lesion_ml=self.min_lesion_ml)

    def drawn(self, thresholds: tuple[Threshold, ...], within: Mask) -> Mask:
        """Return the tidy mask of tissue of a region that meets all thresholds."""
        return self.clean(self.where(thresholds, within), within)

    def ml(self, mask: Mask) -> float:
        """Return a mask's volume [mL]."""
        return float(np.count_nonzero(mask)) * self.grid.voxel_ml


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Core and hypoperfused tissue, before and after clean-up."""

    core: Mask
    hypoperfused: Mask
    raw_core: Mask
    raw_hypoperfused: Mask


def later_than(seconds: float) -> Threshold:
    """Return the threshold of a Tmax [s]."""
    return Threshold("Tmax", ">", float(seconds), unit="s")


def outline(scene: Scene, rule: Rule, affected: Mask) -> Outlines:
    """Apply a rule to a scene whose affected half is known."""
    hypo_half = affected if rule.hypoperfused_on_affected_side else np.ones_like(affected)
    raw_hypo = scene.where(rule.hypoperfused, hypo_half)
    hypoperfused = scene.clean(raw_hypo, hypo_half)
    core_half = affected & hypoperfused if rule.core_inside_hypoperfused else affected
    raw_core = scene.where(rule.core, core_half)
    return Outlines(scene.clean(raw_core, core_half), hypoperfused, raw_core, raw_hypo)


def step_masks(
    scene: Scene, rule: Rule, drawn: Outlines, affected: Mask, percents: tuple[int, ...]
) -> Iterator[tuple[str, Mask]]:
    """Yield the name and the mask of the fixed steps of Tmax, and of CBF on the affected side.

    A step that is the rule itself has been drawn already.
    """
    everywhere = np.ones_like(affected)
    ruled = () if rule.hypoperfused_on_affected_side else rule.hypoperfused
    for seconds in TMAX_STEPS_S:
        late = (later_than(seconds),)
        known = drawn.hypoperfused if late == ruled else None
        yield f"tmax>{seconds}s", scene.drawn(late, everywhere) if known is None else known
    ruled = () if rule.core_inside_hypoperfused else rule.core
    for percent in percents:
        low = (Threshold("CBF", "<", percent / 100, Against.RATIO),)
        known = drawn.core if low == ruled else None
        yield f"cbf<{percent}%", scene.drawn(low, affected) if known is None else known


def measure(
    scene: Scene, rule: Rule, affected: Mask, *, percents: tuple[int, ...] = CBF_STEPS_PERCENT
) -> tuple[Outlines, dict[str, float]]:
    """Draw the lesions of a rule and measure them and the fixed steps [mL]."""
    drawn = outline(scene, rule, affected)
    return drawn, {
        "core": scene.ml(drawn.core),
        "hypoperfused": scene.ml(drawn.hypoperfused),
        "penumbra": scene.ml(drawn.hypoperfused & ~drawn.core),
        "core_unfiltered": scene.ml(drawn.raw_core),
        "hypoperfused_unfiltered": scene.ml(drawn.raw_hypoperfused),
        **{name: scene.ml(mask) for name, mask in step_masks(scene, rule, drawn, affected, percents)},
    }
