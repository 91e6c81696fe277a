"""One simulated run in every encoding that a file may have: the same contrast comes out."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from bolus.core.series import Series
from bolus.phantom import xa
from bolus.phantom.angiogram.study import View
from bolus.prepare import correct_run_motion
from bolus.tracer import subtract, to_density

pytestmark = pytest.mark.slow

SIZE = 160
WAYS = [
    {"encoding": encoding, "sign": sign, "photometric": photometric, "lut": lut}
    for encoding, sign, photometric, lut in product(
        ("LIN", "LOG", "SUB"), (1, -1, 0), ("MONOCHROME1", "MONOCHROME2"), (False, True)
    )
    if encoding == "LOG" or not lut
]


@cache
def view(seed: int, name: str, **way: object) -> View:
    return xa(size=SIZE, seed=seed, **way).views[name]


def contrast(series: Series) -> np.ndarray:
    return subtract(to_density(series)).frames[:, :, 0]


def cbv(series: Series, artery: np.ndarray) -> np.ndarray:
    total = contrast(series).sum(axis=-1)
    return total / total[artery].mean()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way.values())))
@pytest.mark.parametrize("name", ["AP", "LAT"])
def test_ratio_maps_do_not_depend_on_how_pixels_are_stored(way: dict[str, object], name: str) -> None:
    plain = view(3, name, encoding="LIN", sign=1)
    top = plain.truth.density.max(axis=-1)[..., 0]
    vessels = (top > 0.2) & (top < 1.7)  # beyond 2 nat subtracted files of this site end at 0
    vessels &= plain.truth.masks["field"][..., 0]
    artery = plain.truth.masks["ica"][..., 0] & vessels
    expected = cbv(plain.series, artery)
    found = cbv(view(3, name, **way).series, artery)
    assert found[vessels].mean() == pytest.approx(expected[vessels].mean(), rel=0.005)
    assert np.abs(found[vessels] / expected[vessels] - 1).mean() < 0.01


@pytest.mark.parametrize("name", ["AP", "LAT"])
def test_density_is_that_of_the_truth(name: str) -> None:
    plain = view(3, name, encoding="LIN", sign=1)
    apart = contrast(plain.series) - plain.truth.density[:, :, 0]
    inside = plain.truth.masks["field"][..., 0]
    vessels = plain.truth.masks["ica"][..., 0] & inside
    assert abs(apart[inside].mean()) < 0.005
    assert abs(apart[vessels].mean()) < 0.02 * plain.truth.density[:, :, 0][vessels].mean() + 0.005


@pytest.mark.parametrize(("seed", "name"), [(0, "AP"), (0, "LAT"), (3, "AP")])
def test_motion_is_undone_before_subtraction(seed: int, name: str) -> None:
    moving = view(seed, name, encoding="LIN", sign=1, motion=True)
    density = to_density(moving.series)
    still, trace = correct_run_motion(density)
    assert trace is not None
    first = int(trace.reference.split()[-1]) - 1
    shift = moving.truth.motion[:, :2] - moving.truth.motion[first, :2]
    turn = moving.truth.motion[:, 2] - moving.truth.motion[first, 2]
    apart_px = np.abs(trace.parameters[:, :2] - shift).max(axis=1) / moving.truth.pixel_mm
    assert np.median(apart_px) < 0.3
    assert np.median(np.abs(-trace.parameters[:, 5] - turn)) < 0.15
    bone = ~(moving.truth.density.max(axis=-1) > 0.05) & moving.truth.masks["field"]
    bone &= ~trace.unseen if trace.unseen is not None else True
    raw, better = (subtract(d).frames[bone].std() for d in (density, still))
    assert better < 0.6 * raw
