"""`bolus learn calibrate`: what a classifier's card must know to answer well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bolus.apps.terminal import Terminal

Threads = Annotated[int, typer.Option("--threads", min=0, help="Of the processor; 0: all.")]


def calibrate(
    name: Annotated[str, typer.Argument(metavar="TASK", help="A classifier; see `bolus learn tasks`.")],
    cases: Annotated[Path, typer.Option("--data", help="Folder of the cases that it was trained with.")],
    run: Annotated[Path, typer.Option("--run", help="Folder of the training.")],
    threads: Threads = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> None:
    """Measure temperature, unsure band and input ranges of a classifier; `export` puts them into its card."""
    from bolus.learn import calibrating, infer
    from bolus.learn.cases import read_manifest
    from bolus.learn.splits import read_split
    from bolus.learn.tasks import task

    terminal = Terminal(quiet=quiet)
    with terminal.reporting(), terminal.progress() as progress:
        chosen = task(name)
        (run / calibrating.CALIBRATION).unlink(missing_ok=True)
        from bolus.learn.export import export

        path = run / f"{name}.onnx"
        export(chosen, run, path)
        network = infer.load(path, task=name, threads=threads)
        split = read_split(run / "split.json")
        found = calibrating.calibrate(chosen, network, read_manifest(cases), split, progress=progress)
        calibrating.write(found, run)
        export(chosen, run, path)
    low, high = found["unsure"]
    terminal.say(f"temperature {found['temperature']:.2f}, unsure from {low:.2f} to {high:.2f}: {run}")
