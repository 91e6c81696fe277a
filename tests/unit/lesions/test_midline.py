"""The midline is where the head mirrors onto itself."""

import numpy as np
import pytest

from bolus.core.brain import Brain, Midline
from bolus.core.errors import ShapeMismatch
from bolus.core.finding import Severity
from bolus.core.grid import Grid
from bolus.lesions import find_midline, midline_findings


def errors(found, head):
    """Angle [degrees] between the planes, and the greatest distance within the brain [mm]."""
    angle = np.rad2deg(np.arccos(np.clip(found.normal @ head.midline.normal, -1, 1)))
    points = head.grid.position_mm(np.argwhere(head.brain.inside)[::50])
    on_plane = points - head.midline.distance_mm(points)[:, None] * head.midline.normal
    return angle, np.abs(found.distance_mm(on_plane)).max()


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"yaw": 20.0},
        {"yaw": -20.0, "shift": (8.0, -5.0, 0.0)},
        {"yaw": 6.0, "roll": 4.0, "shift": (-6.0, 0.0, 4.0)},
        {"yaw": 9.0, "old_infarct": True},
        {"modality": "MR", "yaw": -8.0, "roll": 3.0},
        {"modality": "MR", "yaw": 5.0, "old_infarct": True},
        {"shape": (96, 96, 1), "yaw": 10.0, "shift": (4.0, 0.0, 0.0)},
        {"shape": (128, 128, 2), "spacing": (1.7, 1.7, 10.0), "yaw": -15.0},
        {"shape": (64, 64, 40), "spacing": (3.4, 3.4, 3.0), "yaw": 12.0, "roll": -3.0},
    ],
    ids=str,
)
def test_the_plane_is_found_within_a_millimetre_and_a_degree(make_head, lie):
    head = make_head(**lie)

    found = find_midline(head.underlay, head.grid, head.brain)

    angle, distance = errors(found, head)
    assert angle < 1.0
    assert distance < 1.0
    assert midline_findings(found) == ()


def test_the_normal_points_to_the_right_and_has_length_one(head):
    found = find_midline(head.underlay, head.grid, head.brain)

    assert found.normal[0] > 0.9
    assert np.linalg.norm(found.normal) == pytest.approx(1.0)
    assert found.distance_mm(np.array([50.0, 0.0, 0.0])) > 45


def test_a_sagittal_stack_is_mirrored_across_its_slices(make_head):
    axial = make_head(shape=(90, 96, 60), spacing=(2.4, 2.3, 3.0), shift=(3.0, 0.0, 0.0))
    turn = np.eye(4)[[1, 2, 0, 3]]  # axes (y, z, x)
    order = (1, 2, 0)
    grid = Grid(tuple(axial.grid.shape[i] for i in order), axial.grid.affine @ np.linalg.inv(turn))
    inside = axial.brain.inside.transpose(order)
    brain = Brain(inside, inside, inside)

    found = find_midline(axial.underlay.transpose(order), grid, brain)

    angle, distance = errors(found, axial)
    assert angle < 1.0
    assert distance < 1.0


def test_a_constant_image_falls_back_on_the_outline_and_says_so(make_head):
    head = make_head(yaw=12.0, shift=(5.0, 0.0, 0.0))
    flat = np.full_like(head.underlay, 7.0)
    everywhere = np.ones_like(head.brain.inside)

    found = find_midline(flat, head.grid, Brain(head.brain.inside, everywhere, everywhere))

    (finding,) = midline_findings(found)
    angle, distance = errors(found, head)
    assert finding.code == "MIDLINE_UNSURE"
    assert finding.severity is Severity.WARN
    assert angle < 3.0
    assert distance < 5.0


def test_noise_alone_has_no_midline(make_head):
    head = make_head()
    noise = np.random.default_rng(0).normal(0, 1000, head.underlay.shape).astype(np.float32)

    found = find_midline(noise, head.grid, head.brain)

    assert midline_findings(found)


def test_an_empty_brain_and_an_image_without_numbers_still_give_a_plane(head):
    nothing = np.zeros_like(head.brain.inside)
    nowhere = np.full_like(head.underlay, np.nan)

    found = find_midline(nowhere, head.grid, Brain(nothing, nothing, nothing))

    assert np.isfinite(found.normal).all()
    assert np.isfinite(found.offset_mm)
    assert midline_findings(found)


def test_a_doubtful_plane_is_reported_with_its_similarity():
    (finding,) = midline_findings(Midline(np.array([1.0, 0, 0]), 0.0, 0.6))

    assert finding.value == pytest.approx(0.6)
    assert "0.60" in finding.text


def test_an_underlay_of_another_shape_is_refused(head):
    with pytest.raises(ShapeMismatch, match="underlay"):
        find_midline(head.underlay[:, :, :-1], head.grid, head.brain)
    small = head.brain.inside[:-1]
    with pytest.raises(ShapeMismatch, match="brain"):
        find_midline(head.underlay, head.grid, Brain(small, small, small))
