"""What puts answers about clots right beyond one view: pairs of views, and the circle about the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bolus.learn.calibration import fit_scaling, put_right, unsure_band
from bolus.learn.verdicts import Verdict, paired, verdict

LEVEL: Final = 0.8
"""Part of the clots that the circle about the place is made to hold."""
_CALLED: Final = 0.5


def beyond_one_view(rows: Sequence[Any]) -> dict[str, Any]:
    """Return `pair` and `place` of rows of `bolus.learn.evaluate`, each where the rows tell it."""
    judged = [verdict(row.patient, row.view, row.site, row.scores, row.meta) for row in rows]
    pointing = [row.scores for row in rows if "spread_percent" in row.scores]
    found = {"pair": of_pairs(judged), "place": of_places(pointing)}
    return {name: value for name, value in found.items() if value}


def of_pairs(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return `temperature`, `offset` and the `unsure` band of pairs of views, outside which 95 % are right.

    Parameters
    ----------
    verdicts
        Of single views of patients that did not train the network, as it gave them.

    Returns
    -------
    Empty where no patient has two views, or all pairs are the same.
    """
    both = paired(verdicts)
    said, truth = [one.chance for one in both], [one.truth for one in both]
    if not any(truth) or all(truth):
        return {}
    scaling = fit_scaling(said, truth)
    band = unsure_band(put_right(said, scaling), truth)
    return {**scaling, "unsure": list(band), "cases": len(both)}


def of_places(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by how much the spread of the place is multiplied to reach the true place in 80 % of the clots.

    Parameters
    ----------
    scores
        Of `bolus.learn.runs.score`, one a view; those that see a clot where one is are counted.

    Returns
    -------
    `reach`, `level` and the number of `cases`; empty where there are none.
    """
    reach = [
        one["off_percent"] / one["spread_percent"]
        for one in scores
        if one["truth"] > 0 and one["chance"] >= _CALLED and np.isfinite(one["off_percent"])
    ]
    if not reach:
        return {}
    return {"reach": float(np.quantile(reach, LEVEL)), "level": LEVEL, "cases": len(reach)}
