"""Figures of a vessel curve and its place."""

import numpy as np
import pytest

from bolus.physics.gamma import GammaVariate
from bolus.vessels import find_vessels
from bolus.vessels.quality import curve_quality

TIMES = np.arange(60.0)


def test_figures_of_a_known_curve():
    known = GammaVariate(300.0, 10.0, 3.0, 1.5)

    found = curve_quality(known(TIMES), TIMES, (0, 9), 1.0)

    assert found["peak"] == pytest.approx(300.0, rel=0.02)
    assert found["auc"] == pytest.approx(known.area, rel=0.01)
    assert found["ttp_s"] == pytest.approx(14.5, abs=0.2)
    assert found["fwhm_s"] == pytest.approx(6.2, abs=0.4)
    assert 10.0 < found["arrival_s"] < 12.0
    assert found["tail"] == pytest.approx(0.0, abs=0.01)
    assert found["gamma_r2"] > 0.99
    assert found["cnr"] == 1000.0


def test_noise_lowers_the_contrast_to_noise_ratio():
    rng = np.random.default_rng(0)
    noisy = GammaVariate(300.0, 10.0, 3.0, 1.5)(TIMES) + rng.normal(0, 3.0, 60)

    assert curve_quality(noisy, TIMES, (0, 9), 1.0)["cnr"] == pytest.approx(100.0, rel=0.5)
    assert curve_quality(noisy, TIMES, (0, 2), 6.0)["cnr"] == pytest.approx(50.0, rel=0.1)


def test_a_cut_curve_has_a_tail():
    assert curve_quality(GammaVariate(300.0, 50.0, 3.0, 2.0)(TIMES), TIMES, (0, 40), 1.0)["tail"] > 0.8


def test_every_figure_is_finite_and_every_name_is_there(head):
    known = head()
    names = {
        "peak", "cnr", "fwhm_s", "arrival_s", "ttp_s", "auc", "roughness", "tail", "gamma_r2", "n_voxels",
    }  # fmt: skip

    found = find_vessels(known.raw, known.brain)

    for curve in (found.aif, found.vof):
        assert names <= set(curve.quality)
        assert all(np.isfinite(v) for v in curve.quality.values())
    assert {"left_mm", "midline_mm", "area_ratio", "diameter_voxels"} <= set(found.aif.quality)


def test_the_side_is_told(head):
    known = head(right_delay_s=4.0)  # the artery is taken on the left

    found = find_vessels(known.raw, known.brain)

    assert found.aif.quality["left_mm"] > 5.0
    assert found.aif.quality["midline_mm"] == pytest.approx(found.aif.quality["left_mm"])
    assert abs(found.vof.quality["left_mm"]) < 5.0
