"""X-ray runs with and without clots: simulated patients, and a run as the network for clots is shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from bolus.core.arrays import Float32s, Mask
from bolus.core.series import Concentration, Series
from bolus.learn.angiograms import options as drawn_options
from bolus.learn.cases import Case
from bolus.learn.making import Order
from bolus.learn.runs import GREY, PER_NAT, make_case
from bolus.phantom.angiogram import Film, Scene, films, scenes, takes, xa
from bolus.pipeline.angiogram import prepare_run

SITES: Final = ("ICA", "M1", "M2", "M3", "A2")
FILM: Final = "film"
LATE: Final = "late"
TAKE: Final = "take"
SCENE: Final = "scene"
LOST_NAT: Final = 0.03
"""Contrast that a clot takes away at some time from pixels whose blood it keeps [nat]."""
FILM_FPS: Final = 1.25
"""Frames a second of runs of contrast alone: as many as networks are shown."""
SUMMED: Final = 2.4
"""Frames of a run at 3 a second that are averaged to one."""
_TERRITORIES: Final = ("M1", "M2")
"""Whose blood comes late where nothing else shows a clot."""
_CLOTS: Final = 0.55
"""Part of the carotid injections that show a clot."""
_OFTEN: Final = (0.15, 0.15, 0.25, 0.25, 0.2)
"""How often scenes have their clot in each of the places: what is hard to see is seen more often."""


def simulate(order: Order) -> list[Case]:
    """Make the two views of a simulated patient, with a clot in about half of them.

    Ordered with the reference `film`, runs are contrast alone, as if nothing disturbed it: a twentieth of
    the work, for networks to learn anatomy from before they see what `bolus run` sees. With `late`, they are
    too, and a clot of M1 or M2 shows in nothing but the time at which its territory fills. With `take`, they
    have the detector's noise, bone and motion, as far as `bolus run` leaves them, at a seventh of the work.
    With `scene`, contrast, bone and shutters stay apart, for the augmentation `retake` to make new takes of
    in every epoch, and every patient with a clot is there a second time without it.
    """
    if order.reference == SCENE:
        return _twins(order)
    if order.reference in {FILM, LATE}:
        return _filmed(order)
    if order.reference == TAKE:
        return _taken(order)
    about = {**options(order), "seed": order.seed, "setting": order.setting, "size": order.size}
    run, still = xa(**about), {**about, "motion": False, "fps": FILM_FPS}
    lost = _lost(films(**still), still)
    return [
        make_case(
            frames_of(seen.series),
            patient=order.patient,
            clot=run.clot != "none",
            place=seen.truth.clot_px,
            lost=lost[view],
            about={"view": view, "site": f"simulated {order.setting}", "meta": about},
        )
        for view, seen in run.views.items()
    ]


def _filmed(order: Order) -> list[Case]:
    about = {**options(order), "seed": order.seed, "setting": order.setting, "size": order.size}
    about |= {"motion": False, "catheter": False, "fps": FILM_FPS}
    if order.reference == LATE:
        about |= _only_late(order, about)
    filmed = films(**about)
    return _cases(order, about, filmed, _lost(filmed, about))


def _twins(order: Order) -> list[Case]:
    """Return the scenes of a patient with a clot, and of the same patient without."""
    about = {**options(order), "seed": order.seed, "setting": order.setting, "size": order.size}
    about |= {"clot": "none", "fps": FILM_FPS}
    healthy = scenes(**about)
    cases = [_scene_case(order, about, view, scene) for view, scene in healthy.items()]
    if about["vessel"] != "carotid":
        return cases
    about["clot"] = str(np.random.default_rng([order.seed, 4]).choice(SITES, p=_OFTEN))
    for view, film in films(**about).items():
        less = healthy[view].film.density - film.density
        shut = replace(
            healthy[view], film=replace(film, clot_px=_in_field(film.clot_px, healthy[view].open_))
        )
        cases.append(_scene_case(order, about, view, shut, less.max(axis=2).T > LOST_NAT))
    return cases


def _in_field(place: tuple[float, float] | None, open_: Mask) -> tuple[float, float] | None:
    """Return a place, x and y [pixels], if the shutters leave it open."""
    return place if place is not None and open_[round(place[0]), round(place[1])] else None


def _scene_case(
    order: Order, about: Mapping[str, Any], view: str, scene: Scene, lost: Mask | None = None
) -> Case:
    """Return a case whose frames are contrast alone, with what else lies in the beam beside it."""
    grey = np.clip(np.round(GREY - PER_NAT * scene.film.density), 0.0, 255.0).transpose(2, 1, 0)
    case = make_case(
        grey,
        patient=order.patient,
        clot=about["clot"] != "none",
        place=scene.film.clot_px,
        lost=np.zeros(grey.shape[1:], dtype=np.bool_) if lost is None else lost,
        about={"view": view, "site": f"scene {order.setting}", "meta": dict(about)},
    )
    beam = np.stack([scene.still, scene.recoil, scene.open_]).transpose(0, 2, 1).astype(np.float16)
    return replace(case, extra={**case.extra, "beam": beam})


def _taken(order: Order) -> list[Case]:
    """Return runs as the detector subtracts them; in other files motion can be undone: those lie still."""
    about = {**options(order), "seed": order.seed, "setting": order.setting, "size": order.size}
    about["motion"] = about["motion"] and about["encoding"] == "SUB"
    about |= {"fps": FILM_FPS, "photons": SUMMED * about["photons"]}
    still = {**about, "motion": False}
    return _cases(order, about, takes(**about), _lost(films(**still), still))


def _cases(
    order: Order, about: Mapping[str, Any], filmed: Mapping[str, Film], lost: Mapping[str, Mask]
) -> list[Case]:
    return [
        make_case(
            np.clip(np.round(GREY - PER_NAT * film.density), 0.0, 255.0).transpose(2, 1, 0),
            patient=order.patient,
            clot=about["clot"] != "none",
            place=film.clot_px,
            lost=lost[view],
            about={"view": view, "site": f"filmed {order.setting}", "meta": dict(about)},
        )
        for view, film in filmed.items()
    ]


def _only_late(order: Order, about: Mapping[str, Any]) -> dict[str, Any]:
    clot = str(np.random.default_rng([order.seed, 3]).choice(_TERRITORIES))
    return {"only_late": True, "clot": "none" if about["clot"] == "none" else clot}


def _lost(filmed: Mapping[str, Film], about: Mapping[str, Any]) -> dict[str, Mask]:
    """Return where blood is missing or late in each view, against the same patient without a clot."""
    if about["clot"] == "none":
        return {view: np.zeros(film.density.shape[1::-1], dtype=np.bool_) for view, film in filmed.items()}
    healthy = films(**{**about, "clot": "none"})
    return {
        view: (healthy[view].density - film.density).max(axis=2).T > LOST_NAT for view, film in filmed.items()
    }


def options(order: Order) -> dict[str, Any]:
    """Draw what differs between patients, for `bolus.phantom.xa`: as for the carotid, with more clots."""
    rng = np.random.default_rng([order.seed, 2])
    drawn = drawn_options(order)
    clot = str(rng.choice(SITES)) if rng.random() < _CLOTS else "none"
    return drawn | {"clot": clot if drawn["vessel"] == "carotid" else "none"}


def frames_of(series: Series) -> Float32s:
    """Return the frames of a run as grey values, as `bolus run` sees them: subtracted, still, evenly in time.

    Parameters
    ----------
    series
        An X-ray run, of any encoding.

    Returns
    -------
    Grey values from 0 to 255, whole numbers, shape `(t, y, x)`: 193 where there is no contrast and behind
    shutters, vessels darker.

    Raises
    ------
    BadInput
        If the run has too few frames, or shows no contrast.
    """
    return grey_frames(prepare_run(series).contrast)


def grey_frames(contrast: Concentration) -> Float32s:
    """Return contrast of an X-ray run [nat], before the noise filter, as `frames_of` does its series."""
    mask = contrast.mask[:, :, 0].T
    frames = np.full((contrast.times.size, *mask.shape), GREY, dtype=np.float32)
    order = np.flatnonzero(contrast.mask[:, :, 0].ravel())
    place = np.empty(contrast.mask[:, :, 0].size, dtype=np.intp)
    place[order] = np.arange(order.size)
    row = place.reshape(contrast.mask.shape[:2]).T[mask]
    for frame, values in zip(frames, contrast.curves.T, strict=True):
        shown = np.round(GREY - PER_NAT * np.nan_to_num(values[row]))
        frame[mask] = np.clip(shown, 0.0, 255.0)
    return frames
