"""Outcomes to rows and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np
from scipy.special import ndtri

from bolus.core.arrays import Float64s
from bolus.phantom.kudo import CBVS, DELAYS, MTTS
from bolus.validate.curves import SEEN_TMAX
from bolus.validate.outcome import Outcome
from bolus.validate.rows import Row, Score, Source

Tell: TypeAlias = Callable[..., Source]
"""`tell(**more)`: the source of a row, with more conditions."""
Judge: TypeAlias = Callable[[Outcome, Tell], Iterator[Row | Score]]

LEVELS: Final = (68, 90)
"""Levels of the intervals whose coverage is counted [%]."""
CORE_FRACTION: Final = 0.30
"""Core is where CBF falls below this part of the median of normal tissue (Albers et al. 2018)."""


def errors(outcome: Outcome, tell: Tell) -> Iterator[Row]:
    """Yield bias and spread of each quantity in each tissue."""
    for quantity, found in outcome.values.items():
        truth = outcome.truth[quantity]
        for i, values in enumerate(found):
            if not np.isfinite(truth[i]):
                continue
            error = values - truth[i]
            if quantity == "CBF":
                error = 100.0 * error / truth[i]
            ok = error[np.isfinite(error)]
            yield Row(
                tell(**outcome.tissues.conditions(i)),
                quantity,
                float(ok.mean()) if ok.size else float("nan"),
                float(ok.std(ddof=1)) if ok.size > 1 else float("nan"),
                float(np.median(ok)) if ok.size else float("nan"),
                error.size,
                error.size - ok.size,
            )


def coverage(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield how often the method's own intervals hold the truth, for each quantity and tissue."""
    for quantity, sd in outcome.sd.items():
        for i, truth in enumerate(_held(outcome, quantity)):
            z = np.abs(outcome.values[quantity][i] - truth) / sd[i]
            yield from _covered(z, tell(**outcome.tissues.conditions(i)), quantity)


