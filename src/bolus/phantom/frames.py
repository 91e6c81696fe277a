"""From a scene and its curves to frames: the loop that CT and MR share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Float64s, Frames, Times, Volume
from bolus.core.grid import Grid
from bolus.phantom.circulation import Curve, delayed, venous
from bolus.phantom.motion import grid_centre, moved, pose_matrix
from bolus.phantom.scene import COLLATERAL_SPREAD_S, PADDING, Scene, cropped, padded
from bolus.physics.transport import RESIDUES

Shot = Callable[[int], Volume]
"""Gives a frame's image on the padded grid, without noise."""
Develop = Callable[[Volume, np.random.Generator], Volume]
"""Gives the image as the scanner would store it, from the image without noise."""

_WORKERS = 2


def contrast(scene: Scene, arterial: Curve, times: Times, residue: str, blood: float = 1.0) -> Curves:
    """Return contrast in every voxel that it reaches, shape `(rows, t)`, in the unit of the artery's curve.

    Parameters
    ----------
    arterial
        The arterial curve that tissue sees.
    times
        Sample times [s], shape `(t,)`, or `(z, t)` for the slices without padding.
    blood
        Contrast effect in vessels over that in tissue.
    """
    if times.ndim == 1:
        return _contrast(scene, arterial, times, residue, blood, None)
    clocks = np.pad(times, ((PADDING, PADDING), (0, 0)), mode="edge")
    slices = np.nonzero(scene.rows)[2]
    curves = np.empty((slices.size, times.shape[1]), dtype=np.float32)
    for k, clock in enumerate(clocks):
        rows = np.flatnonzero(slices == k)
        if rows.size:
            curves[rows] = _contrast(scene, arterial, clock, residue, blood, rows)
    return curves


def _contrast(
    scene: Scene, arterial: Curve, times: Times, residue: str, blood: float, rows: NDArray[np.intp] | None
) -> Curves:
    pick = slice(None) if rows is None else rows
    kinetics = scene.kinetics.at(pick)
    curves = kinetics.curves(arterial, times, RESIDUES[residue])
    last = float(times[-1])
    beyond = venous(arterial, until=last, mean_s=COLLATERAL_SPREAD_S)
    vein = venous(arterial, until=last)
    for vessels, curve in ((scene.arteries, arterial), (scene.collaterals, beyond), (scene.veins, vein)):
        part, delay = vessels.fraction[scene.rows][pick], vessels.delay_s[scene.rows][pick]
        here = np.flatnonzero(part > 0)
        if not here.size:
            continue
        curves[here] *= 1.0 - part[here, None]
        curves[here] += np.float32(blood) * part[here, None] * delayed(curve, times, delay[here])
    return curves


def develop_frames(
    shot: Shot, develop: Develop, grid: Grid, poses: Float64s, seeds: np.random.SeedSequence
) -> Frames:
    """Make all frames: show the moved head, add noise, round to integers.

    Parameters
    ----------
    grid
        The scan without padding.
    poses
        Pose of the head a frame, shape `(t, 6)`.
    seeds
        Source of one random generator a frame, so that frames may be made in any order.

    Returns
    -------
    int16, shape `(x, y, z, t)`.
    """
    frames = np.empty((*grid.shape, len(poses)), dtype=np.int16)
    source, centre = padded(grid), grid_centre(grid)

    def make(item: tuple[int, np.random.SeedSequence]) -> None:
        index, seed = item
        image = shot(index)
        if poses[index].any():
            fill = float(image[0, 0, 0])
            image = moved(image, source, grid, pose_matrix(poses[index], centre), fill)
        else:
            image = cropped(image)
        frames[..., index] = np.rint(develop(image, np.random.default_rng(seed)))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(make, enumerate(seeds.spawn(len(poses)))))
    return frames
