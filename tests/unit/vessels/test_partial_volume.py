"""Scaling the arterial curve to the venous area."""

import numpy as np
import pytest

from bolus.core.finding import Severity
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.physics.gamma import GammaVariate
from bolus.vessels import find_vessels
from bolus.vessels.partial_volume import area_ratio, correct_partial_volume, diameter_voxels
from bolus.vessels.quality import curve_quality

TIMES = np.arange(60.0)


def curve(name: str, values: np.ndarray) -> VesselCurve:
    return VesselCurve(
        name, TIMES, values, Unit.HU, "made", quality=curve_quality(values, TIMES, (0, 8), 1.0)
    )


def pair(ratio: float) -> tuple[VesselCurve, VesselCurve]:
    artery = GammaVariate(200.0, 10.0, 3.0, 1.5)
    vein = GammaVariate(1.0, 16.0, 3.0, 2.5)
    scaled = ratio * artery.area / vein.area
    return curve("AIF", artery(TIMES)), curve("VOF", scaled * vein(TIMES))


@pytest.mark.parametrize("ratio", [1.0, 1.7, 2.4])
def test_a_small_artery_gets_the_area_of_the_vein(ratio):
    aif, vof = pair(ratio)

    scaled, factor, findings = correct_partial_volume(aif, vof, diameter=2.0)

    assert factor == pytest.approx(ratio, rel=0.02)
    assert scaled.quality["auc"] == pytest.approx(vof.quality["auc"], rel=0.02)
    assert scaled.quality["peak"] == pytest.approx(factor * aif.quality["peak"])
    assert scaled.values.max() == pytest.approx(scaled.quality["peak"], rel=1e-6)
    assert findings == ()


@pytest.mark.parametrize(
    ("ratio", "severity"), [(0.5, Severity.WARN), (3.5, Severity.INFO), (12.0, Severity.WARN)]
)
def test_a_ratio_out_of_range_is_flagged_and_not_corrected(ratio, severity):
    aif, vof = pair(ratio)

    same, factor, findings = correct_partial_volume(aif, vof, diameter=2.0)

    assert same is aif
    assert factor == 1.0
    assert [(f.code, f.severity) for f in findings] == [("PV_RATIO", severity)]
    assert findings[0].value == pytest.approx(ratio, rel=0.05)


def test_an_artery_is_never_scaled_down():
    aif, vof = pair(0.95)

    assert correct_partial_volume(aif, vof, diameter=2.0)[1:] == (1.0, ())


def test_a_wide_artery_is_pure_and_stays_as_it_is():
    aif, vof = pair(1.5)

    assert correct_partial_volume(aif, vof, diameter=4.0)[1] == 1.0


def test_a_vein_that_the_end_cuts_off_corrects_nothing():
    aif, vof = pair(1.5)
    cut = curve("VOF", np.where(TIMES > 20, vof.values.max(), vof.values))

    assert correct_partial_volume(aif, cut, diameter=2.0)[1:] == (1.0, ())


def test_both_areas_run_over_the_same_time_from_arrival():
    # Recirculation that both carry to the end: over the whole scan the later vein would have less of it.
    base = GammaVariate(200.0, 10.0, 3.0, 1.5)
    tail = 40.0 / (1.0 + np.exp(-(TIMES - 22.0) / 2.0))
    aif = curve("AIF", base(TIMES) + tail)
    later = np.interp(TIMES - 6.0, TIMES, aif.values, left=0.0)

    assert area_ratio(aif, curve("VOF", later)) == pytest.approx(1.0, abs=0.01)
    assert np.trapezoid(later) / np.trapezoid(aif.values) < 0.96


def test_partial_volume_is_undone_on_a_head(head):
    known = head(fill=0.6)

    found = find_vessels(known.raw, known.brain)
    left = find_vessels(known.raw, known.brain, partial_volume=False)

    assert found.partial_volume == pytest.approx(1 / 0.6, rel=0.06)
    assert found.aif.values.max() == pytest.approx(known.aif.max(), rel=0.04)
    assert "scaled by" in found.aif.origin
    assert left.partial_volume == 1.0
    assert left.aif.values.max() == pytest.approx(0.6 * known.aif.max(), rel=0.05)


def test_diameter_is_measured_within_the_flat_top(head):
    known = head(noise=1.0)
    found = find_vessels(known.raw, known.brain)

    assert diameter_voxels(known.raw, found.aif) == pytest.approx(3.0, abs=0.5)
    assert diameter_voxels(known.raw, pair(1.0)[0]) == 0.0
