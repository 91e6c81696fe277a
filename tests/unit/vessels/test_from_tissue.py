"""The arterial curve that is made of the curve of tissue."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import NoVessel
from bolus.core.finding import Severity
from bolus.core.units import TISSUE_SCALE, Unit
from bolus.phantom.scene import BLOOD, FLOW
from bolus.physics import features
from bolus.vessels import curve_from_tissue, find_vessels
from bolus.vessels.from_tissue import HEALTHY_CBF, HEALTHY_CBV, HEALTHY_MTT_S, early_tissue


def row(values):
    return np.asarray(values, dtype=np.float32)[None]


def true_scale(known):
    """Return the height that the true curve would need for early tissue of the assumed volume."""
    times = known.raw.times
    mean = early_tissue(known.raw, known.brain.tissue)
    areas = [float(features.area(row(values), times)[0]) for values in (mean, known.aif)]
    return 100 * TISSUE_SCALE * areas[0] / areas[1] / HEALTHY_CBV


@pytest.mark.parametrize("changes", [{}, {"dt": 2.0, "n_frames": 30}, {"unit": Unit.PER_SECOND}])
@pytest.mark.parametrize("noise", [0.0, 3.0, 6.0])
def test_the_curve_of_an_artery_that_nobody_sees_is_found(head, noise, changes):
    """Tissue of this head keeps contrast for 4.5 s and not 4, so that the curve comes out too wide."""
    known = head(noise=noise, arteries=False, **changes)
    times = known.raw.times

    made, _ = curve_from_tissue(known.raw, known.brain.tissue)

    assert np.corrcoef(made.values, known.aif)[0, 1] >= 0.97
    for feature, within in ((features.width_at_half, 2.2), (features.arrival, 0.5)):
        found, true = (float(feature(row(v), times)[0]) for v in (made.values, known.aif))
        assert found == pytest.approx(true, abs=within)
    assert made.quality["auc"] / np.trapezoid(known.aif, times) == pytest.approx(true_scale(known), rel=0.05)


def test_it_is_said_to_be_no_measurement(head):
    known = head(arteries=False)

    found = find_vessels(known.raw, known.brain, aif="tissue")

    (told,) = (f for f in found.findings if f.code == "NO_ARTERY")
    assert told.severity is Severity.WARN
    assert "relative" in told.text
    assert not found.aif.measured
    assert found.aif.voxels.size == 0
    assert not {"cnr", "gamma_r2"} & set(found.aif.quality)


def test_the_vein_is_shown_and_scales_nothing(head):
    known = head(arteries=False)

    found = find_vessels(known.raw, known.brain, aif="tissue")

    assert found.vof is not None
    assert found.partial_volume == 1.0


def test_it_grows_with_the_enhancement_of_tissue(head):
    one, other = head(), head(scale=3.0)

    once, thrice = (curve_from_tissue(k.raw, k.brain.tissue)[0] for k in (one, other))

    np.testing.assert_allclose(thrice.values, 3.0 * once.values, rtol=1e-2, atol=0.5)


def test_a_late_side_does_not_delay_it(head):
    sound, sick = head(noise=3.0, arteries=False), head(noise=3.0, arteries=False, right_delay_s=6.0)

    alike, made = (curve_from_tissue(k.raw, k.brain.tissue)[0] for k in (sound, sick))

    assert made.quality["arrival_s"] == pytest.approx(alike.quality["arrival_s"], abs=0.7)
    assert np.corrcoef(made.values, sick.aif)[0, 1] >= 0.96


def test_arteries_and_sinuses_hardly_touch_the_curve_of_tissue(head):
    with_vessels, without = head(noise=0.0), head(noise=0.0, arteries=False, sinus=False)

    curves = [early_tissue(k.raw, k.brain.inside) for k in (with_vessels, without)]

    assert np.abs(curves[0] - curves[1]).max() <= 0.05 * curves[1].max()


def test_voxels_without_numbers_are_left_out(head):
    known = head()
    curves = known.raw.curves.copy()
    curves[::7] = np.nan

    made, _ = curve_from_tissue(replace(known.raw, curves=curves), known.brain.tissue)

    assert np.isfinite(made.values).all()


@pytest.mark.parametrize("seed", range(5))
def test_noise_gives_no_curve(head, seed):
    known = head()
    noise = np.random.default_rng(seed).normal(0, 6, known.raw.curves.shape).astype(np.float32)

    with pytest.raises(NoVessel, match="made of tissue"):
        curve_from_tissue(replace(known.raw, curves=noise), known.brain.tissue)


def test_a_scan_that_ends_in_the_bolus_gives_no_curve(head):
    known = head(n_frames=18)

    with pytest.raises(NoVessel, match="ends while tissue holds"):
        curve_from_tissue(known.raw, known.brain.tissue)


def test_tissue_that_only_loses_density_gives_no_curve(head):
    known = head()

    with pytest.raises(NoVessel, match="no tissue that enhances"):
        curve_from_tissue(replace(known.raw, curves=-np.abs(known.raw.curves)), known.brain.tissue)


def test_a_few_voxels_of_tissue_give_no_curve(head):
    known = head()
    few = np.zeros_like(known.brain.tissue)
    few[24:36, 24:30, 0] = True

    with pytest.raises(NoVessel, match="2 squares"):
        curve_from_tissue(known.raw, few)


def test_healthy_tissue_is_that_of_the_phantom():
    assert np.mean([FLOW["gm"][0], FLOW["wm"][0]]) == pytest.approx(HEALTHY_CBF)
    assert np.mean([BLOOD["gm"][0], BLOOD["wm"][0]]) == pytest.approx(HEALTHY_CBV)
    assert pytest.approx(4.0) == HEALTHY_MTT_S
