"""Imaging numbers of treatment trials, as labels: what they were, never what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from bolus.core.lesion import TrialLabel

SPANS: Final = "The interval spans the limit."
"""Stands in a label that would read otherwise somewhere within the intervals of its volumes."""
_COMPARED: Final = ("cbf<30%", "tmax>6s", "tmax>10s")
_CORE_LIMITS_ML: Final = (21.0, 31.0, 50.0, 51.0, 70.0, 100.0)
"""Cores at which a label changes: bounds alone would miss a trial that asks for one between two of them."""
_MET: Final = "criteria met on imaging numbers"
_NOT_MET: Final = "criteria not met on imaging numbers"
_UNKNOWN: Final = "imaging numbers alone do not decide"


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the trials looked at: rCBF < 30 % and Tmax [mL], whatever rule made the lesions."""

    core: float
    late: float
    very_late: float

    @property
    def mismatch(self) -> float:
        return self.late - self.core

    @property
    def ratio(self) -> float:
        return mismatch_ratio(self.late, self.core)

    @property
    def text(self) -> str:
        ratio = ">99" if self.ratio > 99 else f"{self.ratio:.1f}"
        return f"core {self.core:.0f} mL, mismatch {self.mismatch:.0f} mL, ratio {ratio}"


def mismatch_ratio(hypoperfused_ml: float, core_ml: float) -> float:
    """Return hypoperfused over core volume: infinite without a core, NaN without either."""
    if core_ml > 0:
        return hypoperfused_ml / core_ml
    return float("inf") if hypoperfused_ml > 0 else float("nan")


def trial_labels(volumes_ml: Mapping[str, float]) -> tuple[TrialLabel, ...]:
    """Compare the volumes with the imaging numbers of trials.

    Trials measured rCBF < 30 % and Tmax > 6 s, so these are compared, whatever rule the lesions follow.

    Parameters
    ----------
    volumes_ml
        Must hold `cbf<30%`, `tmax>6s` and `tmax>10s` [mL].

    Returns
    -------
    One label a trial; none where a volume is not known.

    References
    ----------
    DAWN: Nogueira et al. 2018, doi:10.1056/NEJMoa1706442. DEFUSE 3: Albers et al. 2018,
    doi:10.1056/NEJMoa1713973. EXTEND: Ma et al. 2019, doi:10.1056/NEJMoa1813046. SWIFT PRIME: Saver et
    al. 2015, doi:10.1056/NEJMoa1415061. SELECT2: Sarraj et al. 2023, doi:10.1056/NEJMoa2214403.
    ANGEL-ASPECT: Huo et al. 2023, doi:10.1056/NEJMoa2213379
    """
    found = [float(volumes_ml.get(key, float("nan"))) for key in _COMPARED]
    if not np.isfinite(found).all():
        return ()
    n = _Numbers(*found)
    return (_dawn(n), _defuse3(n), _extend(n), _swift_prime(n), _select2(n), _angel_aspect(n))


def marked(
    labels: tuple[TrialLabel, ...], bounds_ml: Mapping[str, tuple[float, float]]
) -> tuple[TrialLabel, ...]:
    """Say in each label whether volumes within their bounds [mL] would change it."""
    core, *late = (bounds_ml[key] for key in _COMPARED)
    between = [limit for limit in _CORE_LIMITS_ML if core[0] < limit < core[1]]
    possible = product([*core, *between], *late)
    others = [trial_labels(dict(zip(_COMPARED, volumes, strict=True))) for volumes in possible]

    def changes(i: int) -> bool:
        return any(_said(other[i]) != _said(labels[i]) for other in others)

    return tuple(
        replace(label, text=f"{label.text} {SPANS}") if changes(i) else label
        for i, label in enumerate(labels)
    )


def _said(label: TrialLabel) -> str:
    """Return whether the criterion is met, and which groups of patients it leaves: all but the volumes."""
    return label.text.partition("; found ")[0]


def _decided(trial: str, criterion: str, met: bool, found: str) -> TrialLabel:
    return TrialLabel(trial, met, f"{_MET if met else _NOT_MET}: {criterion}; found {found}.")


def _open(trial: str, criterion: str, needs: str, found: str) -> TrialLabel:
    return TrialLabel(trial, None, f"{_UNKNOWN}: {criterion}; found {found}; {needs} needed.")


def _dawn(n: _Numbers) -> TrialLabel:
    groups = (
        (21.0, "80 years or older, NIHSS 10 or more: core < 21 mL"),
        (31.0, "under 80 years, NIHSS 10 or more: core < 31 mL"),
        (51.0, "under 80 years, NIHSS 20 or more: core 31 to < 51 mL"),
    )
    trial, found = "DAWN (6-24 h)", f"core {n.core:.0f} mL"
    possible = [text for limit, text in groups if n.core < limit and not (limit == 51 and n.core < 31)]
    if not possible:
        return _decided(trial, "core < 51 mL in every group", met=False, found=found)
    return _open(trial, "; or ".join(possible), "age and NIHSS are", found)


def _defuse3(n: _Numbers) -> TrialLabel:
    met = n.core < 70 and n.ratio >= 1.8 and n.mismatch >= 15
    return _decided("DEFUSE 3 (6-16 h)", "core < 70 mL, ratio >= 1.8, mismatch >= 15 mL", met, n.text)


def _extend(n: _Numbers) -> TrialLabel:
    met = n.core < 70 and n.ratio > 1.2 and n.mismatch > 10
    trial = "EXTEND (4.5-9 h or wake-up)"
    return _decided(trial, "core < 70 mL, ratio > 1.2, mismatch > 10 mL", met, n.text)


def _swift_prime(n: _Numbers) -> TrialLabel:
    met = n.core <= 50 and n.ratio >= 1.8 and n.mismatch >= 15 and n.very_late <= 100
    criterion = "core <= 50 mL, ratio >= 1.8, mismatch >= 15 mL, Tmax > 10 s <= 100 mL"
    found = f"{n.text}, Tmax > 10 s {n.very_late:.0f} mL"
    return _decided("SWIFT PRIME (within 6 h)", criterion, met, found)


def _select2(n: _Numbers) -> TrialLabel:
    trial, criterion = "SELECT2 (within 24 h, large core)", "rCBF < 30 % >= 50 mL, or ASPECTS 3-5"
    if n.core >= 50:
        return _decided(trial, criterion, met=True, found=f"core {n.core:.0f} mL")
    return _open(trial, criterion, "ASPECTS is", f"core {n.core:.0f} mL")


def _angel_aspect(n: _Numbers) -> TrialLabel:
    trial, criterion = "ANGEL-ASPECT (within 24 h, large core)", "core 70-100 mL, or ASPECTS 3-5"
    if 70 <= n.core <= 100:
        return _decided(trial, criterion, met=True, found=f"core {n.core:.0f} mL")
    return _open(trial, criterion, "ASPECTS is", f"core {n.core:.0f} mL")
