"""Deconvolution of a million voxels of 60 frames, against one matrix product of the same curves.

    python -m benchmarks.solvers

The floor is `curves (n, 60) @ (60, 120)` in float32, block by block, in the same run: what a method
would cost if it were nothing but the product that every Fourier form needs.
"""

import tracemalloc
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np

from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import deconvolve
from bolus.deconvolve.blocks import split
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves
from bolus.quantify import make_maps

N_VOXELS, N_FRAMES, N_REPEATS = 1_000_000, 60, 3
CASES = (
    ("ssvd", {}),
    ("csvd", {}),
    ("osvd", {}),
    ("osvd", {"limit": 7.8}),
    ("osvd", {"index": "wu2003"}),
    ("tikhonov", {}),
    ("tikhonov", {"strength": "lcurve"}),
    ("box", {}),
    ("box", {"prior": True}),
    ("slope", {}),
    ("moment", {}),
)


def run() -> list[dict[str, object]]:
    """Return a row a method: seconds, processor seconds, both over the floor's, temporary memory [MiB]."""
    scan, artery = study()
    weights = np.random.default_rng(0).standard_normal((N_FRAMES, 2 * N_FRAMES), dtype=np.float32)
    floor = _best(lambda: [block @ weights for block in split(scan.curves)])
    rows = [_row("one matrix product", floor, floor, 0.0)]
    for method, options in CASES:
        name = " ".join([method, *(f"{k}={v}" for k, v in options.items())])

        def solve(method: str = method, options: dict[str, object] = options) -> object:
            return deconvolve(scan, artery, method=method, options=options)

        rows.append(_row(name, _best(solve), floor, _memory(solve)))
    estimate = deconvolve(scan, artery)

    def quantify() -> object:
        return make_maps(estimate, scan, artery)

    rows.append(_row("make_maps", _best(quantify), floor, _memory(quantify)))
    return rows


def study() -> tuple[Concentration, VesselCurve]:
    """Return a million noisy voxels (1 HU) of a thousand kinds, and their arterial curve."""
    rng = np.random.default_rng(1)
    times = np.arange(float(N_FRAMES))
    bolus = GammaVariate(300.0, 10.0, 3.0, 1.5)
    kinds = (rng.uniform(8, 80, 1000), rng.uniform(3, 20, 1000), rng.uniform(0, 6, 1000))
    curves = np.tile(tissue_curves(bolus, times, kinds).astype(np.float32), (N_VOXELS // 1000, 1))
    curves += rng.standard_normal(curves.shape, dtype=np.float32)
    mask = np.ones((N_VOXELS // 100, 10, 10), dtype=bool)
    grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    scan = Concentration(curves, times, mask, grid, Modality.CT, Unit.HU, (0, 9), 1.0)
    return scan, VesselCurve("AIF", times, bolus(times), Unit.HU, "simulated")


def _best(call: Callable[[], object]) -> tuple[float, float]:
    """Return the least seconds and processor seconds; the second hardly depend on what else is running."""
    call()  # compiles, and touches the memory once
    taken = []
    for _ in range(N_REPEATS):
        start, cpu = perf_counter(), process_time()
        call()
        taken.append((perf_counter() - start, process_time() - cpu))
    return min(wall for wall, _ in taken), min(cpu for _, cpu in taken)


def _memory(call: Callable[[], object]) -> float:
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def _row(
    name: str, taken: tuple[float, float], floor: tuple[float, float], memory_mib: float
) -> dict[str, object]:
    return {
        "method": name,
        "seconds": taken[0],
        "processor seconds": taken[1],
        "over the product": taken[0] / floor[0],
        "processor over the product": taken[1] / floor[1],
        "peak memory [MiB]": memory_mib,
    }


if __name__ == "__main__":
    for row in run():
        print("  ".join(f"{v:<24.3g}" if isinstance(v, float) else f"{v!s:<24}" for v in row.values()))
