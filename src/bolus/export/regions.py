"""Regions that maps are summarised over, and the statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bolus.core.arrays import Floats, Mask
from bolus.core.result import Result

_PERCENTILES = {"p05": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95}


def regions(result: Result) -> dict[str, Mask]:
    """Return the regions of a result, shape `(x, y, z)` each.

    Returns
    -------
    `tissue`; and where lesions were not withheld `core`, `hypoperfused` (core included where it lies
    inside), `penumbra` (hypoperfused without core) and `healthy` (the rest of the tissue).
    """
    lesions = result.lesions
    if lesions is None:
        return {"tissue": result.brain.tissue}
    return {
        "core": lesions.core,
        "hypoperfused": lesions.hypoperfused,
        "penumbra": lesions.hypoperfused & ~lesions.core,
        "healthy": lesions.tissue & ~lesions.hypoperfused & ~lesions.core,
        "tissue": lesions.tissue,
    }


def statistics(values: Floats) -> Mapping[str, float | int | None]:
    """Describe values of any shape, in their own unit; NaN and infinite ones are counted as failed.

    Returns
    -------
    `n`, `n_failed`, `mean`, `sd`, `p05`, `p25`, `median`, `p75`, `p95`; None where nothing is left.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    described: dict[str, float | int | None] = {
        "n": int(values.size),
        "n_failed": int(values.size - finite.size),
        "mean": plain(finite.mean()) if finite.size else None,
        "sd": plain(finite.std()) if finite.size else None,
    }
    ranked = np.percentile(finite, list(_PERCENTILES.values())) if finite.size else [None] * len(_PERCENTILES)
    described.update({k: None if v is None else plain(v) for k, v in zip(_PERCENTILES, ranked, strict=True)})
    return described


def plain(value: float | None) -> float | None:
    """Return a float of six significant digits that JSON can hold: None for NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
