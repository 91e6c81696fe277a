"""Scanner values to contrast."""

import numpy as np
import pytest

from bolus.core.errors import BadTimes, MissingTag, NoBolus
from bolus.core.units import Modality, Unit
from bolus.tracer import Baseline, find_baseline, to_concentration

TIMES = np.arange(60.0)
BEFORE = Baseline(0, 9, 10.0)


def test_ct_gives_hu_above_the_mean_of_the_baseline_and_keeps_negative_noise(voxels_of, bolus_curves):
    contrast = bolus_curves(TIMES, noise=0.0)
    noisy = 35 + bolus_curves(TIMES, noise=6.0)

    clean = to_concentration(voxels_of(35 + contrast, TIMES), BEFORE)
    rough = to_concentration(voxels_of(noisy, TIMES), BEFORE)

    assert clean.unit is Unit.HU
    np.testing.assert_allclose(clean.curves, contrast, atol=1e-4)
    np.testing.assert_allclose(rough.curves[:, :9].mean(axis=1), 0.0, atol=1e-3)
    assert rough.curves.min() < -6.0
    assert rough.curves.dtype == np.float32


def test_bone_air_and_dead_rows_become_nan(voxels_of):
    curves = np.stack([np.full(60, level) for level in (35.0, 310.0, -110.0, 290.0, 35.0)])
    curves[4, 17] = np.nan

    found = to_concentration(voxels_of(curves, TIMES), BEFORE)

    assert np.isfinite(found.curves).all(axis=1).tolist() == [True, False, False, True, False]
    assert np.isnan(found.curves[4]).all()


@pytest.mark.parametrize("sigma", [0.5, 6.0, 10.0])
@pytest.mark.parametrize("baseline", [Baseline(0, 9, 10.0), Baseline(0, 2, 3.0), Baseline(0, 0, 0.0)])
def test_noise_is_measured_from_the_baseline_of_many_voxels(voxels_of, bolus_curves, sigma, baseline):
    curves = 35 + bolus_curves(TIMES, noise=sigma)

    found = to_concentration(voxels_of(curves, TIMES), baseline)

    assert found.noise == pytest.approx(sigma, rel=0.06)


def test_noise_of_interpolated_curves_is_not_read_too_low(voxels_of):
    rng = np.random.default_rng(0)
    coarse = rng.normal(35.0, 6.0, (4000, 30))
    fine = np.repeat(coarse, 2, axis=1)
    fine[:, 1:-1:2] = 0.5 * (fine[:, 0:-2:2] + fine[:, 2::2])

    found = to_concentration(voxels_of(fine, TIMES), Baseline(0, 20, 21.0))

    assert found.noise == pytest.approx(float(fine[:, :20].std()), rel=0.12)


def test_without_a_baseline_the_lowest_early_values_stand_in(voxels_of, bolus_curves):
    curves = 35 + bolus_curves(TIMES, onset_s=-2.0, noise=0.0)
    voxels = voxels_of(curves, TIMES)
    baseline = find_baseline(voxels)

    found = to_concentration(voxels, baseline)

    assert [f.code for f in found.findings] == ["NO_BASELINE"]
    np.testing.assert_allclose(
        found.curves[0], curves[0] - np.percentile(curves[0, :5], 10), rtol=1e-5, atol=1e-3
    )


def test_mr_gives_the_change_of_r2star(voxels_of):
    rate = np.zeros((50, 60))
    rate[:, 12:30] = np.linspace(1.0, 60.0, 50)[:, None]
    signal = np.linspace(100.0, 900.0, 50)[:, None] * np.exp(-0.03 * rate)

    found = to_concentration(voxels_of(signal, TIMES, modality=Modality.MR, te_ms=30.0), BEFORE)
    given = to_concentration(voxels_of(signal, TIMES, modality=Modality.MR, te_ms=99.0), BEFORE, te_ms=30.0)

    assert found.unit is Unit.PER_SECOND
    np.testing.assert_allclose(found.curves, rate, atol=2e-3)
    np.testing.assert_array_equal(given.curves, found.curves)


@pytest.mark.parametrize("te_ms", [None, 0.03, -30.0, 9000.0, float("nan")])
def test_mr_without_a_usable_echo_time_asks_for_it(voxels_of, te_ms):
    voxels = voxels_of(np.full((40, 60), 100.0), TIMES, modality=Modality.MR, te_ms=te_ms)

    with pytest.raises(MissingTag, match="--te"):
        to_concentration(voxels, BEFORE)


def test_mr_signal_that_falls_to_the_floor_is_cut_and_counted(voxels_of):
    rng = np.random.default_rng(0)
    signal = 400.0 + rng.normal(0.0, 5.0, (500, 60))
    signal[:20, 15:19] = 0.0
    signal[20:25] = rng.uniform(0.0, 4.0, (5, 60))  # dark before contrast as well

    found = to_concentration(voxels_of(signal, TIMES, modality=Modality.MR, te_ms=30.0), BEFORE)

    (finding,) = found.findings
    assert (finding.code, finding.value) == ("SATURATED", 20.0)
    assert np.isfinite(found.curves[:20]).all()
    np.testing.assert_array_equal(found.curves[:20, 15], found.curves[:20, 16])
    assert np.isnan(found.curves[20:25]).all()


def test_x_ray_density_is_counted_from_what_was_there_before(voxels_of):
    values = np.full((50, 60), 1.5)
    values[:, 20:30] += 0.4

    found = to_concentration(voxels_of(values, TIMES, modality=Modality.XA), BEFORE)

    assert found.unit is Unit.NAT
    np.testing.assert_allclose(found.curves[:, 20:30], 0.4, atol=1e-6)
    np.testing.assert_allclose(found.curves[:, :20], 0.0, atol=1e-6)


def test_uneven_times_are_refused(voxels_of):
    uneven = np.cumsum(np.linspace(1.0, 3.0, 60))

    with pytest.raises(BadTimes, match="even_grid"):
        to_concentration(voxels_of(np.full((40, 60), 35.0), uneven), BEFORE)


def test_a_baseline_of_another_series_is_refused(voxels_of):
    with pytest.raises(NoBolus, match="not part of the series"):
        to_concentration(voxels_of(np.full((40, 60), 35.0), TIMES), Baseline(50, 70, 71.0))


def test_steps_say_what_was_done(voxels_of):
    found = to_concentration(voxels_of(np.full((40, 60), 35.0), TIMES), BEFORE)

    assert found.steps == ("tracer: HU above baseline",)
    assert found.baseline == (0, 9)
