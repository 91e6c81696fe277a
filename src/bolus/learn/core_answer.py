"""`bolus learn predict core-size`: what a network says of a study, written with a picture of what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from bolus import __version__, read
from bolus.core.units import Modality
from bolus.export import folder
from bolus.learn import core_size, files
from bolus.learn.core_reply import Answer, ask, reply
from bolus.learn.infer import Network

PREDICTION: Final = "prediction.json"
KIND: Final = "bolus core size"
_PICTURE: Final = "slices.png"
_LEVELS: Final = ("basal ganglia", "above them")
_SHOWN_HU: Final = 20.0


def predict(network: Network, study: Path, out: Path) -> dict[str, Any]:
    """Say whether the core of a CT perfusion study is large.

    Parameters
    ----------
    network
        Of the task `core-size`.
    study, out
        What to read, and the folder to write, which appears whole or not at all.

    Returns
    -------
    The document that is written as JSON: chance, reply, levels, and in `said` the same in words.

    Raises
    ------
    BadInput
        If there is no such answer; see `bolus.learn.core_reply.ask`.
    """
    series = read.load(study, options=read.ReadOptions(modality=Modality.CT))
    found = ask(network, series)
    band = tuple(network.card.calibration.get("unsure", (0.5, 0.5)))
    said = reply(found.chance, (float(band[0]), float(band[1])))
    limit = core_size.limit_of(network)
    document = {
        "kind": KIND,
        "version": __version__,
        "weights": dict(network.card.files),
        "chance": found.chance,
        "reply": said.value,
        "limit_ml": limit,
        "levels": list(found.levels.slices),
        "levels_by": found.levels.how,
        "said": [
            f"core of {limit:.0f} mL or more: {said.value}, chance {found.chance:.2f}",
            f"slices {found.levels.ganglionic} and {found.levels.supraganglionic}, by {found.levels.how}",
        ],
        "files": [PREDICTION, _PICTURE],
    }
    with folder.replaced(out, folder.Manifest(PREDICTION, (KIND,))) as made:
        _picture(found).savefig(made / _PICTURE, dpi=120)
        files.write_json(made / PREDICTION, document)
    return document


def _picture(found: Answer) -> Figure:
    """Draw both slices before contrast, their greatest contrast, and where the core is thought to be."""
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    for row, image, name, i in zip(figure.subplots(2, 3), found.image, _LEVELS, range(2), strict=True):
        rise = image.max(axis=0) - image[:3].mean(axis=0)
        where = np.zeros((1, 1)) if found.where is None else found.where[i]
        for axes, shown, title, limits in (
            (row[0], image[0], f"{name}: before contrast", (0.0, 80.0)),
            (row[1], rise, "greatest contrast", (0.0, _SHOWN_HU)),
            (row[2], where, "chance of core", (0.0, 1.0)),
        ):
            axes.imshow(shown, cmap="gray", vmin=limits[0], vmax=limits[1])
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
    return figure
