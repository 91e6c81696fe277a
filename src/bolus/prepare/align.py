"""Aligning one frame: least squares from a good start, gradient descent over a wide range when lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from bolus.core.arrays import Float64s, Volume
from bolus.core.grid import Grid
from bolus.core.units import Modality
from bolus.prepare.itk import as_image
from bolus.prepare.pose import centre_of, displacement_mm, inverted, twist_matrix
from bolus.prepare.template import Template

MAX_STEPS, TOLERANCE_MM = 25, 0.003
_MIN_OVERLAP = 0.3
_HUBER = 2.0
"""Residuals beyond this many SDs count less: vessels with contrast, streaks."""
_DAMPING, _MAX_DAMPING = 1e-3, 10.0
_SLACK = 1.01
"""A step may raise the error by this much: it also depends a little on where between voxels one reads."""
COARSE_ITERATIONS = 300
"""As in Gava 2023."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A frame read at the points of a template, at one pose.

    Parameters
    ----------
    seen
        Points that lie within the frame, shape `(n,)`; all that follows is about these.
    error
        Frame minus reference, shape `(seen,)`.
    left
        `error` without what the nuisance terms explain, shape `(seen,)`.
    """

    seen: NDArray[np.bool_]
    error: Float64s
    left: Float64s

    @property
    def cost(self) -> float:
        """Mean size of what is left; infinite where too little of the head is within the frame."""
        return float(np.abs(self.left).mean()) if self.seen.mean() >= _MIN_OVERLAP else float("inf")


def splined(image: Volume) -> Volume:
    """Return the coefficients of the cubic splines through a frame, shape `(x, y, z)`."""
    return np.asarray(spline_filter(image, 3, output=np.float32, mode="mirror"))


def read_at(template: Template, splines: Volume, pose: Float64s) -> Reading:
    """Read a frame, as splines, at a template's points, moved by a pose (reference to frame)."""
    to_index = template.to_index @ pose
    index = template.points @ to_index[:3, :3].T + to_index[:3, 3]
    seen = np.all((index > -0.01) & (index < np.array(splines.shape) - 0.99), axis=1)
    values = map_coordinates(
        splines, index[seen].T, order=3, mode="mirror", prefilter=False, output=np.float64
    )
    error = values - template.values[seen]
    nuisance = template.nuisance[seen]
    square = nuisance.T @ nuisance
    ridge = 1e-9 * (np.trace(square) + 1.0) * np.eye(square.shape[0])
    return Reading(seen, error, error - nuisance @ np.linalg.solve(square + ridge, nuisance.T @ error))


def similarity(template: Template, splines: Volume, pose: Float64s) -> float:
    """Return how well a frame's edges match the reference: multiple correlation, 0 to 1.

    Parameters
    ----------
    template
        The reference.
    splines
        The frame at the template's level, as `splined` gives it.
    pose
        Reference to frame, shape `(4, 4)`.
    """
    reading = read_at(template, splines, pose)
    if not np.isfinite(reading.cost):
        return 0.0
    whole = float(np.var(reading.error + template.values[reading.seen]))
    return float(np.sqrt(max(0.0, 1.0 - float(np.var(reading.left)) / whole))) if whole > 0 else 0.0


