"""Deconvolution of 1e6 voxels of 60 frames, against one matrix product of the same curves.

The floor is `curves (n, 60) @ (60, 120)` in float32, block by block and into the same memory, in the same
run: what a method would cost if it were nothing but the product that every Fourier form needs. What a
method learns once a scan is timed apart and added once, so that fewer voxels (BOLUS_BENCH_VOXELS=100000)
give nearly the same seconds sooner; memory is that of the voxels that were solved. Where the machine does
other things, one thread (OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1) gives the steadiest ratios: threads
that wait count as busy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarks.clock import Taken, best, peak_mib
from bolus.core.grid import Grid
from bolus.core.series import Concentration
from bolus.core.units import Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.deconvolve import METHODS, TUNING, deconvolve
from bolus.deconvolve.blocks import ROWS, split
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves
from bolus.quantify import make_maps

N_VOXELS, N_FRAMES, N_KINDS = int(os.environ.get("BOLUS_BENCH_VOXELS", "1000000")), 60, 1000
MILLION = 1e6
GOALS = {"csvd": 8, "osvd": 25, "box": 40, "posterior": 60}
"""Most matrix products that a method may cost, in processor seconds, by its name in the table."""
MEMORY_GOAL_MIB = 512
VARIANTS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("ssvd", {"rule": "volterra"}),
    ("osvd", {"limit": 7.8}),
    ("osvd", {"index": "wu2003"}),
    ("tikhonov", {"strength": "lcurve"}),
    ("box", {"prior": True}),
    ("box", {"offset": True}),
    ("box", {"solver": "simplex"}),
    ("posterior", {"neighbours": True}),
    ("vascular", {"neighbours": True}),
)
SLOW = {"box solver=simplex": 50}
"""Methods that see one voxel in so many."""


def run() -> list[dict[str, object]]:
    """Return a row a method; seconds are those of a million voxels."""
    scan, artery = study(N_VOXELS)
    weights = np.random.default_rng(0).standard_normal((N_FRAMES, 2 * N_FRAMES), dtype=np.float32)

    room = np.empty((ROWS, 2 * N_FRAMES), dtype=np.float32)

    def product() -> None:
        for block in split(scan.curves):
            np.matmul(block, weights, out=room[: len(block)])

    product()
    floor = _per_million(best(product, 7), N_VOXELS)
    rows = [_row("one matrix product", floor, floor, 0.0)]
    cases = [*((method, {}) for method in METHODS), *VARIANTS]
    for method, options in sorted(cases, key=lambda case: list(METHODS).index(case[0])):
        name = " ".join([method, *(f"{key}={value}" for key, value in options.items())])
        few = (scan, artery) if name not in SLOW else study(max(N_VOXELS // SLOW[name], N_KINDS))
        rows.append(_measure(name, method, options, few, floor))
    rows.append(_measure_maps(scan, artery, floor))
    return rows


def study(n_voxels: int) -> tuple[Concentration, VesselCurve]:
    """Return noisy voxels (1 HU) of a thousand kinds, and their arterial curve."""
    rng = np.random.default_rng(1)
    times = np.arange(float(N_FRAMES))
    bolus = GammaVariate(300.0, 10.0, 3.0, 1.5)
    kinds = (rng.uniform(8, 80, N_KINDS), rng.uniform(3, 20, N_KINDS), rng.uniform(0, 6, N_KINDS))
    curves = np.tile(tissue_curves(bolus, times, kinds).astype(np.float32), (n_voxels // N_KINDS, 1))
    curves += rng.standard_normal(curves.shape, dtype=np.float32)
    mask = np.ones((len(curves) // 100, 10, 10), dtype=bool)
    grid = Grid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    scan = Concentration(curves, times, mask, grid, Modality.CT, Unit.HU, (0, 9), 1.0)
    return scan, VesselCurve("AIF", times, bolus(times), Unit.HU, "simulated")


def _measure(
    name: str,
    method: str,
    options: Mapping[str, object],
    scan_and_artery: tuple[Concentration, VesselCurve],
    floor: Taken,
) -> dict[str, object]:
    scan, artery = scan_and_artery
    of_method = {key: value for key, value in options.items() if key != "neighbours"}
    solve = partial(
        deconvolve, method=method, options=of_method, neighbours=bool(options.get("neighbours", False))
    )
    solve(*study(N_KINDS))  # compiles
    memory = peak_mib(partial(solve, scan, artery))
    once = Taken(0.0, 0.0)
    if method in TUNING:
        once = best(partial(TUNING[method], scan.curves, artery.values, scan.dt, of_method))
    whole = best(partial(solve, scan, artery))
    n = len(scan.curves)
    rest = _per_million(Taken(*(max(a - b, 0.0) for a, b in zip(whole, once, strict=True))), n)
    return _row(name, Taken(rest.wall + once.wall, rest.processor + once.processor), floor, memory)


def _measure_maps(scan: Concentration, artery: VesselCurve, floor: Taken) -> dict[str, object]:
    call = partial(make_maps, deconvolve(scan, artery, method="osvd"), scan, artery)
    memory = peak_mib(call)
    return _row("make_maps", _per_million(best(call), len(scan.curves)), floor, memory)


def _per_million(taken: Taken, n_voxels: int) -> Taken:
    return Taken(*(seconds * MILLION / n_voxels for seconds in taken))


def _row(name: str, taken: Taken, floor: Taken, memory_mib: float) -> dict[str, object]:
    return {
        "method": name,
        "seconds": taken.wall,
        "processor seconds": taken.processor,
        "seconds/product": taken.wall / floor.wall,
        "processor/product": taken.processor / floor.processor,
        "goal": GOALS.get(name),
        "memory [MiB]": memory_mib,
        "memory goal": MEMORY_GOAL_MIB,
    }
