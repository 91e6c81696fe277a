"""Run benchmarks, print one table each, and keep the figures as JSON: `make bench`.

python -m benchmarks [solvers] [filters] [reading] [whole] [peers]
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

import bolus

NAMES = ("solvers", "filters", "reading", "whole", "peers")
RESULTS = Path(__file__).parent / "results"
WIDTH = 180


def main(chosen: list[str]) -> None:
    """Run the chosen benchmarks (all unless chosen), print a table each, and write `results/NAME.json`."""
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]}: choose from {', '.join(NAMES)}")
    console = Console(width=WIDTH)
    RESULTS.mkdir(exist_ok=True)
    for name in chosen or NAMES:
        benchmark = import_module(f"benchmarks.{name}")
        rows = benchmark.run()
        kept = json.dumps({**_circumstances(), "rows": rows}, indent=2) + "\n"
        (RESULTS / f"{name}.json").write_text(kept, encoding="utf-8")
        console.print(_table(f"{name}: {benchmark.__doc__.splitlines()[0]}", rows))


def _circumstances() -> dict[str, object]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "bolus": bolus.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def _table(title: str, rows: list[dict[str, object]]) -> Table:
    table = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    return table


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
