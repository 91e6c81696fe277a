"""When the bolus arrives, and which frames lie before it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Curve, Float32s, Float64s, Mask
from bolus.core.errors import NoBolus
from bolus.core.finding import Finding, Severity
from bolus.core.series import Voxels
from bolus.core.units import Modality, Unit
from bolus.physics.noise import noise_sd

BLOCK = 16_384
"""Voxels that are worked on at a time, so that temporaries stay at a few MB."""
_BRIGHTEST = 0.005
"""Share of voxels that must rise together for a bolus to be there."""
_BRIGHTEST_XRAY = 0.02
"""Share that may do so instead in X-ray runs, where shadows of moved bone can be brighter than vessels."""
_TALL = 0.1
"""Share of voxels that vessels are looked for in: they are 1-5 % of the intracranial volume."""
_AT_LEAST = 30
"""Fewer voxels than this are too few for their mean to show that they enhance together."""
_SETTLING_S = 4.0
"""Time that the start noise is taken from, and that T1 needs to reach its steady state in MR [s]."""
_ENOUGH = 100_000
"""Pixels of an X-ray run that are looked at: vessels are 1 % of them and more."""
_NOISY = 4.0
"""A pixel whose noise exceeds this many times the median is in deep shadow."""
_RISE = 0.05
"""Share of the arterial rise that counts as arrival."""
_TISSUE_RISE = 0.2
"""The same for the tissue mean, whose rise is small beside drift and residual motion."""
_AHEAD_S, _USUALLY_AHEAD_S = 6.0, 3.0
"""How long before that rise of the tissue mean contrast may reach the arteries, and usually does [s]."""
_TOGETHER, _BY_CHANCE = 0.1, 1.2
"""Least rise of the mean over the mean rise: 0.1, and 1.2 over the root of the number of voxels, which is
twice what voxels reach that peak by chance."""
_WEAKEST = {Unit.HU: 3.0, Unit.SIGNAL: 0.03, Unit.NAT: 0.02}
"""Smallest rise of the arterial mean that can be contrast: HU, share of the signal, density."""
_SETTLING_XRAY_S = 1.0
"""The same as `_SETTLING_S` for an injection into the carotid, which fills it within 1-2 s [s]."""
_UNSTEADY = 1.03
"""A first frame of MR that is brighter than this, over the next, has not reached its steady state."""
_CT_RANGE_HU = (-100.0, 300.0)
"""Median over time outside this is air or bone [HU]."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Frames without contrast.

    Parameters
    ----------
    first, last
        Frames `[first, last)`; fewer than two mean that there is no usable baseline.
    arrival_s
        Time at which contrast reaches the arteries [s].
    findings
        `SHORT_BASELINE` or `NO_BASELINE` where they apply.
    """

    first: int
    last: int
    arrival_s: float
    findings: tuple[Finding, ...] = ()

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.last - self.first

    @property
    def is_missing(self) -> bool:
        """Whether contrast is there from the start, so that no mean can be taken."""
        return self.n_frames < 2


def find_baseline(voxels: Voxels, tissue: Mask | None = None) -> Baseline:
    """Find the arrival of the bolus in the arteries and the frames before it.

    Vessels are the voxels that rise most above their median after a running median of three frames;
    the quarter of them that rises first stands for the arteries. Their median curve is searched for
    the first three frames in a row that exceed the start by three times the noise and by 5 % of the
    rise. One more frame is left out for safety. Arteries and not the whole brain, which contrast
    reaches 2-3 s later.

    Parameters
    ----------
    voxels
        Curves `(voxels, t)` in HU (CT), signal (MR) or nat (XA, from `to_density` or `subtract`); even,
        uneven or per-slice times.
    tissue
        Brain tissue, shape `(x, y, z)`, of CT and MR. Its mean has little noise and enhances up to 6 s
        after the arteries: where given, it bounds the arrival, which motion at the rim of the brain may
        upset.

    Returns
    -------
    One baseline for all voxels. In MR the first frames, at most three, are left out until T1 has
    reached its steady state, as long as three others remain; those that are brighter by more than 3 %
    as long as two do, for which the frame before the arrival is then taken.

    Raises
    ------
    NoBolus
        If there are fewer than 5 frames, if nothing but air, bone or NaN is there, or if no rise
        stands out that many voxels have together.

    Notes
    -----
    The early quarter, because the very brightest voxels are often all venous sinus, 4-8 s late; the
    median, because a jump of the head makes a few voxels rise before any contrast.
    Where each slice has its own clock, frames are compared by number and `arrival_s` is the mean over
    the slices.
    """
    times = voxels.times.mean(axis=0) if voxels.times.ndim == 2 else voxels.times
    _require_frames(times)
    if voxels.modality is Modality.XA:
        voxels = _clean(voxels)
    rises = _rises(voxels)
    _require_bolus(voxels, rises)
    dt = float(np.median(np.diff(times)))
    settling = min(ceil(_SETTLING_S / dt), 3) if voxels.modality is Modality.MR else 0
    settling = min(settling, times.size - 5)
    quiet_s = _SETTLING_XRAY_S if voxels.modality is Modality.XA else _SETTLING_S
    start = min(max(3, ceil(quiet_s / dt)), times.size - settling)
    arrival = _arrival_frame(_early(voxels, rises), settling, start)
    if tissue is not None and voxels.modality is not Modality.XA:
        later = _tissue_arrival(voxels, tissue, settling, start)
        arrival = _bounded(arrival, later, dt, settling)
    return _before(arrival, (_unsteady(voxels, settling, arrival), settling), times)


def _unsteady(voxels: Voxels, settling: int, arrival: int) -> int:
    """Count the first frames, at most `settling`, that are brighter than those after them before contrast.

    Two frames before the arrival are not counted: they are the least that make a baseline.
    """
    most = min(settling, arrival - 2)
    some = voxels.curves[:: max(len(voxels.curves) // 20_000, 1), :arrival]
    some = some[np.isfinite(some).all(axis=1)]
    if most < 1 or not len(some):
        return 0
    level = some.mean(axis=0, dtype=np.float64)
    bright = level[:most] > _UNSTEADY * np.median(level[1:])
    return int(np.cumprod(bright).sum())


def _clean(voxels: Voxels) -> Voxels:
    """Return some of the pixels of an X-ray run, without those in deep shadow and without flicker.

    Noise behind lead or dense bone is many times that elsewhere and rises higher than contrast; the
    exposure of a frame moves all pixels together, as contrast does.
    """
    step = max(len(voxels.curves) // _ENOUGH, 1)
    chosen = np.zeros(len(voxels.curves), dtype=np.bool_)
    chosen[::step] = np.isfinite(voxels.curves[::step]).all(axis=1)
    curves = voxels.curves[chosen]
    if len(curves):
        noise = noise_sd(curves)
        lit = noise <= _NOISY * float(np.median(noise)) + 1e-9
        chosen[np.flatnonzero(chosen)[~lit]] = False
        curves = np.asarray(curves[lit] - np.median(curves[lit], axis=0), dtype=np.float32)
    mask = np.zeros_like(voxels.mask)
    mask[voxels.mask] = chosen
    return voxels.with_curves(curves, "cleaned", mask=mask)


def _require_frames(times: Float64s) -> None:
    if times.size < 5:
        raise NoBolus(
            "the series is too short to show a bolus",
            wanted="at least 5 frames",
            found=f"{times.size}",
            remedy="Choose the dynamic series with --series.",
        )


def upward(curves: Float32s, modality: Modality) -> Float32s:
    """Turn curves `(voxels, t)` so that contrast makes them rise: HU, density, or share of the signal.

    Rows that are air or bone (CT), dark (MR, median not positive) or not finite become NaN.
    """
    if modality is Modality.XA:
        return np.asarray(curves, dtype=np.float32)
    middle = np.median(curves, axis=1, keepdims=True)
    if modality is Modality.CT:
        low, high = _CT_RANGE_HU
        return np.where((middle >= low) & (middle <= high), curves, np.float32(np.nan))
    return np.where(middle > 0, -curves / np.where(middle > 0, middle, 1.0), np.nan).astype(np.float32)


def _median3(curves: Float32s) -> Float32s:
    """Take the running median of three frames; the first and the last frame repeat their neighbour's."""
    a, b, c = curves[:, :-2], curves[:, 1:-1], curves[:, 2:]
    middle: Float32s = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return np.concatenate([middle[:, :1], middle, middle[:, -1:]], axis=1)


