"""`bolus learn predict thrombus`: what a network says of each view and of both, with a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from bolus import __version__, read
from bolus.core.errors import BadInput
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.export import folder
from bolus.learn import files, runs
from bolus.learn.calibration import mean_chance, put_right
from bolus.learn.clots import grey_frames
from bolus.learn.infer import Network
from bolus.learn.score import chance_of
from bolus.learn.thrombus import as_stored, ask, in_words, reply, require_carotid, require_length
from bolus.pipeline.angiogram import prepare_run

PREDICTION: Final = "prediction.json"
KIND: Final = "bolus clot"


def predict(network: Network, study: Path, out: Path) -> dict[str, Any]:
    """Say whether an X-ray run shows a clot, view by view and of both together, and where.

    Parameters
    ----------
    network
        Of the task `thrombus`.
    study, out
        What to read, and the folder to write, which appears whole or not at all.

    Returns
    -------
    The document that is written as JSON: `views` with chance, reply, place (column and row of the file's
    pixels, from 0) and why a view is refused; `pair`
    with chance and reply where two views are answered for; and in `said` the same in words.
    """
    views: list[dict[str, Any]] = []
    with folder.replaced(out, folder.Manifest(PREDICTION, (KIND,))) as made:
        for series in read.load_views(study, options=read.ReadOptions(modality=Modality.XA)):
            name = (series.acquisition.xray.view if series.acquisition.xray else "") or f"run{len(views) + 1}"
            views.append(_one(network, series, name, made))
        pair = _both(network, views)
        names = [path.name for path in made.iterdir()]
        document = {
            "kind": KIND,
            "version": __version__,
            "weights": dict(network.card.files),
            "views": views,
            "pair": pair,
            "said": [in_words(view) for view in views] + ([in_words(pair)] if pair else []),
        }
        files.write_json(made / PREDICTION, document | {"files": [PREDICTION, *names]})
    return document


def _one(network: Network, series: Series, name: str, out: Path) -> dict[str, Any]:
    """Return the answer about one view, and draw it."""
    known = network.card.calibration
    try:
        require_length(series)
        run = prepare_run(series)
        require_carotid(run)
        frames = grey_frames(run.contrast)
        found = ask(network, frames)
    except BadInput as error:
        return {"view": name, "chance": None, "reply": "refused", "reason": str(error), "place": None}
    raw = chance_of(found)
    chance = float(put_right([raw], known)[0])
    place = runs.pointed(found, (frames.shape[1], frames.shape[2]))
    _picture(frames, place).savefig(out / f"{name}.png", dpi=120)
    return {
        "view": name,
        "chance": chance,
        "raw": raw,
        "reply": reply(chance, known).value,
        "reason": "",
        "place": _told(place, run.contrast.grid),
    }


def _told(place: runs.Pointed | None, grid: Grid) -> dict[str, float] | None:
    if place is None:
        return None
    column, row, _ = as_stored(place, grid)
    return {"x": column, "y": row, "spread_percent": place.spread_percent}


def _both(network: Network, views: list[dict[str, Any]]) -> dict[str, Any] | None:
    raw = [view["raw"] for view in views if view["chance"] is not None]
    if len(raw) < 2:
        return None
    known = network.card.calibration.get("pair", {})
    chance = float(put_right([mean_chance(raw)], known)[0])
    return {
        "view": "pair",
        "chance": chance,
        "reply": reply(chance, known).value,
        "reason": "",
        "place": None,
    }


def _picture(frames: Any, place: runs.Pointed | None) -> Figure:
    """Draw what is darkest over time, and a ring about the place."""
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(frames.min(axis=0), cmap="gray", interpolation="nearest")
    if place is not None:
        turn = np.linspace(0.0, 2.0 * np.pi, 100)
        radius = place.spread_percent / 100.0 * frames.shape[2]
        axes.plot(place.x + radius * np.cos(turn), place.y + radius * np.sin(turn), color="#56b4e9", lw=1.5)
    axes.set_axis_off()
    return figure
