"""Core, hypoperfused tissue, and the numbers made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bolus.core.arrays import Mask, Volume
from bolus.core.brain import Midline


@dataclass(frozen=True, slots=True)
class TrialLabel:
    """Whether the imaging numbers of a trial were met: a label, never advice.

    Parameters
    ----------
    trial
        Name of the trial.
    met
        Whether the numbers are met; None where they need something that imaging does not give.
    text
        The criterion in words, with the numbers found.
    """

    trial: str
    met: bool | None
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """How sure the volumes are, by noise and model error of the maps.

    Parameters
    ----------
    level
        Part of simulated studies whose true volume lies within, 0 to 1.
    n_samples
        Sampled sets of maps that it was made from.
    volumes_ml
        Lower and upper bound [mL] by name of the volume, and of `mismatch`; the volume itself lies between.
    sd_ml
        Standard deviations of the sampled volumes [mL], by the same names.
    chance
        Part of the samples in which a voxel was `core` or `hypoperfused`, shape `(x, y, z)`; NaN outside
        brain tissue.
    """

    level: float
    n_samples: int
    volumes_ml: Mapping[str, tuple[float, float]]
    sd_ml: Mapping[str, float]
    chance: Mapping[str, Volume]


@dataclass(frozen=True, slots=True, eq=False)
class Lesions:
    """Lesions by one rule.

    Parameters
    ----------
    rule
        Name of the rule, such as `rapid`.
    core, hypoperfused
        Masks after clean-up, shape `(x, y, z)`.
    tissue
        Voxels that the rule was applied to.
    side
        Affected side: `left`, `right` or `none`.
    midline
        The plane that mirrors healthy onto affected tissue; None where none was found.
    reference
        Medians of healthy tissue by map name, in the maps' units.
    volumes_ml
        Volumes [mL] by name: `core`, `hypoperfused`, `penumbra`, `tmax>4s` ... `tmax>10s`,
        `cbf<20%` ... `cbf<38%`, and before clean-up `core_unfiltered`, `hypoperfused_unfiltered`.
    mismatch_ml
        Hypoperfused minus core volume [mL].
    mismatch_ratio
        Hypoperfused over core volume; infinite where there is hypoperfusion and no core, NaN for 0/0.
    hypoperfusion_intensity_ratio
        Volume of Tmax > 10 s over that of Tmax > 6 s; None under 5 mL of the latter.
    cbv_index
        Mean CBV where Tmax > 6 s over that of normal tissue; None where undefined.
    labels
        Trials' imaging numbers.
    methods
        One sentence a step, for the methods paragraph.
    criteria
        What was applied, in words, under `rule`, `core` and `hypoperfused`.
    intervals
        How sure the volumes are; None where the maps have no standard deviations.
    """

    rule: str
    core: Mask
    hypoperfused: Mask
    tissue: Mask
    side: str
    midline: Midline | None
    reference: Mapping[str, float]
    volumes_ml: Mapping[str, float]
    mismatch_ml: float
    mismatch_ratio: float
    hypoperfusion_intensity_ratio: float | None
    cbv_index: float | None
    labels: tuple[TrialLabel, ...] = ()
    methods: tuple[str, ...] = field(default=())
    criteria: Mapping[str, str] = field(default_factory=dict)
    intervals: Intervals | None = None
