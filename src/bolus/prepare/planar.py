"""Rigid motion in the plane of an image: finding it, to a tenth of a pixel, and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from bolus.core.arrays import Float32s, Float64s

HUBER: Final = 2.0
"""Residuals beyond this many standard deviations count less: vessels that fill."""
MAX_STEPS: Final = 25
ENOUGH_PX: Final = 0.005
"""A step shorter than this ends the search."""
_OVERLAP: Final = 0.5
_BLUR: Final = 3.0
"""Width of what the peak of a phase correlation is smoothed with [pixels]: noise lives below it."""

Pose = tuple[float, float, float]
"""Where a point of the reference lies in a frame: shift along x and y [pixels] and turn about the middle
[radians], from x to y."""
STILL: Final[Pose] = (0.0, 0.0, 0.0)


def scaled(pose: Pose, factor: float) -> Pose:
    """Return a pose in an image of `factor` times as many pixels."""
    return pose[0] * factor, pose[1] * factor, pose[2]


def after(first: Pose, second: Pose) -> Pose:
    """Return the pose of a frame that lies as `second` against one that lies as `first`."""
    cos, sin = np.cos(second[2]), np.sin(second[2])
    x = cos * first[0] - sin * first[1] + second[0]
    y = sin * first[0] + cos * first[1] + second[1]
    return float(x), float(y), first[2] + second[2]


def displacement_px(pose: Pose, size: float) -> float:
    """Return how far a pose moves a point a quarter of the image's size from its middle, at most [pixels]."""
    return float(np.hypot(pose[0], pose[1])) + abs(pose[2]) * 0.25 * size


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The strongest edges of a reference image.

    Parameters
    ----------
    points
        Pixels from the middle, shape `(2, n)`.
    values
        Of the reference there, shape `(n,)`.
    slopes
        Change of the value for a shift along x, along y, and a turn, shape `(n, 3)`.
    shape
        Of the image.
    """

    points: Float64s
    values: Float64s
    slopes: Float64s
    shape: tuple[int, int]


def edges_of(image: Float32s, where: NDArray[np.bool_], n_points: int) -> Edges:
    """Return the `n_points` strongest edges of an image `(x, y)` inside a mask `(x, y)`."""
    gx, gy = (np.asarray(np.gradient(image, axis=axis)) for axis in (0, 1))
    strength = np.where(where, np.hypot(gx, gy), -1.0)
    n_points = min(n_points, int(np.count_nonzero(where)))
    chosen = np.argpartition(strength.ravel(), -n_points)[-n_points:]
    x, y = np.unravel_index(np.sort(chosen), image.shape)
    points = np.array([x, y], dtype=np.float64) - _middle(image.shape)
    along, across = gx[x, y].astype(np.float64), gy[x, y].astype(np.float64)
    turn = across * points[0] - along * points[1]
    slopes = np.stack([along, across, turn], axis=1)
    return Edges(points, image[x, y].astype(np.float64), slopes, (image.shape[0], image.shape[1]))


def _middle(shape: tuple[int, ...]) -> Float64s:
    return 0.5 * (np.array(shape[:2], dtype=np.float64) - 1.0)[:, None]


def read_at(edges: Edges, image: Float32s, pose: Pose) -> tuple[Float64s, NDArray[np.bool_]]:
    """Return a frame's values at the edges moved by a pose, and which of them lie within it, `(n,)` each."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    turned = np.array([[cos, -sin], [sin, cos]]) @ edges.points
    index = turned + np.array(pose[:2])[:, None] + _middle(edges.shape)
    limit = np.array(edges.shape)[:, None] - 1
    seen = np.all((index >= 0) & (index <= limit), axis=0)
    return ndimage.map_coordinates(image, index, order=1, mode="nearest", output=np.float64), seen


def similarity(edges: Edges, image: Float32s, pose: Pose) -> float:
    """Return the correlation of a frame with the reference at its edges; 0 where too few lie within it."""
    values, seen = read_at(edges, image, pose)
    if (
        seen.sum() < _OVERLAP * max(seen.size, 1)
        or min(np.ptp(values[seen]), np.ptp(edges.values[seen])) == 0
    ):
        return 0.0
    return float(np.corrcoef(values[seen], edges.values[seen])[0, 1])


def refine(edges: Edges, image: Float32s, start: Pose) -> Pose:
    """Fit a pose by robust least squares, close to a start (inverse-compositional Gauss-Newton).

    Parameters
    ----------
    edges
        Of the reference.
    image
        The frame, shape `(x, y)`, filtered as the reference was.
    start
        First guess.

    References
    ----------
    Baker & Matthews, Int J Comput Vis 56:221-255 (2004), doi:10.1023/B:VISI.0000011205.11775.fd
    """
    pose, best, least = start, start, np.inf
    for _ in range(MAX_STEPS):
        values, seen = read_at(edges, image, pose)
        if seen.sum() < _OVERLAP * max(seen.size, 1):
            break
        error = (values - edges.values)[seen]
        error -= np.median(error)
        cost = float(np.abs(error).mean())
        if cost < least:
            best, least = pose, cost
        step = _step(edges.slopes[seen], error)
        pose = _without(pose, step)
        if displacement_px(step, min(edges.shape)) < ENOUGH_PX:
            return pose
    return best


