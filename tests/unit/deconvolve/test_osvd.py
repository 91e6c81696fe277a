import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import osvd
from bolus.deconvolve.fourier import Circulant
from bolus.deconvolve.osvd import WEAKEST, harmonics
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import tissue_curves

BOLUS = GammaVariate(300.0, 10.0, 3.0, 1.5)


def noisy(dt: float, n_frames: int, n: int = 300, sd: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    times = np.arange(n_frames) * dt
    parameters = (rng.uniform(8, 80, n), rng.uniform(3, 20, n), rng.uniform(-2, 8, n))
    clean = tissue_curves(BOLUS, times, parameters)
    return clean + rng.normal(0, sd, clean.shape), BOLUS(times)


def brute_force(curve: np.ndarray, aif: np.ndarray, dt: float, limit: float, index: str) -> tuple[float, int]:
    """Try all nested sets of frequencies with plain Fourier transforms, in float64."""
    n, length = aif.size, 2 * aif.size
    eigenvalues = dt * np.fft.rfft(aif, length)
    size = np.abs(eigenvalues)
    order = [m for m in np.argsort(-size, kind="stable") if size[m] >= WEAKEST * size.max()]
    for n_kept in range(len(order), 0, -1):
        spectrum = np.zeros(n + 1, dtype=complex)
        spectrum[order[:n_kept]] = np.fft.rfft(curve, length)[order[:n_kept]] / eigenvalues[order[:n_kept]]
        k = np.fft.irfft(spectrum, length)
        if index == "J":
            oscillation = np.abs(np.diff(np.append(k, k[:2]), n=2)).sum() / (k.max() * dt)
        else:
            oscillation = np.abs(np.diff(k, n=2)).sum() / (k.max() * length)
        if k.max() > 0 and oscillation < limit:
            break
    n_before = int(5 / dt)
    return float(np.concatenate([k[-n_before:], k[:n]]).max()), n_kept


@pytest.mark.parametrize(("index", "limit"), [("J", 4.2), ("J", 7.8), ("wu2003", 0.035)])
@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_it_agrees_with_trying_every_nested_set(dt, index, limit):
    curves, aif = noisy(dt, 60)

    found = osvd(curves, aif, dt, limit=limit, index=index)

    wanted = np.array([brute_force(curve, aif, dt, limit, index) for curve in curves])
    np.testing.assert_array_equal(found.index, wanted[:, 1])
    np.testing.assert_allclose(found.flow, wanted[:, 0], rtol=1e-6)


def test_single_precision_agrees_with_trying_every_nested_set():
    curves, aif = noisy(1.0, 60)

    found = osvd(curves.astype(np.float32), aif, 1.0)

    wanted = np.array([brute_force(curve, aif, 1.0, 4.2, "J") for curve in curves])
    np.testing.assert_array_equal(found.index, wanted[:, 1])
    np.testing.assert_allclose(found.flow, wanted[:, 0], rtol=1e-5)


def test_the_raw_index_of_the_paper_looks_at_frames_only():
    curves, aif = noisy(2.0, 30, n=60)

    found = osvd(curves, aif, 2.0, index="wu2003", residues=True)

    assert found.lags[1] - found.lags[0] == 2.0
    wanted = [brute_force(curve, aif, 2.0, 0.035, "wu2003")[0] for curve in curves]
    np.testing.assert_allclose(found.flow, wanted, rtol=1e-6)


def test_harmonics_compose_the_inverse():
    curves, aif = noisy(1.0, 60, n=5)
    analysis, synthesis = harmonics(Circulant.of(aif, 1.0))

    k = curves @ analysis.T @ synthesis

    eigenvalues = np.fft.rfft(aif, 120)
    kept = np.abs(eigenvalues) >= WEAKEST * np.abs(eigenvalues).max()
    wanted = np.fft.irfft(np.where(kept, np.fft.rfft(curves, 120) / eigenvalues, 0.0), 120)
    np.testing.assert_allclose(k, wanted, atol=1e-12)


def test_bias_hardly_depends_on_the_frame_interval():
    bias = []
    for dt in (0.5, 1.0, 1.5, 2.0, 3.0):
        times = np.arange(0, 60, dt)
        clean = tissue_curves(BOLUS, times, (np.array([60.0]), np.array([4.0]), np.array([0.0])))
        noise = np.random.default_rng(0).normal(0, 1.0, (1000, times.size))
        found = osvd((clean + noise).astype(np.float32), BOLUS(times), dt)
        bias.append(100 * (6000 * TISSUE_SCALE * float(found.flow.mean()) / 60 - 1))

    assert max(bias) - min(bias) < 5.0
    assert -45.0 < min(bias) < max(bias) < -35.0


def test_the_limit_that_nothing_meets_leaves_the_mean_and_no_time():
    curves, aif = noisy(1.0, 60, n=20)

    found = osvd(curves, aif, 1.0, limit=1e-6)

    assert (found.index == 1).all()
    np.testing.assert_allclose(found.flow, curves.sum(axis=1) / aif.sum() / 120, rtol=1e-5)
    assert np.isnan(found.tmax).all()


@pytest.mark.parametrize("options", [{"limit": 0.0}, {"limit": -1.0}, {"limit": "4.2"}, {"index": "oi"}])
def test_options_out_of_range_are_refused(options):
    curves, aif = noisy(1.0, 60, n=2)

    with pytest.raises(BadRecipe):
        osvd(curves, aif, 1.0, **options)
