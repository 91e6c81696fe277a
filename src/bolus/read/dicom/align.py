"""Puts the images of every slice into common frames, by their times.

Slices may miss images, hold doubled ones, and have clocks of their own that run ahead and behind
(shuttle, jog and interleaved scans). Neighbouring slices differ least, so frames are handed on from
slice to slice, starting at the fullest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bolus.core.arrays import Float64s

_TOLERANCE = 0.4  # of the frame interval: below one half, so that no image can belong to two frames
_SHUTTLE = 1.25  # of the frame interval: how far a slice may run ahead and behind in a shuttle scan
_COMMON = 0.5  # of the slices must hold a frame, else it is no frame


class NotAligned(Exception):
    """The slices' times do not line up, with the reason in a few words."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which image of each slice is which frame.

    Parameters
    ----------
    table
        Number of the image within its slice, -1 where there is none; shape `(z, t)`.
    times
        Time of every slice at every frame [s], estimated where there is no image; shape `(z, t)`.
    surplus
        How many images fit no frame.
    """

    table: NDArray[np.intp]
    times: Float64s
    surplus: int


def line_up(slices: Sequence[Float64s]) -> Alignment:
    """Find the frames of slices.

    Parameters
    ----------
    slices
        Strictly increasing times of the images of each slice [s], slices in spatial order.

    Raises
    ------
    NotAligned
        If no frames can be found that most slices share.
    """
    counts = {len(times) for times in slices}
    steps = [np.diff(times) for times in slices if len(times) > 1]
    interval = float(np.median(np.concatenate(steps))) if steps else 1.0
    drift = np.inf
    if len(counts) == 1:
        times = np.stack(slices)
        offset = times - np.median(times, axis=0)
        drift = float(np.abs(offset - np.median(offset, axis=1, keepdims=True)).max()) / interval
        if drift <= _TOLERANCE:
            return _in_order(times)
    try:
        return _chain(slices, interval * _TOLERANCE)
    except NotAligned:
        if drift > _SHUTTLE:
            raise
        return _in_order(np.stack(slices))


def _in_order(times: Float64s) -> Alignment:
    """Take the images of slices of equal number in their order."""
    return Alignment(np.tile(np.arange(times.shape[1]), (len(times), 1)), times, 0)


@dataclass(slots=True)
class _Chain:
    """Frames found so far, by reference time, and how each slice's clock differs from it."""

    frames: Float64s
    tolerance: float

    def predict(self, known: tuple[Float64s, Float64s]) -> Float64s:
        """Return when a slice was taken at every frame, from the frames that are known of it."""
        return self.frames + np.interp(self.frames, known[0], known[1] - known[0])

    def complete(
        self, neighbour: tuple[Float64s, Float64s], labels: Float64s, times: Float64s
    ) -> tuple[Float64s, Float64s]:
        """Return all frames and when a slice was taken at each: as measured, else as its neighbour was.

        In a shuttle scan a slice is early in one frame and late in the next. What it lacks must be told
        from the same frame of its neighbour, not from its own frames before and after.
        """
        expected = self.predict(neighbour)
        late = times - expected[np.searchsorted(self.frames, labels)]
        return self.frames, expected + np.interp(self.frames, labels, late)

    def add(self, times: Float64s, expected: Float64s) -> tuple[NDArray[np.intp], Float64s]:
        """Give each image of a slice the frame it is nearest to, and make frames of the others.

        Returns the kept images' numbers and their frames' reference times.
        """
        shift = self._shift(times, expected)
        nearest = _nearest(expected + shift, times)
        distance = np.abs(expected[nearest] + shift - times)
        labels = self.frames[nearest].copy()
        fresh = distance > self.tolerance
        labels[fresh] = times[fresh] - np.interp(
            times[fresh], expected + shift, expected + shift - self.frames
        )
        distance[fresh] = 0.0
        self.frames = np.union1d(self.frames, labels[fresh])
        order = np.lexsort((distance, labels))
        first = np.r_[True, np.diff(labels[order]) > 0]
        kept = np.sort(order[first])
        return kept, labels[kept]

    def _shift(self, times: Float64s, expected: Float64s) -> float:
        """Return the constant by which a slice's clock differs from what was expected of it."""
        ends = range(min(3, len(times), len(expected)))
        tried = {0.0} | {float(times[i] - expected[j]) for i in ends for j in ends}
        tried |= {float(times[-1 - i] - expected[-1 - j]) for i in ends for j in ends}
        return max(tried, key=lambda shift: (self._matched(times, expected + shift), -round(abs(shift), 6)))

    def _matched(self, times: Float64s, expected: Float64s) -> int:
        nearest = _nearest(expected, times)
        return len(np.unique(nearest[np.abs(expected[nearest] - times) <= self.tolerance]))


def _nearest(grid: Float64s, times: Float64s) -> NDArray[np.intp]:
    right = np.clip(np.searchsorted(grid, times), 1, max(len(grid) - 1, 1))
    if len(grid) == 1:
        return np.zeros(len(times), dtype=np.intp)
    left_is_nearer = times - grid[right - 1] <= grid[right] - times
    nearest: NDArray[np.intp] = np.where(left_is_nearer, right - 1, right)
    return nearest


def _chain(slices: Sequence[Float64s], tolerance: float) -> Alignment:
    """Hand frames on from the fullest slice to both ends of the stack."""
    n_slices = len(slices)
    start = max(range(n_slices), key=lambda k: (len(slices[k]), -abs(k - n_slices // 2)))
    chain = _Chain(slices[start].copy(), tolerance)
    kept: dict[int, NDArray[np.intp]] = {start: np.arange(len(slices[start]))}
    labels: dict[int, Float64s] = {start: slices[start]}
    known: dict[int, tuple[Float64s, Float64s]] = {start: (slices[start], slices[start])}
    for k in [*range(start + 1, n_slices), *range(start - 1, -1, -1)]:
        before = known[k - 1 if k > start else k + 1]
        kept[k], labels[k] = chain.add(slices[k], chain.predict(before))
        known[k] = chain.complete(before, labels[k], slices[k][kept[k]])
    return _tabulate(slices, chain, kept, labels, known)


def _tabulate(
    slices: Sequence[Float64s],
    chain: _Chain,
    kept: dict[int, NDArray[np.intp]],
    labels: dict[int, Float64s],
    known: dict[int, tuple[Float64s, Float64s]],
) -> Alignment:
    held = np.sum([np.isin(chain.frames, labels[k]) for k in range(len(slices))], axis=0)
    chain.frames = chain.frames[held >= _COMMON * len(slices)]
    if not chain.frames.size:
        raise NotAligned("the slices share no frames")
    table = np.full((len(slices), chain.frames.size), -1, dtype=np.intp)
    times = np.empty(table.shape)
    for k in range(len(slices)):
        times[k] = chain.predict(known[k])
        shared = np.isin(labels[k], chain.frames)
        columns = np.searchsorted(chain.frames, labels[k][shared])
        table[k, columns] = kept[k][shared]
        times[k, columns] = slices[k][kept[k][shared]]
    if (np.diff(times, axis=1) <= 0).any():
        raise NotAligned("the slices' times do not line up")
    surplus = sum(len(s) for s in slices) - int((table >= 0).sum())
    if (table < 0).mean() > 0.25:
        raise NotAligned("the slices' times do not line up")
    return Alignment(table, times, surplus)
