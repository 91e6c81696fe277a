"""`bolus learn`: cases, training, scores and answers of the learned systems."""

from __future__ import annotations

import typer

from bolus.apps.learn import cases
from bolus.apps.learn.judging import evaluate, predict
from bolus.apps.learn.options import Json
from bolus.apps.learn.training import blend, calibrate, export, gather, guard, train
from bolus.apps.terminal import Terminal

app = typer.Typer(help="Train, judge and use learned systems.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(cases.app, name="data")


def tasks(as_json: Json = False) -> None:
    """List what can be learned, and the presets of each."""
    from bolus.learn import TASKS

    terminal = Terminal(as_json=as_json)
    if as_json:
        terminal.document(
            {
                t.name: {"summary": t.summary, "takes": t.takes, "gives": t.gives}
                | {"presets": {name: recipe.as_dict() for name, recipe in t.presets.items()}}
                for t in TASKS.values()
            }
        )
    else:
        rows = [(t.name, t.summary, ", ".join(t.presets)) for t in TASKS.values()]
        terminal.table("", rows, ("task", "what it does", "presets"))


for command in (tasks, train, blend, gather, evaluate, predict, export, calibrate, guard):
    app.command()(command)
