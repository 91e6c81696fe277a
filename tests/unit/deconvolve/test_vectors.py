"""Known answers: one box-shaped tissue curve, with and without a deterministic disturbance."""

import numpy as np
import pytest

from bolus.core.units import TISSUE_SCALE
from bolus.deconvolve import METHODS
from bolus.physics.features import area, first_moment
from bolus.physics.gamma import GammaVariate
from bolus.physics.transport import box_curves

TIMES = np.arange(60.0)
AIF = GammaVariate(peak=300.0, onset_s=10.0, alpha=3.0, beta_s=1.5)(TIMES)
TISSUE = box_curves(TIMES, AIF, np.array([45.0]), np.array([5.7]), np.array([2.3]))
DISTURBED = TISSUE + 0.8 * np.sin(2.39996 * TIMES**2)

VECTORS = [
    ("csvd", {"cutoff": 0.05}, TISSUE, 51.58783, 5.14345),
    ("csvd", {"cutoff": 0.10}, TISSUE, 51.39607, 5.14587),
    ("csvd", {"cutoff": 0.15}, TISSUE, 49.85761, 5.14674),
    ("csvd", {"cutoff": 0.20}, TISSUE, 47.29365, 5.14751),
    ("csvd", {"cutoff": 0.30}, TISSUE, 41.39323, 5.14846),
    ("csvd", {"cutoff": 0.10}, DISTURBED, 51.4102, 4.9680),
    ("ssvd", {"cutoff": 0.2, "rule": "weighted"}, TISSUE, 50.01826, 5.05576),
    ("ssvd", {"cutoff": 0.2, "rule": "plain"}, TISSUE, 48.77865, 5.07908),
    ("tikhonov", {"strength": 0.1}, TISSUE, 47.71572, 5.14661),
    ("tikhonov", {"strength": 0.3}, TISSUE, 36.86293, 5.14726),
    ("box", {"sharpen": False}, TISSUE, 45.0, 2.3 + 5.7 / 2),
    ("box", {"sharpen": False}, DISTURBED, 43.72, 2.375 + 5.744 / 2),
    ("osvd", {"limit": 4.2}, DISTURBED, 49.7253, 4.9518),
    ("osvd", {"limit": 7.8}, DISTURBED, 45.7653, 4.3886),
]


def test_the_arterial_curve_is_the_agreed_one():
    assert AIF.sum() == pytest.approx(2009.048632, rel=1e-9)
    np.testing.assert_allclose(AIF[11:15], [33.94982, 139.44336, 241.62505, 294.05496], rtol=1e-6)


def test_the_tissue_curve_is_the_agreed_one():
    assert TISSUE.sum() == pytest.approx(121.803139, rel=1e-8)
    np.testing.assert_allclose(TISSUE[0, 13:16], [0.088470, 0.708230, 2.407183], rtol=1e-5)


@pytest.mark.parametrize(("kind", "rtol"), [(np.float64, 1e-4), (np.float32, 1e-3)])
@pytest.mark.parametrize(("method", "options", "curve", "cbf", "tmax"), VECTORS)
def test_methods_reproduce_the_vectors(method, options, curve, cbf, tmax, kind, rtol):
    found = METHODS[method](curve.astype(kind), AIF, 1.0, **options)

    assert 6000 * TISSUE_SCALE * found.flow[0] == pytest.approx(cbf, rel=rtol)
    assert found.tmax[0] == pytest.approx(tmax, rel=rtol)


@pytest.mark.parametrize(("limit", "n_bins"), [(4.2, 21), (7.8, 24)])
def test_osvd_keeps_the_agreed_number_of_frequencies(limit, n_bins):
    assert METHODS["osvd"](DISTURBED, AIF, 1.0, limit=limit).index[0] == n_bins


def test_area_and_moment_give_volume_and_time():
    volume = 100 * TISSUE_SCALE * area(TISSUE, TIMES)[0] / area(AIF[None], TIMES)[0]
    shift = first_moment(TISSUE, TIMES)[0] - first_moment(AIF[None], TIMES)[0]

    assert volume == pytest.approx(4.275, rel=1e-5)
    assert shift == pytest.approx(5.15, abs=1e-4)
