"""Scanner values to contrast, by modality."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from bolus.core.arrays import Curves, Float32s, Float64s
from bolus.core.errors import BadTimes, MissingTag, NoBolus
from bolus.core.finding import Finding, Severity
from bolus.core.series import Concentration, Voxels
from bolus.core.units import Modality, Unit
from bolus.physics.noise import MAD_TO_SD
from bolus.physics.signal import delta_r2star
from bolus.tracer.baseline import BLOCK, Baseline
from bolus.tracer.leakage import correct_leakage

Conversion: TypeAlias = Callable[[Float32s, Float32s], Float32s]
"""`convert(curves, reference)`: a block `(n, t)` and its pre-contrast level `(n, 1)` to contrast."""

_BONE_HU, _AIR_HU = 300.0, -100.0
"""Baseline above or below this is bone or air, where contrast means nothing [HU]."""
_TE_RANGE_MS = (1.0, 500.0)
"""Echo times outside this are a mistake of unit [ms]."""
_SAMPLE = 20_000
"""Voxels that pooled statistics are taken from: more change the third digit at most."""


def to_concentration(
    voxels: Voxels, baseline: Baseline, *, te_ms: float | None = None, leakage: bool = False
) -> Concentration:
    """Convert scanner values to contrast above the baseline.

    ``C = HU - HU0`` (CT), ``dR2* = -ln(S / S0) / TE`` (MR) or ``D - D0`` (XA, density from `subtract`),
    with the mean of the baseline frames of each voxel as its reference. Negative values stay: clipping
    noise at 0 would raise CBV.

    Parameters
    ----------
    voxels
        Curves `(voxels, t)` on an even clock.
    baseline
        From `find_baseline`.
    te_ms
        Echo time [ms], instead of the one that the files give (MR only).
    leakage
        Correct DSC-MRI for leakage (`correct_leakage`); ignored for CT and XA.

    Returns
    -------
    Contrast [HU], [1/s] or [nat]. Rows are NaN where a sample was not finite, where the baseline is
    bone (> 300 HU) or air (< -100 HU), or where MR has no signal. `noise` is measured on these curves,
    so that it includes what filters and interpolation did to it.

    Raises
    ------
    BadTimes
        If the clock is not even.
    MissingTag
        If an MR series has no usable echo time, or an X-ray run is not in nat.
    NoBolus
        If the frames of the baseline are not in the series.

    Notes
    -----
    Without a baseline (`NO_BASELINE`) the reference is the 10th percentile of the first five frames
    (CT) or their 90th percentile (MR); density from `subtract` has been set to zero there (XA).

    References
    ----------
    Rosen et al., Magn Reson Med 14:249-265 (1990), doi:10.1002/mrm.1910140211;
    Fieselmann et al., Int J Biomed Imaging 2011:467563 (2011), doi:10.1155/2011/467563
    """
    _require_even(voxels)
    _require_baseline(voxels, baseline)
    convert, unit, floor = _conversion(voxels, baseline, te_ms)
    curves, n_saturated = _converted(voxels, baseline, convert, floor)
    result = Concentration(
        curves=curves,
        times=voxels.times,
        mask=voxels.mask,
        grid=voxels.grid,
        modality=voxels.modality,
        unit=unit,
        baseline=(baseline.first, baseline.last),
        noise=noise_level(curves, baseline),
        steps=(*voxels.steps, _STEPS[voxels.modality]),
        findings=(*baseline.findings, *_saturation(n_saturated, len(curves))),
    )
    return correct_leakage(result)[0] if leakage and voxels.modality is Modality.MR else result


_STEPS = {
    Modality.CT: "tracer: HU above baseline",
    Modality.MR: "tracer: change of R2*",
    Modality.XA: "tracer: optical density",
}


def _require_even(voxels: Voxels) -> None:
    if not voxels.is_even:
        raise BadTimes(
            "concentration needs an even time grid",
            wanted="one even clock for all slices",
            found=f"times of shape {voxels.times.shape}",
            remedy="Resample with bolus.prepare.even_grid first.",
        )


def _require_baseline(voxels: Voxels, baseline: Baseline) -> None:
    n_frames = int(voxels.curves.shape[1])
    if not 0 <= baseline.first <= baseline.last <= n_frames:
        raise NoBolus(
            "the baseline is not part of the series",
            wanted=f"frames within 0-{n_frames}",
            found=f"{baseline.first}-{baseline.last}",
            remedy="Use the baseline of this series (find_baseline).",
        )


def _conversion(voxels: Voxels, baseline: Baseline, te_ms: float | None) -> tuple[Conversion, Unit, float]:
    """Return how to convert a block, the unit that comes out, and the signal floor."""
    if voxels.modality is Modality.CT:
        return _ct, Unit.HU, -np.inf
    if voxels.modality is Modality.XA:
        _require_density(voxels)
        return _xa, Unit.NAT, -np.inf
    te_s = _echo_time_ms(voxels, te_ms) / 1000.0
    step = max(len(voxels.curves) // _SAMPLE, 1)
    noise = noise_level(voxels.curves[::step], baseline)
    floor = max(1e-6, 2.0 * noise) if np.isfinite(noise) else 1e-6
    return partial(_mr, te_s=te_s, floor=floor), Unit.PER_SECOND, floor


def _echo_time_ms(voxels: Voxels, te_ms: float | None) -> float:
    found = voxels.acquisition.te_ms if te_ms is None else te_ms
    low, high = _TE_RANGE_MS
    if found is None or not low <= found <= high:
        raise MissingTag(
            "the series has no usable echo time, and signal cannot become concentration without one",
            wanted=f"{low:g}-{high:g} ms",
            found="none" if found is None else f"{found:g} ms",
            remedy="Give the echo time in milliseconds with --te.",
        )
    return found


def _ct(curves: Float32s, reference: Float32s) -> Float32s:
    soft = (reference <= _BONE_HU) & (reference >= _AIR_HU)
    return np.where(soft, curves - reference, np.float32(np.nan))


def _xa(curves: Float32s, reference: Float32s) -> Float32s:
    return np.asarray(curves - reference)


def _require_density(voxels: Voxels) -> None:
    if voxels.unit is not Unit.NAT:
        raise MissingTag(
            "the pixels of an X-ray run are not contrast yet",
            wanted=f"density [{Unit.NAT}]",
            found=f"values in {voxels.unit}",
            remedy="Use bolus.tracer.to_density and bolus.tracer.subtract first.",
        )


def _mr(curves: Float32s, reference: Float32s, te_s: float, floor: float) -> Float32s:
    rate = delta_r2star(curves, reference, te_s, floor=floor)
    return np.where(reference > floor, rate, np.float32(np.nan))


def _reference(curves: Float32s, baseline: Baseline, modality: Modality) -> Float32s:
    """Return the pre-contrast level of each row, shape `(n, 1)`."""
    if not baseline.is_missing:
        mean = curves[:, baseline.first : baseline.last].mean(axis=1, keepdims=True, dtype=np.float64)
        return np.asarray(mean, dtype=np.float32)
    if modality is Modality.XA:
        return np.zeros((len(curves), 1), dtype=np.float32)
    percent = 10 if modality is Modality.CT else 90
    level = np.percentile(curves[:, :5], percent, axis=1, keepdims=True)
    return np.asarray(level, dtype=np.float32)


def _converted(voxels: Voxels, baseline: Baseline, convert: Conversion, floor: float) -> tuple[Curves, int]:
    """Convert in blocks; also count the rows that touch the floor in two or more frames."""
    contrast = np.empty(voxels.curves.shape, dtype=np.float32)
    n_saturated = 0
    for start in range(0, len(contrast), BLOCK):
        block = voxels.curves[start : start + BLOCK]
        finite = np.isfinite(block).all(axis=1, keepdims=True)
        block = np.where(finite, block, np.float32(0))
        reference = _reference(block, baseline, voxels.modality)
        contrast[start : start + BLOCK] = np.where(finite, convert(block, reference), np.float32(np.nan))
        # Twice the floor: a voxel that is dark before the bolus has no signal to lose.
        bright = reference[:, 0] > 2.0 * floor
        n_saturated += int(np.count_nonzero(bright & ((block <= floor).sum(axis=1) >= 2)))
    return contrast, n_saturated


def _saturation(n_saturated: int, n_voxels: int) -> tuple[Finding, ...]:
    if not n_saturated:
        return ()
    text = (
        f"{n_saturated} of {n_voxels} voxels lose all signal in two or more frames (large vessels at high "
        "dose or long echo time): their peak is cut and they are not used as an artery."
    )
    return (Finding("SATURATED", Severity.INFO, text, float(n_saturated)),)


def noise_level(curves: Curves, baseline: Baseline) -> float:
    """Estimate the noise of one sample of one voxel from the baseline of many, in the curves' unit.

    The median absolute deviation from each voxel's own mean, pooled, and corrected for the degree of
    freedom that the mean takes. Interpolation correlates neighbouring frames, which would make first
    differences read too low. Without a baseline, second differences over the whole scan serve.

    Parameters
    ----------
    curves
        Shape `(voxels, t)`; rows that are not finite do not count.
    baseline
        Frames without contrast.

    Returns
    -------
    Standard deviation; NaN where no row is finite.
    """
    step = max(len(curves) // _SAMPLE, 1)
    sample: Float64s = curves[::step].astype(np.float64)
    sample = sample[np.isfinite(sample).all(axis=1)]
    if not sample.size:
        return float("nan")
    if baseline.is_missing:
        bends = np.diff(sample, n=2, axis=1)
        return float(MAD_TO_SD * np.median(np.abs(bends)) / np.sqrt(6.0))
    early = sample[:, baseline.first : baseline.last]
    deviation = np.abs(early - early.mean(axis=1, keepdims=True))
    lost = np.sqrt(1.0 - 1.0 / early.shape[1])
    return float(MAD_TO_SD * np.median(deviation) / lost)
