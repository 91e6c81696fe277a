"""A DSC-MRI study of a head with a stroke."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Times, Volume
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.phantom.circulation import Bolus, Curve
from bolus.phantom.frames import Develop, Expose, Shot, contrast, develop_frames
from bolus.phantom.options import MrOptions, chosen
from bolus.phantom.scene import Scene
from bolus.phantom.study import Study
from bolus.phantom.truth import arterial_curve, begin, known
from bolus.physics.signal import signal_from_delta_r2star

SIGNAL: Final = {
    "soft": 260.0,
    "fat": 120.0,
    "bone": 35.0,
    "diploe": 90.0,
    "calcium": 300.0,
    "csf": 1500.0,
    "falx": 500.0,
    "wm": 760.0,
    "gm": 950.0,
}
"""Signal of T2*-weighted echo-planar images before contrast [a.u.], fat suppressed."""
AIR_SIGNAL: Final = 4.0
BLOOD_SIGNAL: Final = 800.0
RELAXIVITY: Final = 4.0
"""dR2* of tissue over that of arterial blood at the same contrast: what lets an artery of 80 /s and
grey matter that loses about a fifth of its signal be seen in one scan, as they are in patients."""
STEADY: Final = (0.40, 0.10, 0.02)
"""How much brighter the first frames are, before the steady state is reached."""


def mr(options: MrOptions | None = None, /, **changes: Any) -> Study:
    """Simulate a DSC-MRI study of a head.

    Signal is ``S0 exp(-TE dR2*)`` with Rician noise. Tissue shows `RELAXIVITY` times the dR2* that
    arterial blood would at the same contrast, so the CBF and CBV that a perfect analysis finds are that
    many times the true ones (`Truth.flow_scale`); times and ratios are not touched.

    Parameters
    ----------
    options
        All choices; the defaults unless given.
    changes
        Single choices by name; see `MrOptions`.

    Returns
    -------
    The series in arbitrary units, stored as int16, and its truth.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.

    References
    ----------
    Wu et al., Magn Reson Med 50:164-174 (2003), doi:10.1002/mrm.10522
    """
    wanted = chosen(options or MrOptions(), changes)
    session = begin(wanted)
    arterial = arterial_curve(wanted.peak_rate, wanted)
    noise = SIGNAL["gm"] / wanted.snr
    grid = session.scene.grid
    series = Series(
        develop_frames(session, _exposure(session.times, arterial, wanted), _developer(noise)),
        session.times,
        grid,
        Modality.MR,
        Unit.SIGNAL,
        acquisition=Acquisition(
            description=f"DSC-MRI phantom, lesion {wanted.lesion}",
            source="phantom",
            te_ms=wanted.te_ms,
            tr_ms=1000 * wanted.dt,
            thickness_mm=grid.spacing_mm[2],
            clock="simulated",
        ),
        steps=(f"simulated with seed {wanted.seed}",),
    )
    return Study(series, replace(known(session, arterial, Unit.PER_SECOND, noise), flow_scale=RELAXIVITY))


def _seen_by_tissue(arterial: Bolus) -> Curve:
    return lambda times: RELAXIVITY * arterial(times)


def plain_image(scene: Scene) -> Volume:
    """Return the head without contrast or noise [a.u.], on the scene's grid."""
    image = scene.shown(SIGNAL, AIR_SIGNAL)
    image *= 1.0 + 0.02 * scene.texture * (scene.gm + scene.wm)
    for vessels in (scene.arteries, scene.collaterals, scene.veins):
        image += vessels.fraction * (BLOOD_SIGNAL - image)
    return image


def _exposure(times: Times, arterial: Bolus, options: MrOptions) -> Expose:
    def expose(scene: Scene, numbers: NDArray[np.intp]) -> Shot:
        plain = plain_image(scene)
        before = plain[scene.rows]
        curves = contrast(
            scene, _seen_by_tissue(arterial), times[..., numbers], options.residue, 1 / RELAXIVITY
        )
        rates = dict(zip(numbers.tolist(), curves.T, strict=True))

        def shot(index: int) -> Volume:
            image = plain.copy()
            image[scene.rows] = signal_from_delta_r2star(rates[index], before, options.te_ms / 1000)
            if index < len(STEADY):
                image *= 1.0 + STEADY[index]
            return image

        return shot

    return expose


def _developer(sd: float) -> Develop:
    def develop(image: Volume, rng: np.random.Generator) -> Volume:
        real = image + np.float32(sd) * rng.standard_normal(image.shape, dtype=np.float32)
        other = np.float32(sd) * rng.standard_normal(image.shape, dtype=np.float32)
        return np.asarray(np.clip(np.hypot(real, other), 0, 32767), dtype=np.float32)

    return develop
