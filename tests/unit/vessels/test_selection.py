"""The arterial and the venous curve of a run."""

import numpy as np
import pytest

from bolus.core.errors import NoVessel, ShapeMismatch
from bolus.core.units import Unit
from bolus.core.vessel import VesselCurve
from bolus.vessels import METHODS, find_vessels


def share(curve: VesselCurve, mask: np.ndarray) -> float:
    return float(mask[tuple(curve.voxels.T)].mean())


def likeness(curve: VesselCurve, truth: np.ndarray) -> float:
    return float(np.corrcoef(curve.values, truth)[0, 1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", [0.0, 6.0, 10.0])
def test_every_search_finds_arteries_and_their_curve(head, method, noise):
    known = head(noise=noise)

    found = find_vessels(known.raw, known.brain, aif=method)

    assert share(found.aif, known.artery) >= 0.95
    assert likeness(found.aif, known.aif) >= 0.99
    assert found.aif.values.max() == pytest.approx(known.aif.max(), rel=0.03)


@pytest.mark.parametrize(("dt", "n_frames"), [(0.5, 120), (1.0, 60), (2.0, 30), (3.0, 20)])
def test_the_vein_is_found_at_any_frame_rate(head, dt, n_frames):
    known = head(dt=dt, n_frames=n_frames)

    found = find_vessels(known.raw, known.brain)

    assert found.vof is not None
    assert share(found.vof, known.sinus) == 1.0
    assert likeness(found.vof, known.vof) >= 0.995
    assert found.vof.quality["auc"] == pytest.approx(np.trapezoid(known.vof, known.raw.times), rel=0.03)
    assert found.findings == ()


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_does_not_depend_on_luck(head, seed):
    known = head(seed=seed, noise=10.0)

    found = find_vessels(known.raw, known.brain)

    assert share(found.aif, known.artery) >= 0.95
    assert likeness(found.aif, known.aif) >= 0.98


@pytest.mark.parametrize("method", METHODS)
def test_the_same_study_gives_the_same_voxels(head, method):
    known = head()

    once, again = (find_vessels(known.raw, known.brain, aif=method) for _ in range(2))

    np.testing.assert_array_equal(once.aif.voxels, again.aif.voxels)
    np.testing.assert_array_equal(once.aif.values, again.aif.values)


def test_scaling_the_contrast_changes_no_voxel(head):
    hu, rate = head(scale=1.0), head(scale=0.1, unit=Unit.PER_SECOND)

    one, other = find_vessels(hu.raw, hu.brain), find_vessels(rate.raw, rate.brain)

    np.testing.assert_array_equal(one.aif.voxels, other.aif.voxels)
    np.testing.assert_allclose(other.aif.values, 0.1 * one.aif.values, rtol=1e-4, atol=1e-4)
    assert other.aif.unit is Unit.PER_SECOND


def test_the_earlier_side_is_preferred(head):
    known = head(right_delay_s=4.0)

    found = find_vessels(known.raw, known.brain)

    assert share(found.aif, known.right) == 0.0
    assert share(found.aif, known.artery) == 1.0


def test_a_side_can_be_avoided(head):
    known = head()

    found = find_vessels(known.raw, known.brain, avoid=known.right)

    assert share(found.aif, known.right) == 0.0


def test_a_mask_to_avoid_must_fit(head):
    known = head()

    with pytest.raises(ShapeMismatch):
        find_vessels(known.raw, known.brain, avoid=np.zeros((2, 2, 2), dtype=bool))


def test_without_a_sinus_nothing_is_scaled_and_said_so(head):
    known = head(sinus=False)

    found = find_vessels(known.raw, known.brain)

    assert found.vof is None
    assert found.partial_volume == 1.0
    assert [f.code for f in found.findings] == ["NO_VOF"]


def test_the_vein_can_be_left_out(head):
    known = head()

    found = find_vessels(known.raw, known.brain, vof="none")

    assert found.vof is None
    assert found.findings == ()


def test_a_head_without_contrast_has_no_artery_and_the_message_says_what_to_do(head):
    known = head()
    rng = np.random.default_rng(0)
    flat = known.raw.curves * 0 + rng.normal(0, 0.01, known.raw.curves.shape).astype(np.float32)
    raw = type(known.raw)(**{**_fields(known.raw), "curves": flat})

    with pytest.raises(NoVessel, match=r"--aif FILE\.csv"):
        find_vessels(raw, known.brain)


def test_dead_voxels_never_become_an_artery(head):
    known = head()
    curves = known.raw.curves.copy()
    rows = known.raw.rows(known.artery & known.right)
    curves[rows] = np.nan
    raw = type(known.raw)(**{**_fields(known.raw), "curves": curves})

    found = find_vessels(raw, known.brain)

    assert np.isfinite(found.aif.values).all()
    assert share(found.aif, known.right) == 0.0


def test_saturated_arteries_are_left_out(head):
    known = head(unit=Unit.PER_SECOND, scale=0.2)
    curves = known.raw.curves.copy()
    rows = known.raw.rows(known.artery & known.right)
    curves[rows] = np.minimum(curves[rows], 30.0)  # no signal is left above this
    raw = type(known.raw)(**{**_fields(known.raw), "curves": curves})

    found = find_vessels(raw, known.brain)

    assert share(found.aif, known.right) == 0.0
    assert likeness(found.aif, known.aif) >= 0.99


def test_a_spike_of_one_frame_is_no_artery(head):
    known = head()
    curves = known.raw.curves.copy()
    rows = known.raw.rows((known.brain.tissue) & known.right)[:60]
    curves[rows, 9] += 900.0
    raw = type(known.raw)(**{**_fields(known.raw), "curves": curves})

    found = find_vessels(raw, known.brain)

    assert share(found.aif, known.artery) >= 0.95


def test_a_slab_without_arteries_gives_a_weak_curve_and_says_so(head):
    known = head(fill=0.01, noise=1.0)

    found = find_vessels(known.raw, known.brain)

    assert "AIF_WEAK" in {f.code for f in found.findings}


def test_tissue_alone_is_never_passed_off_as_a_good_artery(head):
    known = head(arteries=False)

    try:
        codes = {f.code for f in find_vessels(known.raw, known.brain).findings}
    except NoVessel:
        return
    assert "AIF_WEAK" in codes


def _fields(raw):
    return {name: getattr(raw, name) for name in raw.__slots__}