def _step(slopes: Float64s, error: Float64s) -> Pose:
    """Return the small motion that explains an error best."""
    scale = 1.4826 * float(np.median(np.abs(error))) + 1e-12
    weight = 1.0 / np.maximum(1.0, np.abs(error) / (HUBER * scale))
    weighted = slopes * weight[:, None]
    square = weighted.T @ slopes
    square += 1e-6 * np.diag(np.diag(square)) + 1e-12 * np.eye(3)
    x, y, turn = np.linalg.solve(square, weighted.T @ error)
    return float(x), float(y), float(turn)


def _without(pose: Pose, step: Pose) -> Pose:
    """Return a pose before a small motion of the reference's points."""
    turn = pose[2] - step[2]
    cos, sin = np.cos(turn), np.sin(turn)
    x = pose[0] - (cos * step[0] - sin * step[1])
    y = pose[1] - (sin * step[0] + cos * step[1])
    return float(x), float(y), float(turn)


def spectrum(image: Float32s) -> NDArray[np.complex64]:
    """Return the Fourier transform of an image `(x, y)` under a window that lets its borders fade."""
    windows = [np.hanning(n + 2)[1:-1].astype(np.float32) for n in image.shape]
    return np.asarray(fft.rfft2(image * windows[0][:, None] * windows[1]))


def phase_shift(
    reference: NDArray[np.complex64], frame: NDArray[np.complex64], shape: tuple[int, int]
) -> Pose:
    """Return the shift of a frame against a reference by phase correlation, to the nearest pixel.

    Parameters
    ----------
    reference, frame
        Of `spectrum`.
    shape
        Of the images.

    References
    ----------
    Kuglin & Hines, Proc IEEE Int Conf Cybernetics and Society 163-165 (1975);
    Foroosh et al., IEEE Trans Image Process 11:188-200 (2002), doi:10.1109/83.988953
    """
    cross = frame * np.conj(reference)
    size = np.abs(cross)
    if not size.max() > 0:
        return STILL
    cross /= np.maximum(size, 1e-6 * size.max())
    fx, fy = np.meshgrid(fft.fftfreq(shape[0]), fft.rfftfreq(shape[1]), indexing="ij")
    cross *= np.exp(-0.5 * (2.0 * np.pi * _BLUR / 2.355) ** 2 * (fx**2 + fy**2))
    peaks = fft.irfft2(cross, s=shape)
    at = np.unravel_index(int(np.argmax(peaks)), shape)
    x, y = (float(i - n if i > n // 2 else i) for i, n in zip(at, shape, strict=True))
    return x, y, 0.0


def moved_back(frame: Float32s, pose: Pose) -> Float32s:
    """Return a frame `(x, y)` moved back to where its reference lies, by cubic B-splines; borders repeat."""
    coefficients = ndimage.spline_filter(frame, order=3, output=np.float32, mode="mirror")
    out = np.empty(frame.shape, dtype=np.float32)
    _sample(coefficients, np.array(pose, dtype=np.float64), out)
    return out


@numba.njit(cache=True, nogil=True)
def _weights(part: float, out: NDArray[np.float32]) -> None:
    rest = 1.0 - part
    out[0] = rest * rest * rest / 6.0
    out[1] = 2.0 / 3.0 - 0.5 * part * part * (2.0 - part)
    out[2] = 2.0 / 3.0 - 0.5 * rest * rest * (2.0 - rest)
    out[3] = part * part * part / 6.0


@numba.njit(cache=True, nogil=True)
def _sample(coefficients: Float32s, pose: Float64s, out: Float32s) -> None:
    """Read cubic B-splines at the points of a moved grid; positions outside take the nearest pixel's."""
    nx, ny = coefficients.shape
    mx, my = 0.5 * (nx - 1), 0.5 * (ny - 1)
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    wx, wy = np.empty(4, np.float32), np.empty(4, np.float32)
    jy = np.empty(4, np.int64)
    for i in range(nx):
        for j in range(ny):
            x = cos * (i - mx) - sin * (j - my) + pose[0] + mx
            y = sin * (i - mx) + cos * (j - my) + pose[1] + my
            x, y = min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0)
            i0, j0 = int(x), int(y)
            _weights(x - i0, wx)
            _weights(y - j0, wy)
            for b in range(4):
                k = abs(j0 + b - 1)
                jy[b] = 2 * (ny - 1) - k if k > ny - 1 else k
            total = np.float32(0.0)
            for a in range(4):
                k = abs(i0 + a - 1)
                k = 2 * (nx - 1) - k if k > nx - 1 else k
                row = np.float32(0.0)
                for b in range(4):
                    row += wy[b] * coefficients[k, jy[b]]
                total += wx[a] * row
            out[i, j] = total


def lands_inside(field: NDArray[np.bool_], pose: Pose) -> NDArray[np.bool_]:
    """Tell which pixels a moved frame imaged: where a pose takes them into the field, shape `(x, y)`."""
    out = np.empty(field.shape, dtype=np.bool_)
    _look_up(np.ascontiguousarray(field), np.array(pose, dtype=np.float64), out)
    return out


@numba.njit(cache=True, nogil=True)
def _look_up(field: NDArray[np.bool_], pose: Float64s, out: NDArray[np.bool_]) -> None:
    nx, ny = field.shape
    mx, my = 0.5 * (nx - 1), 0.5 * (ny - 1)
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    for i in range(nx):
        for j in range(ny):
            x = int(np.floor(cos * (i - mx) - sin * (j - my) + pose[0] + mx + 0.5))
            y = int(np.floor(sin * (i - mx) + cos * (j - my) + pose[1] + my + 0.5))
            out[i, j] = field[x, y] if 0 <= x < nx and 0 <= y < ny else False
