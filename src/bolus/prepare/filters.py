"""Noise filters, over space only: what a filter does to a curve it does to every frame alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import log
from types import MappingProxyType
from typing import Final, Protocol, runtime_checkable

import numpy as np
from scipy.ndimage import find_objects, gaussian_filter

from bolus.core.arrays import Curves, Float32s, Times
from bolus.core.errors import BadRecipe
from bolus.core.finding import Progress, silent
from bolus.core.series import Voxels
from bolus.core.units import Unit
from bolus.physics.noise import MAD_TO_SD
from bolus.prepare.neighbours import LEAST_WEIGHT, Likeness, Neighbourhood, filtered, neighbourhood, tabulate

TIPS_BINS = 12
"""Time bins that TIPS compares curves in: 10-15 keep its cost near that of the bilateral filter."""
TIPS_WIDTH: Final = 4.0
"""Width of the likeness of TIPS over the noise variance of a bin: twice what equal tissues differ by."""
PROFILE_WIDTH: Final = 6.0
"""The same for the second pass of `profile`."""
QUIET_S: Final = 8.0
"""Time at the start of the scan [s] in which most tissue is still without contrast."""
USUAL_SIGMA_MM: Final = MappingProxyType({"profile": 4.0})
"""Spatial SD by filter where it is not 3 mm."""


@runtime_checkable
class Smoother(Protocol):
    """A filter of curves over space."""

    def __call__(
        self, voxels: Voxels, /, *, sigma_mm: float, range_hu: float, progress: Progress = silent
    ) -> Curves:
        """Return filtered curves, shape `(voxels, t)`, of the same voxels."""


def smooth(
    voxels: Voxels,
    *,
    method: str | Smoother = "bilateral",
    sigma_mm: float | None = None,
    range_hu: float = 20.0,
    progress: Progress = silent,
) -> Voxels:
    """Reduce noise by averaging neighbours inside the mask.

    Parameters
    ----------
    voxels
        Voxels of a series, before or after resampling in time.
    method
        `profile`, `bilateral`, `gaussian`, `tips`, `none`, or a callable like them.
    sigma_mm
        Spatial SD [mm]. Unset: 3 mm as in Gava 2023, 4 mm for `profile`.
    range_hu
        Range SD of the bilateral filter [HU]; 20 HU as in Gava 2023. The others do not use it.
    progress
        Called after every slice.

    Returns
    -------
    The same voxels, filtered; the input itself for `none`. Curves that are not finite take no part
    and stay as they are.

    Raises
    ------
    BadRecipe
        If the method is unknown, a width is not positive, or the bilateral filter, whose range is in
        HU, is asked for values that are not HU.
    """
    chosen = METHODS.get(method) if isinstance(method, str) else method
    if chosen is None:
        raise BadRecipe("the filter is unknown", wanted=", ".join(METHODS), found=str(method))
    if sigma_mm is None:
        sigma_mm = USUAL_SIGMA_MM.get(method, 3.0) if isinstance(method, str) else 3.0
    for name, width in (("sigma_mm", sigma_mm), ("range_hu", range_hu)):
        if not (np.isfinite(width) and width > 0):
            raise BadRecipe(f"{name} is out of range", wanted="a positive number", found=repr(width))
    if method == "none" or not voxels.curves.size:
        return voxels
    curves = chosen(voxels, sigma_mm=sigma_mm, range_hu=range_hu, progress=progress)
    return voxels.with_curves(curves, _step(method, sigma_mm, range_hu))


def bilateral(
    voxels: Voxels, /, *, sigma_mm: float = 3.0, range_hu: float = 20.0, progress: Progress = silent
) -> Curves:
    """Average neighbours that are close in space and alike in the temporal mean (joint bilateral filter).

    ``out(x, t) = sum_y G(|x - y|; sigma_mm) G(g(x) - g(y); range_hu) I(y, t) / sum_y G G`` with the guide
    `g` the mean over all frames, y within 2 `sigma_mm` and inside the mask.

    Parameters
    ----------
    voxels
        Curves [HU], shape `(voxels, t)`.
    sigma_mm, range_hu
        SDs in space [mm] and in the guide [HU].
    progress
        Called after every slice.

    Returns
    -------
    Curves [HU], shape `(voxels, t)`.

    Raises
    ------
    BadRecipe
        If the values are not HU.

    References
    ----------
    Gava et al., Front Neuroinform 17:852105 (2023), doi:10.3389/fninf.2023.852105.
    Petschnigg et al., ACM Trans Graph 23:664-672 (2004), doi:10.1145/1015706.1015777

    Notes
    -----
    Neighbours whose guide differs so much that the range weight is under 1e-4 (4.3 SDs) are left out.
    """
    if voxels.unit is not Unit.HU:
        raise BadRecipe(
            "the range of the bilateral filter is in HU",
            wanted="a CT series",
            found=f"a series in {voxels.unit}",
            remedy="Choose tips or gaussian, or none.",
        )
    guide = voxels.curves.mean(axis=1, dtype=np.float64)[:, None].astype(np.float32)
    reach = -2.0 * range_hu**2 * log(LEAST_WEIGHT)
    likeness = tabulate(guide, lambda squared: np.exp(-squared / (2 * range_hu**2)), reach)
    return filtered(voxels, _around(voxels, sigma_mm), likeness, progress=progress)


def tips(
    voxels: Voxels,
    /,
    *,
    sigma_mm: float = 3.0,
    range_hu: float = 20.0,  # noqa: ARG001  # one signature for every entry of METHODS
    progress: Progress = silent,
) -> Curves:
    """Average neighbours that are close in space and whose curves are alike (TIPS filter).

    ``w(x, y) = exp(-d^2 / 2 sigma_mm^2) exp(-zeta^2 / 2 sigma_zeta^2)`` with `zeta` the mean squared
    difference of the two curves.

    Parameters
    ----------
    voxels
        Curves in any unit, shape `(voxels, t)`.
    sigma_mm
        SD in space [mm].
    range_hu
        Not used: the width of the likeness follows from the noise of the curves.
    progress
        Called after every slice.

    Returns
    -------
    Curves, shape `(voxels, t)`.

    References
    ----------
    Mendrik et al., Phys Med Biol 56:3857-3872 (2011), doi:10.1088/0031-9155/56/13/012

    Notes
    -----
    Curves are compared in at most 12 time bins, as means of about equally many frames each, which makes
    the filter several times faster. Equal tissues have an expected `zeta` of 2 s^2 with s the noise SD of
    one bin; `sigma_zeta` is twice that. The noise is taken from the first 8 s of all voxels.
    """
    likeness = _likeness(voxels.curves, voxels, TIPS_WIDTH)
    return filtered(voxels, _around(voxels, sigma_mm), likeness, progress=progress)


def profile(
    voxels: Voxels,
    /,
    *,
    sigma_mm: float = 4.0,
    range_hu: float = 20.0,  # noqa: ARG001  # one signature for every entry of METHODS
    progress: Progress = silent,
) -> Curves:
    """Average neighbours whose filtered curves are alike: TIPS, guided by its own first result.

    At clinical noise a single curve says little about which tissue it comes from, so that TIPS averages
    nearly by distance alone. Here a first, narrower pass of TIPS (three quarters of `sigma_mm`) gives
    curves with a fifth of the noise; these, not the raw ones, decide in the second pass which
    neighbours are alike. What is averaged is the raw curves, once.

    Parameters
    ----------
    voxels
        Curves in any unit, shape `(voxels, t)`.
    sigma_mm
        SD in space [mm]: 4 mm, as on simulated patients at 6-9 HU wider blurs the edge of the core and
        narrower leaves more noise in it.
    range_hu
        Not used.
    progress
        Called after every slice of either pass.

    Returns
    -------
    Curves, shape `(voxels, t)`.

    References
    ----------
    Mendrik et al., Phys Med Biol 56:3857-3872 (2011), doi:10.1088/0031-9155/56/13/012;
    a filter guided by a first estimate: Dabov et al., IEEE Trans Image Process 16:2080-2095 (2007),
    doi:10.1109/TIP.2007.901238

    Notes
    -----
    `sigma_zeta` is 6 times the variance of a bin of the first result, not 4 as in TIPS, because the noise
    that is left in neighbours is shared.
    """
    likeness = _likeness(tips(voxels, sigma_mm=0.75 * sigma_mm, progress=progress), voxels, PROFILE_WIDTH)
    return filtered(voxels, _around(voxels, sigma_mm), likeness, progress=progress)


def _likeness(guide: Curves, voxels: Voxels, width: float) -> Likeness:
    """Tell how alike two voxels are by their guide curves, shape `(voxels, t)`.

    `width` is `sigma_zeta` over the noise variance of one time bin of the guide.
    """
    n_bins = min(TIPS_BINS, guide.shape[1])
    spread = max(width * _bin_variance(guide, voxels.times, n_bins), float(np.finfo(np.float32).tiny) * 1e6)
    reach = spread * float(np.sqrt(-2.0 * log(LEAST_WEIGHT)))
    return tabulate(time_bins(guide, n_bins), lambda zeta: np.exp(-(zeta**2) / (2 * spread**2)), reach)


def _bin_variance(curves: Curves, times: Times, n_bins: int) -> float:
    """Estimate the noise variance of the mean over a time bin, from the frames before contrast.

    From the means of their two halves, not from single frames: frames that were interpolated between
    others share noise, and would seem to have less of it than their mean has.
    """
    clock = times if times.ndim == 1 else times.min(axis=0)
    n = min(int(np.searchsorted(clock, clock[0] + QUIET_S)), curves.shape[1])
    half = max(1, n // 2)
    change = curves[:, n - half : n].mean(axis=1) - curves[:, :half].mean(axis=1)
    change = change[np.isfinite(change)]
    if not change.size:
        return 0.0
    sd = MAD_TO_SD * float(np.median(np.abs(change - np.median(change))))
    return float(0.5 * sd**2 * half * n_bins / curves.shape[1])


def time_bins(curves: Curves, n_bins: int) -> Float32s:
    """Average curves `(voxels, t)` over bins of neighbouring frames, shape `(voxels, n_bins)`."""
    edges = np.linspace(0, curves.shape[1], n_bins + 1).round().astype(np.intp)
    means: Float32s = np.add.reduceat(curves, edges[:-1], axis=1, dtype=np.float32)
    means /= np.diff(edges).astype(np.float32)
    return means


def gaussian(
    voxels: Voxels,
    /,
    *,
    sigma_mm: float = 3.0,
    range_hu: float = 20.0,  # noqa: ARG001  # one signature for every entry of METHODS
    progress: Progress = silent,
) -> Curves:
    """Average neighbours by distance alone, inside the mask only.

    The filtered frame is divided by the filtered mask, so that what lies outside does not leak in.

    Parameters
    ----------
    voxels
        Curves in any unit, shape `(voxels, t)`.
    sigma_mm
        SD in space [mm], reaching 3 SDs.
    range_hu
        Not used.
    progress
        Called after every frame.

    Returns
    -------
    Curves, shape `(voxels, t)`.

    References
    ----------
    Knutsson & Westin, CVPR (1993), doi:10.1109/CVPR.1993.341081
    """
    box = find_objects(voxels.mask.astype(np.int8))[0]
    mask = voxels.mask[box]
    finite = np.isfinite(voxels.curves).all(axis=1)
    spread = partial(
        gaussian_filter,
        sigma=[sigma_mm / s for s in voxels.grid.spacing_mm],
        mode="constant",
        truncate=3.0,
    )
    volume = np.zeros(mask.shape, dtype=np.float32)
    volume[mask] = finite
    weight = spread(volume)[mask]
    out = np.empty_like(voxels.curves)
    n_times = voxels.curves.shape[1]
    for t in range(n_times):
        volume[mask] = np.where(finite, voxels.curves[:, t], 0.0)
        out[:, t] = np.where(finite, spread(volume)[mask] / np.maximum(weight, 1e-12), voxels.curves[:, t])
        progress("filter", t + 1, n_times)
    return out


def none(
    voxels: Voxels,
    /,
    *,
    sigma_mm: float = 3.0,  # noqa: ARG001  # one signature for every entry of METHODS
    range_hu: float = 20.0,  # noqa: ARG001
    progress: Progress = silent,  # noqa: ARG001
) -> Curves:
    """Return the curves, shape `(voxels, t)`, as they are."""
    return voxels.curves


METHODS: Final[Mapping[str, Smoother]] = MappingProxyType(
    {"profile": profile, "bilateral": bilateral, "gaussian": gaussian, "tips": tips, "none": none}
)
"""Noise filters by name."""


def _around(voxels: Voxels, sigma_mm: float) -> Neighbourhood:
    return neighbourhood(voxels.grid.affine[:3, :3], sigma_mm)


def _step(method: str | Smoother, sigma_mm: float, range_hu: float) -> str:
    name = method if isinstance(method, str) else getattr(method, "__name__", "callable")
    extra = f", {range_hu:g} HU" if name == "bilateral" else ""
    return f"filter: {name}, {sigma_mm:g} mm{extra}"
