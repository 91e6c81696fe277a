"""Simulated DSC-MRI made by others, with their truth and tolerances."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from bolus.deconvolve import METHODS, learn_shapes
from bolus.physics.features import area, bolus_start
from bolus.physics.signal import delta_r2star_dual_echo
from bolus.validate import read_bezier, read_osipi

pytestmark = pytest.mark.reference


def volume_ratio(curves: np.ndarray, aif: np.ndarray, dt: float) -> np.ndarray:
    start = bolus_start(aif)
    times = np.arange(aif.size - start) * dt
    return area(curves[:, start:], times) / area(aif[None, start:], times)


# OSIPI DCE-DSC-MRI CodeCollection: 14 curves, truth per 100 mL, no haematocrit or density in it.


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("posterior", {}),
        ("osvd", {}),
        ("osvd", {"limit": 11.4}),
        ("osvd", {"index": "wu2003"}),
        ("csvd", {}),
        ("ssvd", {}),
    ],
)
def test_all_fourteen_osipi_cases_are_within_tolerance(shared_data, method, options):
    cases = read_osipi(shared_data / "dsc_truth_osipi")
    assert len(cases) == 14
    for case in cases:
        tissue, aif, dt = case.tissue[None], case.aif, case.dt

        found = METHODS[method](tissue, aif, dt, **options)

        volume = 100 * volume_ratio(tissue, aif, dt)[0]
        assert volume == pytest.approx(case.cbv, abs=0.1 * case.cbv + 1), case.name
        assert 6000 * found.flow[0] == pytest.approx(case.cbf, abs=0.1 * case.cbf + 15), case.name


def test_osvd_set_for_the_noise_of_the_osipi_curves_is_nearly_unbiased(shared_data):
    error = []
    for case in read_osipi(shared_data / "dsc_truth_osipi"):
        found = METHODS["osvd"](case.tissue[None], case.aif, case.dt, limit=11.4)
        error.append(100 * (6000 * found.flow[0] / case.cbf - 1))

    assert abs(np.mean(error)) < 10.0
    assert np.std(error) < 13.0


# Chakwizira et al. 2022 (MAGMA): noisy signal, CBV 4, arterial and tissue signal of different relaxivity.

DT_S = 1.243
CBFS, DELAYS = (20, 40, 60), (0.0, 1.0, 3.0, 6.0)
FLOORS = np.interp(CBFS, [10, 30, 50, 70], [10, 24, 36, 46])
"""Flow that a plain block-circulant SVD at 0.1 gives, at the flows of the files."""


def bezier(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return tissue curves (delays, flows, voxels, t) and the arterial curve (t,) [1/s]."""
    files, aif = read_bezier(folder / "dsc_truth_bezier")
    plain = [f for f in files if f.dispersion == "none" and f.shape == 1 and "delay_dispersion" in f.name]
    curves = {(f.delay_s, f.cbf): f.curves for f in plain}
    return np.array([[curves[d, f] for f in CBFS] for d in DELAYS]), aif


def bezier_means(folder: Path, method: str, **options: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean CBF, Tmax and CBV of each file, shape (delays, flows)."""
    curves, aif = bezier(folder)
    shape = curves.shape[:3]
    rows = curves.reshape(-1, 161)
    found = METHODS[method](rows, aif, DT_S, **options)
    volume = 100 * volume_ratio(rows, aif, DT_S)
    cbf, tmax, cbv = (a.reshape(shape).mean(axis=2) for a in (6000 * found.flow, found.tmax, volume))
    return cbf, tmax, cbv


@pytest.mark.parametrize("options", [{}, {"limit": 7.8}])
def test_delay_changes_bezier_flow_by_a_third_of_the_bound(shared_data, options):
    cbf, _, _ = bezier_means(shared_data, "osvd", **options)

    assert np.abs(cbf / cbf[0] - 1).max() < 0.05


def test_bezier_tmax_rises_by_the_delay(shared_data):
    _, tmax, _ = bezier_means(shared_data, "osvd")

    rise = tmax - tmax[0]

    np.testing.assert_allclose(rise, np.array(DELAYS)[:, None] * np.ones(3), atol=0.25)


def test_bezier_volume_is_that_of_its_arterial_draw(shared_data):
    _, _, cbv = bezier_means(shared_data, "osvd")

    assert ((cbv > 3.3) & (cbv < 4.3)).all()


def test_bezier_flow_is_right_where_a_plain_svd_halves_it(shared_data):
    curves, aif = bezier(shared_data)
    learned = learn_shapes(curves.reshape(-1, 161), aif, DT_S, {})

    cbf, tmax, _ = bezier_means(shared_data, "posterior", **learned)

    assert (cbf > FLOORS).all()
    np.testing.assert_allclose(cbf, np.tile(CBFS, (len(DELAYS), 1)), rtol=0.15)
    np.testing.assert_allclose(tmax - tmax[0], np.array(DELAYS)[:, None] * np.ones(3), atol=0.4)
    assert np.abs(cbf / cbf[0] - 1).max() < 0.1


# OSIPI's dual-echo example: the arterial curve is in mM, so that only ratios can be compared.


def test_white_matter_of_the_dual_echo_example_has_its_transit_time(shared_data):
    data = loadmat(shared_data / "dsc_dualecho_lcb" / "data.mat")
    echoes, dt = (float(data["TE1"][0, 0]), float(data["TE2"][0, 0])), float(data["TR"][0, 0])
    first, second = (echo[None].astype(np.float64) for echo in data["NAWM_SIt"])
    aif = data["AIF_Ct"].ravel()
    before = slice(5, 30)
    tissue = delta_r2star_dual_echo(
        first, second, first[:, before].mean(), second[:, before].mean(), echoes
    ).astype(np.float64)

    flow = METHODS["ssvd"](tissue, aif, dt).flow[0]

    assert echoes == (0.002, 0.03)
    assert volume_ratio(tissue, aif, dt)[0] / flow == pytest.approx(6.8, rel=0.1)