def refine(template: Template, splines: Volume, start: Float64s) -> Float64s:
    """Fit a pose by least squares, close to a start (inverse-compositional Gauss-Newton, damped).

    Parameters
    ----------
    template
        The reference; its slopes serve every frame.
    splines
        The frame at the template's level, as `splined` gives it, shape `(x, y, z)`.
    start
        First guess: reference to frame, shape `(4, 4)`.

    Returns
    -------
    Pose that takes points of the reference to the frame, shape `(4, 4)`.

    References
    ----------
    Baker & Matthews, Int J Comput Vis 56:221-255 (2004), doi:10.1023/B:VISI.0000011205.11775.fd

    Notes
    -----
    The measure is the mean squared difference of Gava 2023, with residuals beyond two SDs counted less.
    Their stochastic gradient descent leaves tilts of thick slices unresolved: the measure changes a
    hundred times faster with a shift in the plane than with a tilt, which only a step that knows the
    curvature deals with. The slopes are those of the reference, which has little noise, so the smoothing
    of a frame's noise by interpolation does not pull the fit.
    """
    pose, now, damping = start, read_at(template, splines, start), _DAMPING
    for _ in range(MAX_STEPS):
        if not np.isfinite(now.cost) or damping > _MAX_DAMPING:
            break
        step = _step(template, now, damping)
        tried = pose @ inverted(step)
        then = read_at(template, splines, tried)
        if then.cost > _SLACK * now.cost:
            damping *= 10.0
            continue
        pose, now, damping = tried, then, max(0.1 * damping, _DAMPING)
        if displacement_mm(step) < TOLERANCE_MM:
            break
    return pose


def _step(template: Template, reading: Reading, damping: float) -> Float64s:
    """Return the small motion that would explain a reading best, as a matrix `(4, 4)`."""
    rows = np.hstack([template.slopes[reading.seen], template.nuisance[reading.seen]])
    weighted = rows * _huber(reading.left)[:, None]
    square = weighted.T @ rows
    n_free = template.slopes.shape[1]
    grown = np.full(square.shape[0], 1e-9)
    grown[:n_free] += damping
    square += np.diag(grown * (np.diag(square) + 1e-9 * np.trace(square)))
    found = np.linalg.solve(square, weighted.T @ reading.error)
    return twist_matrix(template.basis @ found[:n_free])


def _huber(residual: Float64s) -> Float64s:
    centred = np.abs(residual - np.median(residual))
    reach = _HUBER * 1.4826 * float(np.median(centred)) + 1e-9
    return np.asarray(1.0 / np.maximum(1.0, centred / reach))


def search(template: Template, image: Volume, reference: Volume, grid: Grid, start: Float64s) -> Float64s:
    """Look for a pose over a wide range at the coarse level, with SimpleITK.

    Parameters
    ----------
    template
        The coarse template.
    image, reference
        Frame and reference at its level, shape `(x, y, z)`.
    grid
        Grid of the series.
    start
        First guess: reference to frame, shape `(4, 4)`.

    Returns
    -------
    Pose, shape `(4, 4)`; the start where the search fails.

    Notes
    -----
    Settings of Gava 2023 (rigid, gradient descent, 300 iterations), with mean squares for CT and mutual
    information for MR, whose signal falls when the bolus comes.
    """
    import SimpleITK as sitk  # noqa: N813, PLC0415 - 90 MB that only lost frames need

    own = template.level.grid(grid)
    registration = sitk.ImageRegistrationMethod()
    registration.SetNumberOfThreads(1)
    if template.level.modality is Modality.CT:
        registration.SetMetricAsMeanSquares()
    else:
        registration.SetMetricAsMattesMutualInformation(32)
    registration.MetricUseFixedImageGradientFilterOff()  # its filter needs four slices
    registration.MetricUseMovingImageGradientFilterOff()
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(4.0, 0.01, COARSE_ITERATIONS, 0.6, 1e-8)
    registration.SetOptimizerScalesFromPhysicalShift()
    moving = sitk.Euler3DTransform()
    moving.SetCenter(centre_of(grid).tolist())
    moving.SetMatrix(start[:3, :3].ravel().tolist(), 1e-6)
    moving.SetTranslation(start[:3, 3].tolist())
    registration.SetInitialTransform(moving, inPlace=True)
    try:
        registration.Execute(as_image(reference, own), as_image(image, own))
    except RuntimeError:
        return start  # SimpleITK says so when the two no longer overlap
    pose = np.eye(4)
    pose[:3, :3] = np.array(moving.GetMatrix()).reshape(3, 3)
    pose[:3, 3] = moving.GetTranslation()
    return pose
