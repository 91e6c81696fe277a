"""The table of experiments, and writing what they find."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bolus import __version__
from bolus.core.errors import BadRecipe
from bolus.learn import files
from bolus.learn.experiments import classifying, combining, ctp, dsc
from bolus.learn.experiments.bench import Bench, Experiment, Finished
from bolus.learn.experiments.masks import postprocess
from bolus.learn.experiments.perfusion import quantitative
from bolus.learn.experiments.reading import readouts
from bolus.learn.experiments.training import augmentation, data_split

_CAROTID: Final[Mapping[str, Experiment]] = MappingProxyType(
    {
        "augmentation": augmentation,
        "data-split": data_split,
        "postprocess": postprocess,
        "quantitative": quantitative,
    }
)
EXPERIMENTS: Final[Mapping[str, Mapping[str, Experiment]]] = MappingProxyType(
    {
        "ica": _CAROTID,
        "arteries": _CAROTID,
        "core-size": {
            "cross-validation": classifying.cross_validation,
            "ablation": classifying.ablation,
            "ensemble": classifying.ensemble,
        },
        "thrombus": {
            "cross-validation": classifying.cross_validation,
            "ensemble": classifying.ensemble,
            "combinations": combining.combinations,
            "readouts": readouts,
        },
        "ctp-unet": {
            "cross-validation": ctp.cross_validation,
            "lesions": ctp.lesions,
            "dose": ctp.dose,
        },
        "dsc-gan": {"comparison": dsc.comparison, "fine-tuning": dsc.fine_tuning},
    }
)
"""Experiments by the task that they are of, and by name."""
NEEDS_NETWORK: Final = frozenset({"postprocess", "quantitative", "lesions", "dose"})
"""Those that test a network; the others train some."""


def conduct(name: str, bench: Bench) -> Finished:
    """Do an experiment and write its table, numbers and figures into `bench.out`.

    Raises
    ------
    BadRecipe
        If the task has none of that name.
    BadInput
        If the cases are for another task.
    """
    table = EXPERIMENTS.get(bench.task.name, {})
    if name not in table:
        raise BadRecipe(
            f"no such experiment of {bench.task.name}", wanted=", ".join(table) or "none", found=name
        )
    for cases in (bench.cases, *([bench.external] if bench.external else [])):
        cases.require_task(bench.task.name)
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