def _rest(curves: Float32s, modality: Modality) -> Float32s:
    """Return the level of each row at rest, shape `(n,)`: its median, or the 20th percentile of X-ray runs.

    Those end while the veins are filled: vessels hold contrast for more than half of the time.
    """
    percent = 20 if modality is Modality.XA else 50
    return np.asarray(np.percentile(curves, percent, axis=1), dtype=np.float32)


def _rises(voxels: Voxels) -> Float32s:
    """Return how far each row rises above its own median; minus infinity where it is unusable."""
    found = np.full(len(voxels.curves), -np.inf, dtype=np.float32)
    dark = _dark_below(voxels)
    for start in range(0, found.size, BLOCK):
        block = voxels.curves[start : start + BLOCK]
        usable = np.isfinite(block).all(axis=1) & (block.mean(axis=1) >= dark)
        smooth = _median3(upward(block[usable], voxels.modality))
        height = smooth.max(axis=1) - _rest(smooth, voxels.modality)
        found[start : start + BLOCK][usable] = np.where(np.isfinite(height), height, -np.inf)
    return found


def _dark_below(voxels: Voxels) -> float:
    """Return the signal under which a drop is only noise: a fifth of the typical signal (MR)."""
    if voxels.modality is not Modality.MR:
        return -np.inf
    sample = voxels.curves[:: max(len(voxels.curves) // 20_000, 1)].mean(axis=1)
    sample = sample[np.isfinite(sample)]
    return 0.2 * float(np.median(sample)) if sample.size else -np.inf


def _usable(rises: Float32s) -> Float32s:
    """Return the finite rises, or say that there are none."""
    usable = rises[np.isfinite(rises)]
    if not usable.size:
        raise NoBolus(
            "no voxel could show a bolus",
            wanted="finite values of soft tissue",
            found="nothing but air, bone, zeros or NaN",
            remedy="Check that this is a perfusion series of the brain (bolus info), and --modality.",
        )
    return usable


def _tallest(rises: Float32s, share: float) -> NDArray[np.intp]:
    """Return the rows that rise most, at least 30 of them where there are as many."""
    n_usable = int(np.isfinite(rises).sum())
    n = min(n_usable, max(_AT_LEAST, ceil(share * n_usable)))
    return np.sort(np.argsort(-rises, kind="stable")[:n])


def _early(voxels: Voxels, rises: Float32s) -> Float64s:
    """Return the median curve of the tall voxels that rise first, each scaled to its own rise, `(t,)`."""
    usable = _usable(rises)
    tall = _tallest(rises, _TALL)
    level = max(0.2 * float(rises[_tallest(rises, 0.001)].min()), 2.0 * float(np.median(usable)))
    tall = tall[rises[tall] >= min(level, float(np.sort(rises[tall])[-_AT_LEAST:][0]))]
    curves = upward(voxels.curves[tall], voxels.modality)
    curves = (curves - _rest(curves, voxels.modality)[:, None]) / rises[tall, None]
    smooth = _median3(curves)
    peak = np.argmax(smooth, axis=1)
    before = np.arange(curves.shape[1]) <= peak[:, None]
    half = (before & (smooth < 0.5 * smooth.max(axis=1, keepdims=True))).sum(axis=1)
    first = np.argsort(half, kind="stable")[: max(_AT_LEAST, len(half) // 4)]
    return np.asarray(np.median(curves[first], axis=0), dtype=np.float64)


def _require_bolus(voxels: Voxels, rises: Float32s) -> None:
    """Refuse a series whose brightest voxels do not rise together."""
    _usable(rises)
    shares = (_BRIGHTEST, _BRIGHTEST_XRAY) if voxels.modality is Modality.XA else (_BRIGHTEST,)
    told = [_rise_together(voxels, rises, share) for share in shares]
    if any(is_bolus for is_bolus, _, _ in told):
        return
    _, height, alone = told[-1]
    weakest = _WEAKEST[voxels.unit]
    kind = {Unit.HU: "HU", Unit.SIGNAL: "of the signal", Unit.NAT: "nat"}[voxels.unit]
    raise NoBolus(
        "no passage of contrast could be found",
        wanted=f"a rise of more than {weakest:g} {kind} that the brightest voxels have together",
        found=f"{height:.3g} {kind} together, {alone:.3g} each on its own",
        remedy="Check that contrast was given and that this is the dynamic series (bolus info).",
    )


def _rise_together(voxels: Voxels, rises: Float32s, share: float) -> tuple[bool, float, float]:
    """Return whether the brightest share of voxels rises together, how high it does, and each on its own."""
    brightest = _tallest(rises, share)
    alone = float(rises[brightest].mean())
    together = upward(voxels.curves[brightest], voxels.modality).mean(axis=0, keepdims=True)
    smooth = _median3(together)
    height = float(smooth.max() - _rest(smooth, voxels.modality)[0])
    least = (_TOGETHER + _BY_CHANCE / brightest.size**0.5) * alone
    return height > _WEAKEST[voxels.unit] and height >= least, height, alone


def _tissue_arrival(voxels: Voxels, tissue: Mask, settling: int, n_start: int) -> int | None:
    """Return the frame at which the mean of the tissue rises, None where it does not."""
    rows = np.flatnonzero(tissue[voxels.mask])
    rows = rows[:: max(rows.size // 20_000, 1)]
    curves = upward(voxels.curves[rows], voxels.modality)
    curves = curves[np.isfinite(curves).all(axis=1)]
    if len(curves) < _AT_LEAST:
        return None
    mean = curves.mean(axis=0, dtype=np.float64)
    height = float(_median3(mean[None].astype(np.float32)).max() - np.median(mean))
    flat = height <= 0.2 * _WEAKEST[voxels.unit]
    if flat or int(np.argmax(mean)) <= settling + 1:
        return None
    return _arrival_frame(mean, settling, n_start, share=_TISSUE_RISE)


def _bounded(arrival: int, later: int | None, dt: float, settling: int) -> int:
    """Return the arterial arrival if it goes with that of the tissue, or what the tissue tells of it."""
    if later is None or later - _AHEAD_S / dt <= arrival <= later:
        return arrival
    return later if arrival > later else max(later - ceil(_USUALLY_AHEAD_S / dt), settling)


def _arrival_frame(rise: Curve, settling: int, n_start: int, share: float = _RISE) -> int:
    """Return the first of three frames in a row above the threshold, searched from `settling` on."""
    g = rise[settling:]
    # The lowest of the means of the first 2, 3, ... frames: a bolus that comes within them cannot hide.
    base = min(float(g[:n].mean()) for n in range(2, n_start + 1))
    height = float(g.max()) - base
    sigma = float(noise_sd(g[None, :n_start])[0])
    level = base + max(min(3.0 * sigma, 0.15 * height), share * height)
    if int(np.argmax(g)) <= 1:
        return settling
    above = g > level
    three = above[:-2] & above[1:-1] & above[2:]
    # A bolus that the end of the scan cuts off may have fewer than three frames above.
    first = np.flatnonzero(three) if three.any() else np.flatnonzero(above)
    return settling + int(first[0])


def _before(arrival: int, settling: tuple[int, int], times: Float64s) -> Baseline:
    """Return the frames before a frame of arrival; the first `settling` are unsteady, or may be."""
    unsteady, longest = settling
    last = min(max(arrival - 1, unsteady + 2), arrival)
    first = min(longest, max(last - 3, unsteady))
    n = last - first
    arrival_s = float(times[arrival])
    if n < 2:
        text = (
            f"Contrast is there from frame {arrival + 1} on, so there is no baseline: enhancement is taken "
            "above the lowest early values and absolute maps are not valid. Start the scan earlier."
        )
        return Baseline(first, last, arrival_s, (Finding("NO_BASELINE", Severity.FAIL, text, float(n)),))
    if n < 3:
        text = f"Only {n} frames lie before the bolus (3 wanted): the baseline is noisy."
        return Baseline(first, last, arrival_s, (Finding("SHORT_BASELINE", Severity.WARN, text, float(n)),))
    return Baseline(first, last, arrival_s)
