"""Noise filters follow their formulas, inside the mask only."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.grid import Grid
from bolus.core.series import Voxels
from bolus.core.units import Modality, Unit
from bolus.prepare import METHODS, Smoother, even_grid, smooth
from bolus.prepare.filters import time_bins

SHEARED = np.array([[-1.2, 0.0, 0.0, 0.0], [0.0, -1.0, 0.8, 0.0], [0.0, 0.0, 4.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def voxels(curves, mask, affine=SHEARED, dt=1.0):
    return Voxels(
        curves.astype(np.float32),
        np.arange(curves.shape[1]) * dt,
        mask,
        Grid(mask.shape, affine),
        Modality.CT,
        Unit.HU,
    )


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    mask = rng.random((11, 12, 3)) > 0.15
    curves = 35 + 25 * (np.argwhere(mask)[:, :1] > 5) + rng.normal(0, 8, (int(mask.sum()), 7))
    return voxels(curves, mask)


def distances_mm(some):
    place = some.grid.position_mm(np.argwhere(some.mask))
    return np.linalg.norm(place[:, None] - place[None], axis=-1)


def weighted(weights, curves):
    return weights @ curves.astype(np.float64) / weights.sum(axis=1, keepdims=True)


def test_bilateral_follows_its_formula(noisy):
    guide = noisy.curves.mean(axis=1, dtype=np.float64)
    apart = distances_mm(noisy)
    weights = np.exp(-(apart**2) / (2 * 3.0**2)) * (apart <= 6.0)
    weights *= np.exp(-((guide[:, None] - guide[None]) ** 2) / (2 * 20.0**2))

    filtered = smooth(noisy, method="bilateral", sigma_mm=3.0, range_hu=20.0)

    np.testing.assert_allclose(filtered.curves, weighted(weights, noisy.curves), rtol=2e-5)
    assert filtered.steps[-1] == "filter: bilateral, 3 mm, 20 HU"


def test_tips_follows_its_formula(noisy):
    early = noisy.curves.astype(np.float64)
    change = early[:, 4:].mean(axis=1) - early[:, :3].mean(axis=1)
    noise = 1.4826 * np.median(np.abs(change - np.median(change))) * np.sqrt(1.5)
    zeta = np.mean((noisy.curves[:, None].astype(np.float64) - noisy.curves[None]) ** 2, axis=-1)
    apart = distances_mm(noisy)
    likeness = np.exp(-(zeta**2) / (2 * (4 * noise**2) ** 2))
    weights = np.exp(-(apart**2) / (2 * 3.0**2)) * (apart <= 6.0) * likeness * (likeness > 1e-4)

    filtered = smooth(noisy, method="tips")

    np.testing.assert_allclose(filtered.curves, weighted(weights, noisy.curves), rtol=1e-4)


def test_profile_is_guided_by_curves_that_tips_has_filtered(noisy):
    guide = smooth(noisy, method="tips", sigma_mm=3.0).curves.astype(np.float64)
    change = guide[:, 4:].mean(axis=1) - guide[:, :3].mean(axis=1)
    variance = (1.4826 * np.median(np.abs(change - np.median(change)))) ** 2 * 1.5
    zeta = np.mean((guide[:, None] - guide[None]) ** 2, axis=-1)
    apart = distances_mm(noisy)
    likeness = np.exp(-(zeta**2) / (2 * (6 * variance) ** 2))
    weights = np.exp(-(apart**2) / (2 * 4.0**2)) * (apart <= 8.0) * likeness * (likeness > 1e-4)

    filtered = smooth(noisy, method="profile")

    np.testing.assert_allclose(filtered.curves, weighted(weights, noisy.curves), rtol=1e-3)
    assert filtered.steps[-1] == "filter: profile, 4 mm"


@pytest.mark.parametrize("method", ["tips", "profile"])
def test_interpolated_frames_are_filtered_as_much_as_measured_ones(method):
    rng = np.random.default_rng(3)
    mask = np.ones((24, 24, 3), bool)
    measured = voxels(rng.normal(35, 6, (mask.sum(), 24)), mask, np.diag([-1.0, -1.0, 5.0, 1.0]), dt=2.0)

    after = smooth(even_grid(measured, dt=0.5), method=method).curves[:, ::4]
    before = smooth(measured, method=method).curves

    assert after.std() == pytest.approx(before.std(), rel=0.15)


def test_gaussian_does_not_mix_in_what_lies_outside(noisy):
    filtered = smooth(noisy, method="gaussian", sigma_mm=3.0)

    assert filtered.curves.min() > 25
    assert filtered.curves.std() < noisy.curves.std()


@pytest.mark.parametrize("method", METHODS)
def test_constants_are_preserved(noisy, method):
    flat = noisy.with_curves(np.full_like(noisy.curves, 37.5), "flat")

    np.testing.assert_allclose(smooth(flat, method=method).curves, 37.5, rtol=1e-6)


@pytest.mark.parametrize("method", ["bilateral", "tips", "profile"])
def test_edges_are_kept_and_noise_goes(method):
    rng = np.random.default_rng(1)
    mask = np.ones((24, 24, 3), bool)
    step = np.where(np.argwhere(mask)[:, :1] < 12, 30.0, 150.0)
    some = voxels(step + rng.normal(0, 6, (mask.sum(), 30)), mask, np.diag([-1.0, -1.0, 5.0, 1.0]))

    error = smooth(some, method=method).curves - step

    assert np.abs(error.mean(axis=1)).max() < 1.5
    assert error.std() < 1.2


def test_curves_that_are_not_finite_take_no_part(noisy):
    curves = np.array(noisy.curves)
    curves[100, 2] = np.nan
    broken = noisy.with_curves(curves, "broken")

    for method in ("bilateral", "tips", "gaussian"):
        filtered = smooth(broken, method=method).curves
        assert np.isfinite(np.delete(filtered, 100, axis=0)).all()
        np.testing.assert_array_equal(filtered[100], curves[100])


def test_a_single_voxel_and_an_empty_mask_pass_through():
    one = np.zeros((3, 3, 1), bool)
    one[1, 1, 0] = True
    lonely = voxels(np.array([[1.0, 2.0, 4.0]]), one)
    empty = voxels(np.empty((0, 3)), np.zeros((3, 3, 1), bool))

    for method in METHODS:
        np.testing.assert_allclose(smooth(lonely, method=method).curves, lonely.curves)
        assert smooth(empty, method=method).curves.shape == (0, 3)


def test_none_returns_the_voxels_themselves(noisy):
    assert smooth(noisy, method="none") is noisy


def test_a_callable_stands_in_for_a_name(noisy):
    def doubled(some, /, *, sigma_mm, range_hu, progress):
        return 2 * some.curves

    filtered = smooth(noisy, method=doubled)

    np.testing.assert_array_equal(filtered.curves, 2 * noisy.curves)
    assert "doubled" in filtered.steps[-1]
    assert all(isinstance(method, Smoother) for method in METHODS.values())


def test_progress_counts_slices(noisy):
    seen = []

    smooth(noisy, progress=lambda *done: seen.append(done))

    assert seen == [("filter", 1, 3), ("filter", 2, 3), ("filter", 3, 3)]


def test_bilateral_refuses_what_is_not_hu(noisy):
    signal = replace(noisy, modality=Modality.MR, unit=Unit.SIGNAL)

    with pytest.raises(BadRecipe, match="tips or gaussian"):
        smooth(signal, method="bilateral")
    assert np.isfinite(smooth(signal, method="tips").curves).all()


@pytest.mark.parametrize("choice", [{"method": "median"}, {"sigma_mm": 0.0}, {"range_hu": float("nan")}])
def test_bad_choices_are_refused(noisy, choice):
    with pytest.raises(BadRecipe):
        smooth(noisy, **choice)


def test_time_bins_are_means_of_neighbouring_frames():
    curves = np.arange(10, dtype=np.float32)[None]

    np.testing.assert_allclose(time_bins(curves, 5), [[0.5, 2.5, 4.5, 6.5, 8.5]])
