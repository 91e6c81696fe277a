"""What a run says of itself: findings, versions, mean curves."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from itertools import chain

import numpy as np

from bolus.core.arrays import Float64s, Mask
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration

_PACKAGES = ("bolus", "numpy", "scipy", "numba", "pydicom", "nibabel", "simpleitk", "matplotlib")


def joined(*stages: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Join what the stages noticed, worst first, each code once with its worst severity."""
    worst_last = list(Severity)
    ranked = sorted(chain(*stages), key=lambda f: -worst_last.index(f.severity))
    first: dict[str, Finding] = {}
    for finding in ranked:
        first.setdefault(finding.code, finding)
    return tuple(first.values())


def versions() -> Mapping[str, str]:
    """Return the versions of what a result depends on, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def mean_curve(contrast: Concentration, where: Mask) -> Float64s:
    """Average the curves of a region that hold numbers, block by block; NaN where there are none."""
    rows = contrast.rows(where & contrast.mask)
    rows = rows[np.isfinite(contrast.curves[rows, 0])]
    blocks = (
        contrast.curves[rows[i : i + 4096]].sum(axis=0, dtype=np.float64) for i in range(0, rows.size, 4096)
    )
    total = sum(blocks, start=np.zeros(contrast.times.size))
    return np.asarray(total / rows.size if rows.size else np.full(contrast.times.size, np.nan))
