"""Simulated DSC-MRI made by others, with their truth and tolerances."""

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.io import loadmat

from bolus.deconvolve import METHODS
from bolus.physics.features import area, bolus_start
from bolus.physics.signal import delta_r2star, delta_r2star_dual_echo

pytestmark = pytest.mark.reference


def volume_ratio(curves: np.ndarray, aif: np.ndarray, dt: float) -> np.ndarray:
    start = bolus_start(aif)
    times = np.arange(aif.size - start) * dt
    return area(curves[:, start:], times) / area(aif[None, start:], times)


# OSIPI DCE-DSC-MRI CodeCollection: 14 curves, truth per 100 mL, no haematocrit or density in it.


def osipi_cases(folder: Path) -> list[dict[str, str]]:
    with (folder / "dsc_truth_osipi" / "dsc_data.csv").open() as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> np.ndarray:
    return np.array(text.strip("[] \n").split(), dtype=np.float64)


@pytest.mark.parametrize(
    ("method", "options"),
    [("osvd", {}), ("osvd", {"limit": 11.4}), ("osvd", {"index": "wu2003"}), ("csvd", {}), ("ssvd", {})],
)
def test_all_fourteen_osipi_cases_are_within_tolerance(shared_data, method, options):
    cases = osipi_cases(shared_data)
    assert len(cases) == 14
    for case in cases:
        tissue, aif, dt = numbers(case["C_tis"])[None], numbers(case["C_aif"]), float(case["tr"])

        found = METHODS[method](tissue, aif, dt, **options)

        cbf, cbv = float(case["cbf"]), float(case["cbv"])
        assert 100 * volume_ratio(tissue, aif, dt)[0] == pytest.approx(cbv, abs=0.1 * cbv + 1), case["label"]
        assert 6000 * found.flow[0] == pytest.approx(cbf, abs=0.1 * cbf + 15), case["label"]


def test_osvd_set_for_the_noise_of_the_osipi_curves_is_nearly_unbiased(shared_data):
    error = []
    for case in osipi_cases(shared_data):
        tissue, aif, dt = numbers(case["C_tis"])[None], numbers(case["C_aif"]), float(case["tr"])
        found = METHODS["osvd"](tissue, aif, dt, limit=11.4)
        error.append(100 * (6000 * found.flow[0] / float(case["cbf"]) - 1))

    assert abs(np.mean(error)) < 10.0
    assert np.std(error) < 13.0


# Chakwizira et al. 2022 (MAGMA): noisy signal, CBV 4, arterial and tissue signal of different relaxivity.

DT_S, TE_S, N_BASELINE = 1.243, 0.029, 15
CBFS, DELAYS = (20, 40, 60), {"0_lvl_high": 0.0, "1_lvl_low": 1.0, "1_lvl_medium": 3.0, "1_lvl_high": 6.0}
RELAXIVITY_RATIO = 130.8347 / 7.0281
"""kappa_s over kappa_a, from the .mat files beside the images."""
FLOORS = np.interp(CBFS, [10, 30, 50, 70], [10, 24, 36, 46])
"""Flow that a plain block-circulant SVD at 0.1 gives, at the flows of the files."""


def rate(path: Path) -> np.ndarray:
    signal = np.asarray(nib.load(path).dataobj, dtype=np.float64).reshape(-1, 161)
    return delta_r2star(signal, signal[:, :N_BASELINE].mean(axis=1, keepdims=True), TE_S).astype(np.float64)


def bezier(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return tissue curves (delays, flows, voxels, t) and the arterial curve (t,) [1/s]."""
    data = folder / "dsc_truth_bezier"
    name = "St_disp_0_exponential_lvl_high_delay_{}_resfunc_gamma_dist_lambda_1_cbf_{}.nii"
    curves = [[rate(data / "delay_dispersion" / name.format(d, f)) for f in CBFS] for d in DELAYS]
    return np.array(curves) / RELAXIVITY_RATIO, rate(data / "varying_residue_function" / "aif.nii")[0]


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

    np.testing.assert_allclose(rise, np.array(list(DELAYS.values()))[:, None] * np.ones(3), atol=0.25)


def test_bezier_volume_is_that_of_its_arterial_draw(shared_data):
    _, _, cbv = bezier_means(shared_data, "osvd")

    assert ((cbv > 3.3) & (cbv < 4.3)).all()


def test_bezier_flow_of_regions_is_nearer_the_truth_than_a_plain_svd(shared_data):
    curves, aif = bezier(shared_data)
    regions = curves.mean(axis=2)

    # the mean of 100 voxels has ten times their signal-to-noise ratio, so that more may oscillate
    found = METHODS["osvd"](regions.reshape(-1, 161), aif, DT_S, limit=25.0)

    cbf = 6000 * found.flow.reshape(regions.shape[:2])
    assert (cbf > FLOORS).all()
    assert (cbf < CBFS).all()


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
