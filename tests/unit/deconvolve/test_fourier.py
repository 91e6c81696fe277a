"""The Fourier form is the dense singular value decomposition, not an approximation of it."""

import numpy as np
import pytest
from scipy.linalg import circulant, svdvals

from bolus.deconvolve.fourier import Circulant, inverse_where
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

DT = 1.0
TIMES = np.arange(60.0)
BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)
AIF = BOLUS(TIMES)
WHOLE_CIRCLE = np.arange(120)


def tissue(seed: int = 3) -> np.ndarray:
    flow, transit, delay = (
        np.array([60.0, 24.0, 11.0]),
        np.array([4.0, 10.0, 8.0]),
        np.array([0.0, 5.0, -2.0]),
    )
    clean = tissue_curves(BOLUS, TIMES, (flow, transit, delay))
    return clean + np.random.default_rng(seed).normal(0, 1.0, clean.shape)


def dense_matrix(aif: np.ndarray) -> np.ndarray:
    return DT * circulant(np.concatenate([aif, np.zeros(aif.size)]))


def dense_residues(curves: np.ndarray, cutoff: float) -> np.ndarray:
    left, values, right = np.linalg.svd(dense_matrix(AIF))
    kept = values >= (cutoff - 1e-9) * values[0]
    padded = np.concatenate([curves, np.zeros_like(curves)], axis=1)
    return padded @ left[:, kept] / values[kept] @ right[kept]


def fourier_residues(curves: np.ndarray, cutoff: float) -> np.ndarray:
    system = Circulant.of(AIF, DT)
    gains = inverse_where(system.eigenvalues, system.kept(cutoff))
    return curves @ system.filtered_inverse(gains, WHOLE_CIRCLE).T


def test_singular_values_are_spectral_magnitudes_in_pairs():
    magnitudes = Circulant.of(AIF, DT).singular_values

    every = np.sort(np.concatenate([magnitudes, magnitudes[1:-1]]))[::-1]

    np.testing.assert_allclose(every, svdvals(dense_matrix(AIF)), atol=1e-11 * every[0])
    assert every[0] == pytest.approx(DT * AIF.sum())


@pytest.mark.parametrize(("cutoff", "n_bins"), [(0.05, 24), (0.1, 19), (0.15, 17), (0.2, 15), (0.3, 12)])
def test_kept_bins_are_kept_singular_values(cutoff, n_bins):
    kept = Circulant.of(AIF, DT).kept(cutoff)
    values = svdvals(dense_matrix(AIF))

    assert np.count_nonzero(kept) == n_bins
    assert np.count_nonzero(values >= cutoff * values[0]) == 2 * n_bins - 1


@pytest.mark.parametrize("cutoff", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_fourier_thresholding_is_the_truncated_svd(cutoff):
    dense = dense_residues(tissue(), cutoff)

    fourier = fourier_residues(tissue(), cutoff)

    assert np.abs(fourier - dense).max() <= 1e-10 * np.abs(dense).max()


def test_a_spectral_null_inside_the_band_is_dropped_alone():
    two_peaks = AIF + np.roll(AIF, 18)
    kept = Circulant.of(two_peaks, DT).kept(0.2)

    assert np.flatnonzero(kept).max() > np.flatnonzero(~kept).min()


@pytest.mark.parametrize("shift", [-4, 1, 7])
def test_shifting_tissue_round_the_circle_shifts_its_residue(shift):
    system = Circulant.of(AIF, DT)
    gains = inverse_where(system.eigenvalues, system.kept(0.1))
    curve = np.concatenate([tissue()[:1], np.zeros((1, 60))], axis=1)
    before = np.fft.irfft(np.fft.rfft(curve) * gains)

    after = np.fft.irfft(np.fft.rfft(np.roll(curve, shift, axis=1)) * gains)

    assert np.abs(after - np.roll(before, shift, axis=1)).max() <= 1e-12 * np.abs(before).max()


@pytest.mark.parametrize("shift", [2, 9])
def test_a_delay_of_whole_frames_moves_the_residue_and_nothing_else(shift):
    system = Circulant.of(AIF, DT)
    gains = inverse_where(system.eigenvalues, system.kept(0.1))
    curve = tissue()[:1] * (TIMES < 45)
    lags = np.arange(-20, 40)
    matrix = system.filtered_inverse(gains, lags)

    before, after = curve @ matrix.T, np.roll(curve, shift, axis=1) @ matrix.T

    assert np.abs(after[:, shift:] - before[:, :-shift]).max() <= 1e-12 * np.abs(before).max()


@pytest.mark.parametrize("fold", [2, 3, 4])
def test_lags_between_frames_agree_with_lags_at_frames(fold):
    system = Circulant.of(AIF, DT)
    gains = inverse_where(system.eigenvalues, np.ones(61, dtype=bool))
    coarse = system.filtered_inverse(gains, WHOLE_CIRCLE)

    fine = system.filtered_inverse(gains, np.arange(120 * fold), fold)

    np.testing.assert_allclose(fine[::fold], coarse, atol=1e-9 * np.abs(coarse).max())


def test_lags_between_frames_follow_the_band_limited_curve():
    system = Circulant.of(AIF, DT)
    gains = inverse_where(system.eigenvalues, system.kept(0.1))
    curve = tissue()[0]
    spectrum = gains * np.fft.rfft(curve, 120)
    at = np.arange(240) / 2.0
    phases = np.exp(2j * np.pi * np.outer(at, np.arange(61)) / 120)
    weights = np.where((np.arange(61) == 0) | (np.arange(61) == 60), 1.0, 2.0) / 120

    fine = system.filtered_inverse(gains, np.arange(240), 2) @ curve

    np.testing.assert_allclose(fine, (phases @ (weights * spectrum)).real, atol=1e-12)
