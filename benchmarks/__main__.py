"""Run every benchmark, print one table each, and keep the figures as JSON: `make bench`."""

import json
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import filters, solvers, whole

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the benchmarks one after another, print a table each, and write `results/NAME.json`."""
    console = Console()
    RESULTS.mkdir(exist_ok=True)
    for benchmark in (solvers, filters, whole):
        name = benchmark.__name__.rsplit(".", 1)[-1]
        rows = benchmark.run()
        (RESULTS / f"{name}.json").write_text(
            json.dumps({"machine": platform.processor() or platform.machine(), "rows": rows}, indent=2)
        )
        table = Table(
            *rows[0], title=f"{name}: {(benchmark.__doc__ or '').splitlines()[0]}", title_justify="left"
        )
        for row in rows:
            table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
        console.print(table)


if __name__ == "__main__":
    main()