def coverage_of_all(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield how often the method's own intervals hold the truth, over all tissues together."""
    for quantity, sd in outcome.sd.items():
        z = np.abs(outcome.values[quantity] - _held(outcome, quantity)[:, None]) / sd
        yield from _covered(z.ravel(), tell(), quantity)


def _held(outcome: Outcome, quantity: str) -> Float64s:
    """Return the truth that intervals of a quantity should hold, shape `(tissues,)`."""
    return outcome.truth[SEEN_TMAX if quantity == "Tmax" else quantity]


def _covered(z: Float64s, source: Source, quantity: str) -> Iterator[Score]:
    known = z[np.isfinite(z)]
    for level in LEVELS:
        inside = known <= ndtri(0.5 + level / 200)
        share = float(inside.mean()) if known.size else float("nan")
        yield Score(source, quantity, f"coverage_{level}", share, z.size, z.size - known.size)


def core(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield which part of each tissue is called core.

    References
    ----------
    Albers et al., N Engl J Med 378:708-718 (2018), doi:10.1056/NEJMoa1713973 (the threshold)
    """
    called = _called_core(outcome)
    for i, name in enumerate(outcome.tissues.names):
        yield _share(tell(), name, called[i])


def core_volume(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield how the core of a lesion of graded flow comes out.

    `volume` is that over the true one, `found` the part of the true core that is called core, and `beyond`
    the part of the rest of the lesion.
    """
    names, true = np.array(outcome.tissues.names), outcome.truth["CBF"]
    limit = CORE_FRACTION * true[names == "normal"][0]
    called, in_core = _called_core(outcome), true < limit
    within, beyond = called[in_core], called[~in_core & (names != "normal")]
    yield _share(tell(), "found", within)
    yield _share(tell(), "beyond", beyond)
    total = (np.sum(within) + np.sum(beyond)) / within.size
    yield Score(tell(), "core", "volume", float(total), within.size, int(np.sum(~np.isfinite(within))))


def _called_core(outcome: Outcome) -> Float64s:
    """Return 1 where a voxel is called core, else 0, `(tissues, voxels)`; all NaN if there is no normal flow.

    A voxel without flow is not core: a run would not call it that either.
    """
    flow = outcome.values["CBF"]
    usual = flow[np.array(outcome.tissues.names) == "normal"]
    limit = (
        CORE_FRACTION * float(np.median(usual[np.isfinite(usual)])) if np.isfinite(usual).any() else np.nan
    )
    with np.errstate(invalid="ignore"):
        called: Float64s = np.where(np.isfinite(limit), flow < limit, np.nan)
    return called


def _share(source: Source, measure: str, called: Float64s) -> Score:
    return Score(
        source, "core", measure, float(called.mean()), called.size, int(np.sum(~np.isfinite(called)))
    )


def delays(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield, for each tissue at many delays, how times rise with delay and how far flow changes [%]."""
    names = np.array(outcome.tissues.names)
    for name in dict.fromkeys(outcome.tissues.names):
        of_tissue = names == name
        true = outcome.truth["delay"][of_tissue]
        for quantity, values in outcome.values.items():
            here, source = values[of_tissue], tell(tissue=name)
            lost = int(np.sum(~np.isfinite(here)))
            means = _mean(here)
            if quantity in {"Tmax", "delay"}:
                yield Score(source, quantity, "delay_slope", slope(true, means), here.size, lost)
            if quantity == "CBF":
                change = 100.0 * np.abs(means / means[true == 0.0] - 1.0)
                yield Score(source, quantity, "delay_change", _greatest(change), here.size, lost)


def grid(outcome: Outcome, tell: Tell) -> Iterator[Score]:
    """Yield the figures of merit of the grid of Kudo et al., voxel-wise and of tile means."""
    true = {**outcome.truth, "Tmax": outcome.truth["delay"]}
    for quantity, values in outcome.values.items():
        means = _mean(values)
        wide = np.broadcast_to(true[quantity][:, None], values.shape)
        found = {"r": correlation(wide, values), "r_tiles": correlation(true[quantity], means)}
        if quantity == "CBF":
            found |= {"slope": slope(wide, values), "bias": _bias(wide, values), "delay_ratio": _ratio(means)}
        if quantity in {"Tmax", "delay"}:
            found["delay_slope"] = _delay_slope(means)
        for measure, value in found.items():
            yield Score(tell(), quantity, measure, value, values.size, int(np.sum(~np.isfinite(values))))


def correlation(x: Float64s, y: Float64s) -> float:
    """Return Pearson's r over what is finite; NaN where either does not vary."""
    ok = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(ok) < 3 or np.ptp(x[ok]) == 0 or np.ptp(y[ok]) == 0:
        return float("nan")
    return float(np.corrcoef(x[ok], y[ok])[0, 1])


def slope(x: Float64s, y: Float64s) -> float:
    """Return the slope of the least-squares line of `y` over `x`, over what is finite."""
    ok = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(ok) < 3 or np.ptp(x[ok]) == 0:
        return float("nan")
    return float(np.polyfit(x[ok], y[ok], 1)[0])


def _bias(x: Float64s, y: Float64s) -> float:
    """Return how far all flow together is off [%]."""
    ok = np.isfinite(y)
    return float(100.0 * (y[ok].sum() / x[ok].sum() - 1.0)) if ok.any() else float("nan")


def _ratio(means: Float64s) -> float:
    """Return flow at the longest delay over flow without delay."""
    tiles = means.reshape(len(CBVS), len(MTTS), len(DELAYS))
    ok = np.isfinite(tiles[..., 0]) & np.isfinite(tiles[..., -1])
    return float(tiles[..., -1][ok].sum() / tiles[..., 0][ok].sum()) if ok.any() else float("nan")


def _delay_slope(means: Float64s) -> float:
    """Return the slope over delay, averaged over volumes and transit times."""
    rows = means.reshape(-1, len(DELAYS))
    return float(_mean(np.array([slope(np.array(DELAYS), row) for row in rows])))


def _mean(values: Float64s) -> Float64s:
    """Return the mean of what is finite along the last axis; NaN where nothing is."""
    ok = np.isfinite(values)
    n = ok.sum(axis=-1)
    mean: Float64s = np.where(n > 0, np.where(ok, values, 0.0).sum(axis=-1) / np.maximum(n, 1), np.nan)
    return mean


def _greatest(values: Float64s) -> float:
    ok = values[np.isfinite(values)]
    return float(ok.max()) if ok.size else float("nan")
