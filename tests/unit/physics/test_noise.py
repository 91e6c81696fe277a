import numpy as np
import pytest

from bolus.physics.noise import noise_sd, pooled_noise_sd, row_medians


def samples(n_voxels: int, n_frames: int) -> np.ndarray:
    return np.random.default_rng(3).normal(40.0, 2.5, (n_voxels, n_frames))


def test_each_curve_has_its_own_noise():
    found = noise_sd(samples(500, 200))

    assert found.mean() == pytest.approx(2.5, rel=0.02)


def test_a_drift_is_not_noise():
    drifting = samples(200, 200) + np.linspace(0, 50, 200)

    assert noise_sd(drifting).mean() == pytest.approx(2.5, rel=0.03)


@pytest.mark.parametrize("n_frames", [2, 3, 9])
def test_few_frames_of_many_voxels_are_enough(n_frames):
    assert pooled_noise_sd(samples(20_000, n_frames)) == pytest.approx(2.5, rel=0.03)


def test_one_frame_tells_nothing():
    assert np.isnan(pooled_noise_sd(samples(10, 1)))


@pytest.mark.parametrize("n", [1, 2, 35, 36])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_medians_of_rows_are_those_of_numpy(n, dtype):
    rows = np.random.default_rng(4).normal(size=(3, 50, n)).astype(dtype)
    rows[1, 7, n // 2] = np.nan

    np.testing.assert_array_equal(row_medians(rows), np.median(rows, axis=-1))
