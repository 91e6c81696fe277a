"""What is true of a simulated head, gathered from its scene and its curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bolus.core.arrays import Float64s, Times
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.phantom.circulation import Bolus, Curve, venous
from bolus.phantom.motion import grid_centre, pose_matrix, restless, still
from bolus.phantom.options import CtOptions, MrOptions
from bolus.phantom.scene import Scene, set_scene, true_masks, true_volumes
from bolus.phantom.study import Truth, true_maps
from bolus.phantom.timing import sample_times, sweep_times
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import RESIDUES

VEIN_DELAY_S: Final = 5.0
"""Arrival in the back of the sagittal sinus after the arterial curve, before dispersion [s]."""
FINE_STEP_S: Final = 0.1
"""Step of the fine true curves [s]."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One head in one scanner: what CT and MR simulate in the same way.

    Parameters
    ----------
    options
        All choices.
    head
        Source of the head's random generator.
    scene
        The head before it moves.
    times
        Sample times [s], shape `(t,)` or `(z, t)`.
    poses
        Pose of the head a frame, shape `(t, 6)`.
    noise
        Source of the noise's random generators.
    """

    options: CtOptions | MrOptions
    head: np.random.SeedSequence
    scene: Scene
    times: Times
    poses: Float64s
    noise: np.random.SeedSequence

    def scene_at(self, pose: Float64s) -> Scene:
        """Return the same head in a pose `(6,)`: drawn anew, as a scanner sees it there."""
        if not pose.any():
            return self.scene
        motion = pose_matrix(pose, grid_centre(self.scene.grid))
        return set_scene(self.options, np.random.default_rng(self.head), motion)


def begin(options: CtOptions | MrOptions) -> Session:
    """Build the head, its clock and its motion from the options and their seed."""
    head, motion, noise = np.random.SeedSequence(options.seed).spawn(3)
    scene = set_scene(options, np.random.default_rng(head))
    times = sample_times(options.timing, options.n_frames, options.dt, options.shape[2])
    draw = np.random.default_rng(motion)
    poses = restless(draw, options.n_frames) if options.motion else still(options.n_frames)
    return Session(options, head, scene, times, poses, noise)


def arterial_curve(peak: float, options: CtOptions | MrOptions) -> Bolus:
    """Return the arterial curve of a patient, whose peak is in the unit that it is measured in."""
    drawn = options.physiology
    first = GammaVariate(peak, options.onset_s, drawn.aif_alpha, drawn.aif_beta_s)
    return Bolus(first, drawn.recirculation)


def known(session: Session, arterial: Curve, unit: Unit, noise: float) -> Truth:
    """Gather the truth of a session.

    Parameters
    ----------
    arterial
        The arterial curve as measured in an artery, in `unit`.
    noise
        Standard deviation of one sample, in the unit of the series.
    """
    scene, grid = session.scene, session.scene.grid
    volumes = true_volumes(scene, RESIDUES[session.options.residue])
    masks, volumes_ml = true_masks(scene, volumes)
    clock = sweep_times(session.times)
    vein = venous(arterial, until=float(clock[-1]))
    aif, aif_fine = true_curve("AIF", arterial, clock, unit)
    vof, vof_fine = true_curve("VOF", lambda times: vein(times - VEIN_DELAY_S), clock, unit)
    return Truth(
        maps=true_maps(volumes, masks["tissue"], grid),
        masks=masks,
        aif=aif,
        vof=vof,
        aif_fine=aif_fine,
        vof_fine=vof_fine,
        motion=session.poses,
        motion_centre_mm=grid_centre(grid),
        midline=scene.midline,
        noise=noise,
        seed=session.options.seed,
        side=scene.lesion.side,
        volumes_ml=volumes_ml,
    )


def true_curve(name: str, curve: Curve, times: Times, unit: Unit) -> tuple[VesselCurve, VesselCurve]:
    """Return a true vessel curve at the frame times and every 0.1 s."""
    fine = np.arange(0.0, float(times[-1]) + FINE_STEP_S / 2, FINE_STEP_S)
    return (
        VesselCurve(name, times, curve(times), unit, "simulated"),
        VesselCurve(name, fine, curve(fine), unit, "simulated"),
    )
