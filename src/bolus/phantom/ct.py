"""A CT perfusion study of a head with a stroke."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Times, Volume
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.phantom.circulation import Bolus
from bolus.phantom.field import image_noise
from bolus.phantom.frames import Develop, Expose, Shot, contrast, develop_frames
from bolus.phantom.options import CtOptions, chosen
from bolus.phantom.scene import Scene
from bolus.phantom.study import Study
from bolus.phantom.truth import arterial_curve, begin, known

HU: Final = {
    "soft": 48.0,
    "fat": -85.0,
    "bone": 1050.0,
    "diploe": 520.0,
    "calcium": 130.0,
    "csf": 9.0,
    "falx": 50.0,
    "wm": 29.0,
    "gm": 36.0,
}
"""Attenuation of each tissue [HU]: brain after Aichert 2013, the rest after any textbook."""
AIR_HU: Final = -1000.0
BLOOD_HU: Final = 42.0
OEDEMA_HU: Final = -2.0
"""What early ischaemia does to the attenuation of the core [HU]."""
LOWEST, HIGHEST = -1024, 3071
"""Range of 12-bit CT numbers."""


def ct(options: CtOptions | None = None, /, **changes: Any) -> Study:
    """Simulate a CT perfusion study of a head.

    Parameters
    ----------
    options
        All choices; the defaults unless given.
    changes
        Single choices by name, such as ``lesion="mca-left"``; see `CtOptions`.

    Returns
    -------
    The series in HU, stored as int16, and its truth. The same options give the same study, bit by bit.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    wanted = chosen(options or CtOptions(), changes)
    session = begin(wanted)
    arterial = arterial_curve(wanted.peak_hu, wanted)
    grid = session.scene.grid
    series = Series(
        develop_frames(session, _exposure(session.times, arterial, wanted.residue), _developer(wanted)),
        session.times,
        grid,
        Modality.CT,
        Unit.HU,
        acquisition=Acquisition(
            description=f"CT perfusion phantom, lesion {wanted.lesion}",
            source="phantom",
            kvp=80.0,
            thickness_mm=grid.spacing_mm[2],
            clock="simulated",
        ),
        steps=(f"simulated with seed {wanted.seed}",),
    )
    return Study(series, known(session, arterial, Unit.HU, wanted.noise_hu))


def plain_image(scene: Scene) -> Volume:
    """Return the head without contrast or noise [HU], on the scene's grid."""
    image = scene.shown(HU, AIR_HU)
    brain = scene.gm + scene.wm
    image *= 1.0 + 0.02 * scene.texture * brain
    image += OEDEMA_HU * scene.lesion.core * brain
    for vessels in (scene.arteries, scene.collaterals, scene.veins):
        image += vessels.fraction * (BLOOD_HU - image)
    return image


def _exposure(times: Times, arterial: Bolus, residue: str) -> Expose:
    def expose(scene: Scene, numbers: NDArray[np.intp]) -> Shot:
        plain = plain_image(scene)
        curves = contrast(scene, arterial, times[..., numbers], residue)
        added = dict(zip(numbers.tolist(), curves.T, strict=True))

        def shot(index: int) -> Volume:
            image = plain.copy()
            image[scene.rows] += added[index]
            return image

        return shot

    return expose


def _developer(options: CtOptions) -> Develop:
    def develop(image: Volume, rng: np.random.Generator) -> Volume:
        x, y, z = image.shape
        if options.noise_hu > 0:
            image = image + image_noise(rng, (x, y, z), options.noise_hu, options.noise_fwhm_px)
        return np.clip(image, LOWEST, HIGHEST)

    return develop
