"""An X-ray run of the head, from options to frames and truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float32s, Float64s, Mask, Times
from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.phantom.angiogram import bone
from bolus.phantom.angiogram.detector import Beam, Encoding, develop, mask_frames
from bolus.phantom.angiogram.film import Camera, contrast
from bolus.phantom.angiogram.motion import Hold, holds
from bolus.phantom.angiogram.patient import Patient, make_patient
from bolus.phantom.angiogram.settings import SETTINGS
from bolus.phantom.angiogram.study import Angiogram, View, tici
from bolus.phantom.angiogram.truth import Known, clot_in, known
from bolus.phantom.dicom import START
from bolus.phantom.options import XaOptions, chosen

ARTERIAL_S: Final = 4.0
"""How long after the injection the frame rate may change [s]."""


def xa(options: XaOptions | None = None, /, **changes: Any) -> Angiogram:
    """Simulate an X-ray run of the head after an injection of contrast into one artery.

    Parameters
    ----------
    options
        All choices; the defaults unless given.
    changes
        Single choices by name, such as ``clot="M1"``; see `XaOptions`.

    Returns
    -------
    A view from the front and one from the side, of one injection, with their truth. The same options
    give the same run, bit by bit.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    wanted = chosen(options or XaOptions(), changes)
    patient, times, sides = _drawn(wanted)
    return Angiogram(
        views={name: _view(wanted, patient, times, name, rng) for name, rng in sides.items()},
        side=patient.side,
        vessel=wanted.vessel,
        clot=wanted.clot or "none",
        tici_fraction=patient.lost,
        tici=tici(patient.lost),
        injection_s=patient.injection.start_s,
        layered=wanted.layered,
        external=any(v.name.startswith("ECA") for v in patient.vessels),
        setting=wanted.setting,
        seed=wanted.seed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """One view as contrast alone, or as `takes` has it.

    Parameters
    ----------
    density
        Line integrals of contrast [nat], shape `(x, y, t)`.
    clot_px
        Where the clot begins, x and y [pixels]; None: no clot, or outside of the picture.
    """

    density: Float32s
    clot_px: tuple[float, float] | None


def films(options: XaOptions | None = None, /, **changes: Any) -> dict[str, Film]:
    """Return the contrast alone of both views of a run that does not move, at a tenth of the cost of `xa`.

    The patient and how he lies are those of `xa` with the same options; there is no noise, bone, catheter or
    shutter.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    wanted = chosen(options or XaOptions(), changes)
    patient, times, sides = _drawn(wanted)
    return {name: _film(wanted, patient, times, name, rng) for name, rng in sides.items()}


def _film(options: XaOptions, patient: Patient, times: Times, name: str, rng: np.random.Generator) -> Film:
    placing, moving, filling, *_ = rng.spawn(6)
    camera = _camera(options, patient, name, placing)
    spells = holds(times.size, moving, moves=False)
    everywhere = np.ones((options.size, options.size), dtype=np.bool_)
    return Film(
        contrast(patient, camera, spells, bone.texture(filling)),
        clot_in(patient, camera, spells[0], everywhere),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One view taken apart, for takes to be made of it again and again.

    Parameters
    ----------
    film
        Contrast alone, of a head that lies still.
    still, recoil
        Line integrals of what lies in the beam besides [nat], and by how much the catheter's recoil changes
        them when contrast comes, shape `(x, y)`.
    open_
        What the shutters leave open, shape `(x, y)`.
    """

    film: Film
    still: Float32s
    recoil: Float32s
    open_: Mask


def scenes(options: XaOptions | None = None, /, **changes: Any) -> dict[str, Scene]:
    """Return what both views of a run are made of: contrast, bone, catheter and shutters, without motion.

    They are those of `xa` with the same options.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    wanted = replace(chosen(options or XaOptions(), changes), motion=False)
    patient, times, sides = _drawn(wanted)
    return {name: _scene(wanted, patient, times, name, rng) for name, rng in sides.items()}


def _scene(options: XaOptions, patient: Patient, times: Times, name: str, rng: np.random.Generator) -> Scene:
    placing, moving, filling, casting, *_ = rng.spawn(6)
    camera = _camera(options, patient, name, placing)
    spells = holds(times.size, moving, moves=False)
    beam = _beam(options, patient, camera, spells, casting)
    before, after = beam.spells[0][1], beam.spells[-1][1]
    density = contrast(patient, camera, spells, bone.texture(filling))
    film = Film(density, clot_in(patient, camera, spells[0], beam.open_))
    return Scene(film, before, after - before, beam.open_)


def takes(options: XaOptions | None = None, /, **changes: Any) -> dict[str, Film]:
    """Return both views as the detector sees them and its makers subtract them, and nothing undone.

    Noise, the catheter, shutters, and the edges that bone leaves where the head moves are those of `xa` with
    the encoding `SUB`; what it knows of the truth but the clot's place is left out, which takes long.

    Raises
    ------
    BadRecipe
        If an option is unknown or out of range.
    """
    wanted = replace(chosen(options or XaOptions(), changes), encoding="SUB", sign=1, lut=False)
    patient, times, sides = _drawn(wanted)
    return {name: _take(wanted, patient, times, name, rng) for name, rng in sides.items()}


def _take(options: XaOptions, patient: Patient, times: Times, name: str, rng: np.random.Generator) -> Film:
    _, stored, seen = _exposed(options, patient, times, name, rng)
    level, gain = seen.encoding.scale()
    density = np.where(seen.open_[..., None], (level - stored.astype(np.float32)) / gain, 0.0)
    return Film(density.astype(np.float32), clot_in(patient, seen.camera, seen.spells[0], seen.open_))


def _drawn(options: XaOptions) -> tuple[Patient, Times, dict[str, np.random.Generator]]:
    """Return the patient, the clock, and what draws each view."""
    body, clock, *sides = generators(options)
    times = frame_times(options, clock)
    return make_patient(options, times, body), times, dict(zip(("AP", "LAT"), sides, strict=True))


def generators(options: XaOptions) -> list[np.random.Generator]:
    """Return what draws the patient, the clock and each view; sites share no patient."""
    site = sorted(SETTINGS).index(options.setting)
    return [np.random.default_rng([options.seed, site, part]) for part in range(4)]


def frame_times(options: XaOptions, rng: np.random.Generator) -> Times:
    """Return frame times in whole milliseconds [s], shape `(t,)`: fewer after the arterial phase if asked."""
    fps = options.fps or float(rng.choice(SETTINGS[options.setting].fps))
    times = np.arange(0.0, options.duration_s + 1e-9, 1.0 / fps)
    if options.fps_late is not None:
        early = times[times <= ARTERIAL_S + 1.5]
        late = np.arange(early[-1], options.duration_s + 1e-9, 1.0 / options.fps_late)[1:]
        times = np.concatenate([early, late])
    return np.asarray(np.round(times, 3))


def _view(options: XaOptions, patient: Patient, times: Times, name: str, rng: np.random.Generator) -> View:
    density, stored, seen = _exposed(options, patient, times, name, rng)
    pixel = seen.camera.pixel_mm
    series = Series(
        stored[:, :, None, :],
        times,
        Grid((options.size, options.size, 1), np.diag([-pixel, -pixel, 1.0, 1.0])),
        Modality.XA,
        Unit.SIGNAL,
        acquisition=Acquisition(
            description=f"DSA phantom, {options.vessel} injection",
            source="phantom",
            kvp=80.0,
            clock="simulated",
            xray=seen.encoding.xray(lateral=name == "LAT", started=START.strftime("%Y%m%d%H%M%S.%f")),
        ),
        steps=(f"simulated with seed {options.seed}",),
    )
    return View(series, known(seen, density, series))


def _exposed(
    options: XaOptions, patient: Patient, times: Times, name: str, rng: np.random.Generator
) -> tuple[Float32s, NDArray[np.uint16], Known]:
    """Return line integrals of contrast [nat], what the file stores of them, `(x, y, t)` both, and how."""
    placing, moving, filling, casting, reading, exposing = rng.spawn(6)
    camera = _camera(options, patient, name, placing)
    spells = holds(times.size, moving, moves=options.motion)
    density = contrast(patient, camera, spells, bone.texture(filling))
    beam = _beam(options, patient, camera, spells, casting)
    before = 0 if options.injected_from_first else int(np.searchsorted(times, patient.injection.start_s))
    encoding = Encoding(
        name=options.encoding,
        sign=options.sign,
        photometric=options.photometric,
        photons=options.photons * SETTINGS[options.setting].photons,
        mask=mask_frames(before, reading),
        setting=SETTINGS[options.setting],
        table=options.lut and options.encoding == "LOG",
    )
    stored = develop(density, beam, encoding, exposing)
    return density, stored, Known(patient, camera, spells, beam.open_, encoding)


def _camera(options: XaOptions, patient: Patient, name: str, rng: np.random.Generator) -> Camera:
    """Return a camera whose field holds the head, a little off centre."""
    lateral = name == "LAT"
    towards_left = 1.0 if patient.side == "left" else -1.0
    off = rng.normal(0.0, SETTINGS[options.setting].shift_mm, 2)
    return Camera(
        name=name,
        size=options.size,
        pixel_mm=options.field_mm / options.size,
        across=(0.0, -1.0, 0.0) if lateral else (towards_left, 0.0, 0.0),
        centre_mm=((16.0 if lateral else 0.0) + float(off[0]), -17.0 + float(off[1])),
    )


def _beam(
    options: XaOptions, patient: Patient, camera: Camera, spells: tuple[Hold, ...], rng: np.random.Generator
) -> Beam:
    """Return what the beam meets besides contrast."""
    setting = SETTINGS[options.setting]
    head, leads, tube, swaying, shutters = rng.spawn(5)
    still = bone.background(camera, head) + bone.wires(camera, leads)
    pictures = [(hold, bone.moved(still, camera, hold)) for hold in spells]
    if options.catheter:
        pictures = _with_catheter(patient, camera, pictures, tube)
    sway = swaying.normal(0.0, setting.jitter_mm / camera.pixel_mm, (spells[-1].last, 2))
    return Beam(
        tuple(pictures),
        sway.astype(np.float32),
        bone.field_of_view(camera, shutters, round_field=setting.round_field),
    )


def _with_catheter(
    patient: Patient, camera: Camera, pictures: list[tuple[Hold, Float32s]], rng: np.random.Generator
) -> list[tuple[Hold, Float32s]]:
    """Return pictures with a catheter in the artery, which recoils when contrast is injected."""
    course = patient.vessels[0].course if patient.vessels else None
    if course is None:
        return pictures
    tip = int(rng.uniform(0.12, 0.4) * len(course))
    along = course[: max(tip, 2), :3] @ patient.head.T
    recoil = rng.normal(0.0, 0.7, 2) / camera.pixel_mm
    start = int(np.searchsorted(_shown_times(patient), 1e-3))
    drawn: list[tuple[Hold, Float32s]] = []
    for hold, picture in pictures:
        for part in _split(hold, start):
            points = camera.seen(along, part) + (recoil if part.first >= start else 0.0)
            drawn.append((part, picture + bone.tube(camera, points, bone.CATHETER_MM, bone.CATHETER)))
    return drawn


def _shown_times(patient: Patient) -> Float64s:
    """Return the strength of contrast at the catheter in each frame, never falling, shape `(t,)`."""
    return np.maximum.accumulate(patient.table[0, 0].astype(np.float64))


def _split(hold: Hold, at: int) -> list[Hold]:
    """Return a spell in two if a frame lies within it."""
    if not hold.first < at < hold.last:
        return [hold]
    return [
        Hold(hold.first, at, hold.shift_mm, hold.turn_deg),
        Hold(at, hold.last, hold.shift_mm, hold.turn_deg),
    ]
