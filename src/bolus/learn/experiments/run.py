"""The table of experiments, and writing what they find."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bolus import __version__
from bolus.core.errors import BadRecipe
from bolus.learn import files
from bolus.learn.experiments.bench import Bench, Experiment, Finished
from bolus.learn.experiments.classifying import ablation, cross_validation, ensemble
from bolus.learn.experiments.combining import combinations
from bolus.learn.experiments.masks import postprocess
from bolus.learn.experiments.perfusion import quantitative
from bolus.learn.experiments.training import augmentation, data_split

EXPERIMENTS: Final[Mapping[str, Experiment]] = MappingProxyType(
    {
        "augmentation": augmentation,
        "data-split": data_split,
        "postprocess": postprocess,
        "quantitative": quantitative,
        "cross-validation": cross_validation,
        "ablation": ablation,
        "ensemble": ensemble,
        "combinations": combinations,
    }
)
"""Experiments by name."""
NEEDS_NETWORK: Final = frozenset({"postprocess", "quantitative"})
"""Those that test a network; the others train some."""
OF_CLASSIFIERS: Final = frozenset({"cross-validation", "ablation", "ensemble", "combinations"})
"""Those of tasks that answer yes or no; the others are of the carotid."""
_LABELLING: Final = frozenset({"label", "core"})


def conduct(name: str, bench: Bench) -> Finished:
    """Do an experiment and write its table, numbers and figures into `bench.out`.

    Raises
    ------
    BadRecipe
        If there is none of that name, or it is of other tasks.
    """
    if name not in EXPERIMENTS:
        raise BadRecipe("unknown experiment", wanted=", ".join(EXPERIMENTS), found=name)
    if (bench.task.head in _LABELLING) != (name in OF_CLASSIFIERS):
        kind = "tasks that answer yes or no" if name in OF_CLASSIFIERS else "tasks that outline"
        raise BadRecipe(f"the experiment {name} is of {kind}", found=bench.task.name)
    found = EXPERIMENTS[name](bench)
    stem = name.replace("-", "_")
    for figure, drawn in found.figures.items():
        with files.whole(bench.out / f"{stem}_{figure}.png") as made:
            drawn.savefig(made, dpi=120, format="png")
    files.write_json(bench.out / f"{stem}.json", _document(name, bench, found))
    with files.whole(bench.out / f"{stem}.md") as made:
        made.write_text(found.markdown(), encoding="utf-8")
    return found


def _document(name: str, bench: Bench, found: Finished) -> dict[str, Any]:
    network = None if bench.segment is None else dict(bench.segment.network.card.files)
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
