"""What lies in the beam besides contrast: skull, base, teeth, wires, the catheter and the shutters."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, zoom
from scipy.special import expit

from bolus.core.arrays import Float32s, Float64s, Mask
from bolus.phantom.angiogram.cerebral import AXES, CENTRE
from bolus.phantom.angiogram.film import Camera
from bolus.phantom.angiogram.kernels import COLUMNS, draw
from bolus.phantom.angiogram.motion import Hold

MU_BONE, MU_SOFT = 0.034, 0.019
"""Attenuation of skull and of soft tissue [nat/mm]."""
SKULL_MM: Final = (3.0, 10.0)
"""Inner and outer table beyond the brain [mm]."""
SKIN_MM: Final = 15.0
BRIGHTEST: Final = -1.3
"""Line integral outside of the head [nat] against the middle of it: wedge filters spare the detector."""
CATHETER_MM, CATHETER = 0.85, 0.28
"""Radius [mm] and attenuation [nat/mm] of a catheter."""


def background(camera: Camera, rng: np.random.Generator) -> Float32s:
    """Return line integrals of a head without contrast [nat], 0 in its middle, shape `(x, y)`."""
    u, v = _axes_mm(camera)
    rim = [_chord(camera, u, v, extra) for extra in (*SKULL_MM, SKIN_MM)]
    bone = (rim[1] - rim[0]) * (1.0 + 0.12 * _noise(camera, rng, 9.0) + 0.05 * _noise(camera, rng, 2.5))
    vault = expit((v + 8.0) / 5.0)  # below it the base takes over
    lines = vault * (MU_BONE * bone + MU_SOFT * rim[2]) + (1 - vault) * _neck(camera, u, v)
    lines += _base(camera, rng, v) + _face(camera, rng, u, v)
    lines -= np.median(lines[rim[0] > 0.8 * rim[0].max()])
    return np.asarray(np.maximum(lines, BRIGHTEST), dtype=np.float32)


def _axes_mm(camera: Camera) -> tuple[Float32s, Float32s]:
    """Return head coordinates along a row `(x, 1)` and upwards `(1, y)` [mm]."""
    index = (np.arange(camera.size) - (camera.size - 1) / 2) * camera.pixel_mm
    u, v = index + camera.centre_mm[0], -(index + camera.centre_mm[1])
    return u.astype(np.float32)[:, None], v.astype(np.float32)[None, :]


def _chord(camera: Camera, u: Float32s, v: Float32s, extra: float) -> Float32s:
    """Return the length of rays through an ellipsoid around the brain [mm], shape `(x, y)`."""
    across = np.abs(np.asarray(camera.across))
    wide, deep = float(across @ (AXES + extra)), float((1 - across) @ np.append(AXES[:2] + extra, 0.0))
    middle = float(np.asarray(camera.across) @ CENTRE)
    part = 1.0 - ((u - middle) / wide) ** 2 - ((v - CENTRE[2]) / (AXES[2] + extra)) ** 2
    return np.asarray(2.0 * deep * np.sqrt(np.maximum(part, 0.0)), dtype=np.float32)


def _neck(camera: Camera, u: Float32s, v: Float32s) -> Float32s:
    """Return the face and the neck as soft tissue [nat], shape `(x, y)`."""
    lateral = camera.name == "LAT"
    left, right = (-78.0, 70.0) if lateral else (-66.0, 66.0)
    narrow = np.clip((-20.0 - v) / 70.0, 0.0, 1.0)
    right = right - (18.0 if lateral else 8.0) * narrow
    edge = expit((u - left - 10.0 * narrow) / 1.5) * expit((right - u) / 1.5)
    return np.asarray(edge * (MU_SOFT * 150.0 + 0.5), dtype=np.float32)


def _noise(camera: Camera, rng: np.random.Generator, grain_mm: float) -> Float32s:
    """Return smooth noise of standard deviation 1, its grain in mm of the head, shape `(x, y)`."""
    n = int(camera.size * camera.pixel_mm / grain_mm * 2.0) + 6
    rough = gaussian_filter(rng.standard_normal((n, n)), 1.0)
    rough /= max(float(rough.std()), 1e-9)
    large = zoom(rough.astype(np.float32), camera.size / (n - 4), order=1 if camera.size < 4 * n else 2)
    return np.asarray(large[: camera.size, : camera.size], dtype=np.float32)


def texture(rng: np.random.Generator) -> Float32s:
    """Return how uneven tissue is: 1 on average, shape `(40, 40)`."""
    rough = gaussian_filter(rng.standard_normal((40, 40)), 0.8)
    return np.asarray(np.maximum(1.0 + 0.22 * rough / rough.std(), 0.2), dtype=np.float32)


def _base(camera: Camera, rng: np.random.Generator, v: Float32s) -> Float32s:
    """Return the base of the skull: bones with sharp edges and cells of air, thickest below the brain."""
    height = rng.normal(-26.0, 3.0)
    band = expit((height + 14.0 - v) / 5.0) * expit((v + 38.0 - height) / 7.0)
    plates = np.tanh(1.6 * _noise(camera, rng, 16.0)) + 0.6 * np.tanh(1.5 * _noise(camera, rng, 7.0))
    cells = 0.12 * np.maximum(_noise(camera, rng, 2.2), 0.0)
    below = 0.5 * expit(-(v + 62.0) / 4.0) * (1.0 + np.tanh(1.5 * _noise(camera, rng, 11.0)))
    return np.asarray(band * (0.7 + 0.3 * plates - cells) + below, dtype=np.float32)


def _face(camera: Camera, rng: np.random.Generator, u: Float32s, v: Float32s) -> Float32s:
    """Return rims of the orbits, teeth and their fillings."""
    lines = np.zeros((camera.size, camera.size), dtype=np.float32)
    front = camera.name == "AP"
    for middle in (-32.0, 32.0) if front else (-46.0,):
        far = np.hypot(u - middle, (v + 16.0) * rng.uniform(1.1, 1.3))
        lines += 0.4 * np.exp(-(((far - 20.0) / 2.6) ** 2)) - 0.2 * expit(20.0 - far)
    for _ in range(int(rng.integers(3, 9))):
        place = rng.uniform(-28.0, 28.0) if front else rng.uniform(-72.0, -40.0)
        far = np.hypot(
            (u - place) / rng.uniform(2.5, 4.5), (v + rng.uniform(66.0, 84.0)) / rng.uniform(3.0, 7.0)
        )
        lines += (rng.uniform(0.4, 1.6) * (far < 1.0)).astype(np.float32)
    return lines


def moved(lines: Float32s, camera: Camera, hold: Hold) -> Float32s:
    """Return the picture where it lies during a spell."""
    if hold.shift_mm == (0.0, 0.0) and hold.turn_deg == 0.0:
        return lines
    corner = hold.moved(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    forward = np.column_stack([corner[1] - corner[0], corner[2] - corner[0]])
    back = np.linalg.inv(forward)
    middle = (camera.size - 1) / 2
    offset = middle - back @ (np.full(2, middle) + corner[0] / camera.pixel_mm)
    return np.asarray(affine_transform(lines, back, offset, order=1, mode="nearest"), dtype=np.float32)


def tube(camera: Camera, points: Float64s, radius_mm: float, mu: float) -> Float32s:
    """Return line integrals of a tube through pixel coordinates `(n, 2)` [nat], shape `(x, y)`."""
    pieces = np.zeros((len(points) - 1, COLUMNS), dtype=np.float32)
    pieces[:, :2], pieces[:, 2:4] = points[:-1], points[1:]
    pieces[:, 4:6] = radius_mm
    pieces[:, 6] = np.linalg.norm(np.diff(points, axis=0), axis=1) * camera.pixel_mm
    pieces[:, 9:] = 1.0
    lines = np.zeros((camera.size, camera.size, 1), dtype=np.float32)
    table = np.full((1, 1), mu, dtype=np.float32)
    draw(lines, pieces, np.zeros(len(pieces), dtype=np.int64), table, (camera.pixel_mm, 1.0))
    return lines[..., 0]


def wires(camera: Camera, rng: np.random.Generator) -> Float32s:
    """Return up to three leads that lie across the field [nat], shape `(x, y)`."""
    lines = np.zeros((camera.size, camera.size), dtype=np.float32)
    for _ in range(int(rng.integers(0, 4))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * camera.size
        ends[0, 1], ends[1, 1] = camera.size * 1.02, camera.size * rng.uniform(0.55, 1.02)
        part = np.linspace(0.0, 1.0, 40)[:, None]
        points = ends[0] + part * (ends[1] - ends[0])
        points[:, 0] += 0.05 * camera.size * np.sin(np.pi * part[:, 0] * rng.uniform(0.5, 2.0))
        lines += tube(camera, points, rng.uniform(0.35, 0.7), 0.5)
    return lines


def field_of_view(camera: Camera, rng: np.random.Generator, *, round_field: bool) -> Mask:
    """Return what the shutters leave open, shape `(x, y)`."""
    index = (np.arange(camera.size) + 0.5) / camera.size
    x, y = index[:, None], index[None, :]
    open_ = np.ones((camera.size, camera.size), dtype=np.bool_)
    for along, across in ((x, y), (1 - x, y), (y, x), (1 - y, x)):
        if rng.random() < 0.45:
            open_ &= along + rng.normal(0.0, 0.02) * across > rng.uniform(0.01, 0.09)
    if round_field:
        open_ &= np.hypot(x - 0.5, y - 0.5) < rng.uniform(0.49, 0.6)
    return open_
