"""The table of experiments, and writing what they find."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bolus import __version__
from bolus.core.errors import BadRecipe
from bolus.learn import files
from bolus.learn.experiments.bench import Bench, Experiment, Finished
from bolus.learn.experiments.ctp import cross_validation, dose, lesions
from bolus.learn.experiments.dsc import comparison, fine_tuning
from bolus.learn.experiments.masks import postprocess
from bolus.learn.experiments.perfusion import quantitative
from bolus.learn.experiments.training import augmentation, data_split

EXPERIMENTS: Final[Mapping[str, Experiment]] = MappingProxyType(
    {
        "augmentation": augmentation,
        "data-split": data_split,
        "postprocess": postprocess,
        "quantitative": quantitative,
    }
)
"""Experiments on the carotid, by name."""
OF_MAPS: Final[Mapping[str, Mapping[str, Experiment]]] = MappingProxyType(
    {
        "ctp-unet": {"cross-validation": cross_validation, "lesions": lesions, "dose": dose},
        "dsc-gan": {"comparison": comparison, "fine-tuning": fine_tuning},
    }
)
"""Experiments on maps, by task and name."""
NEEDS_NETWORK: Final = frozenset({"postprocess", "quantitative", "lesions", "dose"})
"""Those that test a network; the others train some."""


def conduct(name: str, bench: Bench) -> Finished:
    """Do an experiment and write its table, numbers and figures into `bench.out`.

    Raises
    ------
    BadRecipe
        If there is none of that name.
    """
    table = OF_MAPS.get(bench.task.name, EXPERIMENTS)
    if name not in table:
        raise BadRecipe("unknown experiment", wanted=", ".join(table), found=name)
    found = table[name](bench)
    stem = name.replace("-", "_")
    for figure, drawn in found.figures.items():
        with files.whole(bench.out / f"{stem}_{figure}.png") as made:
            drawn.savefig(made, dpi=120, format="png")
    files.write_json(bench.out / f"{stem}.json", _document(name, bench, found))
    with files.whole(bench.out / f"{stem}.md") as made:
        made.write_text(found.markdown(), encoding="utf-8")
    return found


def _document(name: str, bench: Bench, found: Finished) -> dict[str, Any]:
    tested = bench.network or (bench.segment.network if bench.segment else None)
    network = dict(tested.card.files) if tested else None
    return {
        "kind": "bolus experiment",
        "version": __version__,
        "experiment": name,
        "data": dict(bench.cases.source),
        "recipe": bench.recipe.as_dict(),
        "network": network,
        "published": found.published,
        **found.numbers,
    }
