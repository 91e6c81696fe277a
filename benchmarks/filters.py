"""How long the noise filters take, scaled to 1e6 voxels in the mask and 60 frames."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.clock import best
from bolus.core.grid import Grid
from bolus.core.series import Voxels
from bolus.core.units import Modality, Unit
from bolus.prepare import METHODS, smooth

SHAPE = (192, 192, 16)
SPACING_MM = (0.86, 0.86, 5.0)
N_FRAMES = 60
GOAL_S = {"bilateral": 15.0}


def brain_like(seed: int = 0) -> Voxels:
    """Make an elliptic slab of tissue of two densities, with vessels and 6 HU of noise."""
    rng = np.random.default_rng(seed)
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    mask = x**2 / 0.7 + y**2 / 0.95 < 1
    n = int(mask.sum())
    density = 29 + 8 * (np.sin(20 * x) * np.cos(17 * y) > 0) + 60 * (np.hypot(x - 0.3, y) < 0.03)
    curves = rng.standard_normal((n, N_FRAMES), dtype=np.float32) * 6 + density[mask][:, None].astype(
        np.float32
    )
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    return Voxels(curves, np.arange(N_FRAMES) * 1.0, mask, Grid(SHAPE, affine), Modality.CT, Unit.HU)


def plain_gaussian(voxels: Voxels) -> None:
    """Smooth whole frames by a separable Gaussian, without a mask: the least that smoothing costs."""
    sigma = [3.0 / s for s in SPACING_MM]
    frame = np.zeros(SHAPE, dtype=np.float32)
    for t in range(N_FRAMES):
        frame[voxels.mask] = voxels.curves[:, t]
        gaussian_filter(frame, sigma, truncate=2.0)


def run() -> list[dict[str, object]]:
    """Return one row a filter."""
    voxels = brain_like()
    n = voxels.curves.shape[0]
    per_million = 1e6 / n
    plain = best(partial(plain_gaussian, voxels))
    rows = []
    for method in METHODS:
        if method == "none":
            continue
        filtered = smooth(voxels, method=method)  # compiles
        taken = best(partial(smooth, voxels, method=method))
        seconds = taken.wall * per_million
        noise = filtered.curves - filtered.curves.mean(axis=1, keepdims=True)
        rows.append(
            {
                "filter": method,
                "seconds_per_1e6_voxels_x_60": round(seconds, 2),
                "processor_seconds": round(taken.processor * per_million, 2),
                "goal_s": GOAL_S.get(method),
                "ratio_to_plain_gaussian": round(taken.wall / plain.wall, 2),
                "processor_ratio": round(taken.processor / plain.processor, 2),
                # every sample is read and written once at least
                "bytes_floor": int(2 * 4 * 1e6 * N_FRAMES),
                "gigabytes_per_s_of_floor": round(2 * 4 * 1e6 * N_FRAMES / seconds / 1e9, 2),
                "noise_hu_of_6": round(float(noise.std()), 3),
            }
        )
    return rows


def main() -> None:
    """Print the rows."""
    for row in run():
        print(row)


if __name__ == "__main__":
    main()
