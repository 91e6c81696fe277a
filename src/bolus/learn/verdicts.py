"""What a classifier reached on all cases together: by view, by pairs of views and by where the finding is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from bolus.learn.calibration import cooled, expected_error, fit_temperature, mean_chance
from bolus.learn.roc import auc, confusion, mcc, with_interval

PLACE: Final = "clot"
"""Remark of a case that says where its finding is, `none` where there is none."""


_CHANCE: Final = "_chance"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A chance and the truth of one case, or of a pair of views.

    Parameters
    ----------
    patient, view, site
        Whose it is, from which side, and where it comes from.
    chance, truth
        Of being positive, 0-1, and whether it is.
    place
        Where the finding is, in a word; empty: none, or not said.
    """

    patient: str
    view: str
    site: str
    chance: float
    truth: bool
    place: str = ""


def verdict(
    patient: str, view: str, site: str, scores: Mapping[str, float], meta: Mapping[str, Any]
) -> Verdict:
    """Return the verdict in the scores of a case, which hold `chance` and `truth`."""
    place = str(meta.get(PLACE, "none"))
    return Verdict(
        patient, view, site, scores["chance"], scores["truth"] > 0, "" if place == "none" else place
    )


def paired(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return one verdict a patient with several views: their mean log-odds, and positive if any view is."""
    by_patient: dict[str, list[Verdict]] = {}
    for one in verdicts:
        by_patient.setdefault(one.patient, []).append(one)
    return [
        replace(
            views[0],
            view="pair",
            chance=mean_chance([v.chance for v in views]),
            truth=any(v.truth for v in views),
        )
        for views in by_patient.values()
        if len({v.view for v in views}) > 1
    ]


def rivals(rows: Sequence[Any]) -> dict[str, list[Verdict]]:
    """Return verdicts of whatever else was asked about the same cases, by its name.

    Parameters
    ----------
    rows
        Of `bolus.learn.evaluate`: a remark of a case such as `maps_chance` is the chance that `maps` gave.
        Who did not answer all cases is judged on those that it did answer.
    """
    found: dict[str, list[Verdict]] = {}
    for row in rows:
        for remark, chance in row.meta.items():
            if remark.endswith(_CHANCE) and chance is not None:
                own = {"chance": float(chance), "truth": row.scores["truth"]}
                one = verdict(row.patient, row.view, row.site, own, row.meta)
                found.setdefault(remark.removesuffix(_CHANCE), []).append(one)
    return found


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return what was reached: on all cases, by view, by pair, by site, and by place against all negatives.

    Returns
    -------
    For each group: cases, positive cases, `auc` and `mcc` with 95 % intervals by patient, confusion at 0.5,
    and the expected calibration error; NaN is None.
    """
    both = paired(verdicts)
    groups: dict[str, list[Verdict]] = {"all": list(verdicts)} | ({"pair": both} if both else {})
    for one in verdicts:
        for name in {one.view, one.site} - {""}:
            groups.setdefault(name, []).append(one)
    for name in sorted({one.place for one in verdicts} - {""}):
        chosen = both or verdicts
        groups[f"{PLACE} {name}"] = [v for v in chosen if v.place == name or not v.truth]
    return {name: _reached(group) for name, group in groups.items()}


def _reached(group: Sequence[Verdict]) -> dict[str, Any]:
    said, truth = [v.chance for v in group], [v.truth for v in group]
    cases = (said, truth, [v.patient for v in group])
    numbers = {name: asdict(with_interval(of, cases)) for name, of in (("auc", auc), ("mcc", mcc))}
    return {
        "cases": len(group),
        "positive": int(np.count_nonzero(truth)),
        **{name: {k: _plain(v) for k, v in number.items()} for name, number in numbers.items()},
        "confusion": asdict(confusion(said, truth)),
        "calibration_error": expected_error(said, truth),
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def calibrated(verdicts: Sequence[Verdict], known: Sequence[Verdict]) -> list[Verdict]:
    """Return verdicts whose chances are put right by one temperature, fitted to other cases."""
    temperature = fit_temperature([v.chance for v in known], [v.truth for v in known])
    chances = cooled([v.chance for v in verdicts], temperature)
    return [replace(v, chance=float(c)) for v, c in zip(verdicts, chances, strict=True)]
