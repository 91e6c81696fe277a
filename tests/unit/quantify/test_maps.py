import numpy as np
import pytest

from bolus.core.errors import BadRecipe, NoBolus, ShapeMismatch
from bolus.core.grid import Grid
from bolus.core.maps import Estimate
from bolus.core.series import Concentration
from bolus.core.units import TISSUE_SCALE, Modality, Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves
from bolus.quantify import ORIGINS, make_maps

TIMES = np.arange(0.0, 90.0, 1.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = VesselCurve("AIF", TIMES, BOLUS(TIMES), Unit.HU, "simulated")
CBF, MTT, DELAY = np.array([60.0, 24.0, 11.25]), np.array([4.0, 6.0, 8.0]), np.array([0.0, 2.3, 5.0])
CBV = CBF * MTT / 60
CURVES = tissue_curves(BOLUS, TIMES, (CBF, MTT, DELAY)).astype(np.float32)


def scan(curves: np.ndarray = CURVES, modality: Modality = Modality.CT, start: float = 0.0) -> Concentration:
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask.ravel()[: len(curves)] = True
    grid = Grid((2, 2, 2), np.diag([1.0, 1.0, 5.0, 1.0]))
    return Concentration(curves, TIMES + start, mask, grid, modality, Unit.HU, (0, 9), 1.0)


def exact(n: int = 3, **changes: np.ndarray) -> Estimate:
    flow = (CBF / (6000 * TISSUE_SCALE)).astype(np.float32)[:n]
    return Estimate(**{"flow": flow, "tmax": DELAY.astype(np.float32)[:n], **changes})


def voxels(maps: dict, name: str) -> np.ndarray:
    return maps[name].values.ravel()[:3]


def test_volume_flow_and_transit_come_back_in_their_units():
    maps = make_maps(exact(), scan(), AIF)

    np.testing.assert_allclose(voxels(maps, "CBF"), CBF, rtol=1e-5)
    np.testing.assert_allclose(voxels(maps, "CBV"), CBV, rtol=5e-3)
    np.testing.assert_allclose(voxels(maps, "MTT"), MTT, rtol=5e-3)
    assert maps["CBF"].unit is Unit.FLOW
    assert maps["CBV"].unit is Unit.VOLUME
    assert {maps[name].unit for name in ("MTT", "Tmax", "TTP", "BAT", "FM")} == {Unit.SECOND}


def test_first_moment_is_transit_and_delay():
    maps = make_maps(exact(), scan(), AIF)

    np.testing.assert_allclose(voxels(maps, "FM"), MTT + DELAY, atol=0.05)


def test_outside_the_mask_there_is_nothing():
    for made in make_maps(exact(), scan(), AIF).values():
        assert np.isnan(made.values.ravel()[3:]).all()
        assert made.values.dtype == np.float32
        assert not made.values.flags.writeable


@pytest.mark.parametrize("origin", ORIGINS)
def test_time_to_peak_counts_from_the_origin(origin):
    maps = make_maps(exact(), scan(start=3.0), AIF, ttp_origin=origin)

    fine = np.arange(0.0, 90.0, 0.01)
    peaks = fine[np.argmax(tissue_curves(BOLUS, fine, (CBF, MTT, DELAY)), axis=1)]
    zero = {"scan": 0.0, "arrival": 10.88, "peak": 14.5}[origin]
    np.testing.assert_allclose(voxels(maps, "TTP"), peaks - zero, atol=0.15)


def test_arrival_follows_delay():
    arrival = voxels(make_maps(exact(), scan(), AIF), "BAT")

    np.testing.assert_allclose(arrival - arrival[0] - DELAY, [0.0, 0.1, 0.2], atol=0.15)
    assert 11.0 < arrival[0] < 12.5


def test_projections_are_relative_to_the_artery():
    flow = np.array([0.1, 0.05, 0.02], dtype=np.float32)
    maps = make_maps(exact(flow=flow), scan(modality=Modality.XA), AIF)

    ratio = CURVES.sum(axis=1) / AIF.values.sum()
    np.testing.assert_allclose(voxels(maps, "CBF"), flow)
    np.testing.assert_allclose(voxels(maps, "CBV"), ratio, rtol=1e-4)
    np.testing.assert_allclose(voxels(maps, "MTT"), ratio / flow, rtol=1e-4)
    assert (maps["CBF"].unit, maps["CBV"].unit) == (Unit.PER_SECOND, Unit.RATIO)


def test_noise_before_the_bolus_is_not_volume():
    offset = CURVES.copy()
    offset[:, :8] += 5.0

    np.testing.assert_array_equal(
        voxels(make_maps(exact(), scan(offset), AIF), "CBV"), voxels(make_maps(exact(), scan(), AIF), "CBV")
    )


def test_negative_samples_count_towards_volume():
    noise = np.random.default_rng(2).normal(0, 0.5, (8, 90)).astype(np.float32)
    curves = np.concatenate([noise[:4], -noise[:4]])
    maps = make_maps(Estimate(np.full(8, 0.01, np.float32), np.zeros(8, np.float32)), scan(curves), AIF)

    volume = maps["CBV"].values.ravel()
    assert volume.sum() == pytest.approx(0.0, abs=1e-5)
    assert (volume < 0).any()


@pytest.mark.parametrize("flow", [0.0, -0.01, np.nan])
def test_transit_is_nothing_where_there_is_no_flow(flow):
    maps = make_maps(exact(flow=np.array([flow, 0.01, 0.01], np.float32)), scan(), AIF)

    assert np.isnan(voxels(maps, "MTT")[0])
    assert np.isfinite(voxels(maps, "MTT")[1:]).all()


def test_transit_is_nothing_where_volume_is_not_positive():
    maps = make_maps(exact(), scan(-np.maximum(CURVES, 1e-6)), AIF)

    assert (voxels(maps, "CBV") < 0).all()
    assert np.isnan(voxels(maps, "MTT")).all()
    assert np.isnan(voxels(maps, "TTP")).all()
    assert np.isnan(voxels(maps, "FM")).all()


def test_a_fitted_transit_time_decides_volume():
    fitted = np.array([5.0, 5.0, 5.0], dtype=np.float32)
    delay = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    sd = {"flow": delay, "tmax": delay, "mtt": delay, "delay": delay}

    maps = make_maps(exact(mtt=fitted, delay=delay, sd=sd), scan(), AIF)

    np.testing.assert_array_equal(voxels(maps, "MTT"), fitted)
    np.testing.assert_allclose(voxels(maps, "CBV"), CBF * 5.0 / 60, rtol=1e-5)
    np.testing.assert_array_equal(voxels(maps, "delay"), delay)
    np.testing.assert_allclose(maps["CBF"].sd.ravel()[:3], 6000 * TISSUE_SCALE * delay, rtol=1e-5)
    np.testing.assert_array_equal(maps["MTT"].sd.ravel()[:3], delay)
    assert maps["CBV"].sd is None


def test_curves_that_are_not_numbers_give_nothing():
    broken = CURVES.copy()
    broken[1, 40] = np.nan

    maps = make_maps(exact(), scan(broken), AIF)

    for name in ("CBV", "MTT", "TTP", "FM"):
        np.testing.assert_array_equal(np.isnan(voxels(maps, name)), [False, True, False])


def test_an_empty_mask_gives_empty_maps():
    maps = make_maps(exact(0), scan(CURVES[:0]), AIF)

    assert all(np.isnan(made.values).all() for made in maps.values())


def test_blocks_leave_no_trace(monkeypatch):
    whole = make_maps(exact(), scan(), AIF)
    monkeypatch.setattr("bolus.quantify.curves.ROWS", 2)

    for name, made in make_maps(exact(), scan(), AIF).items():
        np.testing.assert_allclose(made.values, whole[name].values, rtol=1e-5)


def test_parts_that_do_not_belong_together_are_refused():
    short = VesselCurve("AIF", TIMES[:-1], BOLUS(TIMES[:-1]), Unit.HU, "file")
    flat = VesselCurve("AIF", TIMES, np.zeros(90), Unit.HU, "file")

    with pytest.raises(ShapeMismatch, match="does not fit"):
        make_maps(exact(2), scan(), AIF)
    with pytest.raises(ShapeMismatch, match="another clock"):
        make_maps(exact(), scan(), short)
    with pytest.raises(NoBolus, match="area"):
        make_maps(exact(), scan(), flat)
    with pytest.raises(BadRecipe, match="origin"):
        make_maps(exact(), scan(), AIF, ttp_origin="needle")
