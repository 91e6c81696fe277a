"""From a scene and its curves to frames: the loop that CT and MR share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curves, Frames, Times, Volume
from bolus.phantom.circulation import Curve, delayed, venous
from bolus.phantom.scene import COLLATERAL_SPREAD_S, Scene
from bolus.phantom.truth import Session
from bolus.physics.transport import RESIDUES

Shot = Callable[[int], Volume]
"""Gives a frame's image without noise."""
Expose = Callable[[Scene, NDArray[np.intp]], Shot]
"""Readies a head in one pose for the frames, by number, in which it lies so."""
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
        Sample times [s], shape `(t,)` or `(z, t)`.
    blood
        Contrast effect in vessels over that in tissue.
    """
    if times.ndim == 1:
        return _contrast(scene, arterial, times, residue, blood, None)
    slices = np.nonzero(scene.rows)[2]
    curves = np.empty((slices.size, times.shape[1]), dtype=np.float32)
    for k, clock in enumerate(times):
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


def develop_frames(session: Session, expose: Expose, develop: Develop) -> Frames:
    """Make all frames: show the head where it lies, add noise, round to integers.

    Each pose is drawn from the head itself. To interpolate between rendered slices instead would blur a
    moved frame as no scanner does.

    Parameters
    ----------
    session
        The head, its poses and the source of one random generator a frame.

    Returns
    -------
    int16, shape `(x, y, z, t)`.
    """
    seeds = session.noise.spawn(len(session.poses))
    frames = np.empty((*session.scene.grid.shape, len(seeds)), dtype=np.int16)

    def make(shot: Shot, index: int) -> None:
        frames[..., index] = np.rint(develop(shot(index), np.random.default_rng(seeds[index])))

    poses, which = np.unique(session.poses, axis=0, return_inverse=True)
    with ThreadPoolExecutor(_WORKERS) as pool:
        made = []
        for k, pose in enumerate(poses):
            numbers = np.flatnonzero(which.ravel() == k)
            shot = expose(session.scene_at(pose), numbers)
            made += [pool.submit(make, shot, int(index)) for index in numbers]
        for each in made:
            each.result()
    return frames
