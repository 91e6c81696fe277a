"""Arguments and options that the commands of `bolus learn` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="What is learned; see `bolus learn tasks`.")]
Cases = Annotated[Path, typer.Option("--data", help="Folder of cases that `bolus learn data` made.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")]
RunFolder = Annotated[Path | None, typer.Option("--run", help="Folder of a training.", show_default=False)]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", help="Exported network (.onnx, its card beside it).", show_default=False),
]
Preset = Annotated[str, typer.Option("--preset", help="Recipe to start from; else the first.")]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", help='Other choice of the recipe, as lr=1e-4 or augment=["flip"].'),
]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="At most so many.")]
Minutes = Annotated[
    float | None, typer.Option("--minutes", help="Of processor time, at most; on a GPU, of the clock.")
]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Of the processor; 0: all.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes that read ahead, for trainings.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")]
