"""Motion in the plane of an X-ray run, and its field."""

import numpy as np
import pytest
from scipy import ndimage

from bolus.core.errors import BadInput
from bolus.core.grid import Grid
from bolus.core.series import Acquisition, Series
from bolus.core.units import Modality, Unit
from bolus.core.xray import MaskOperation, XRay
from bolus.prepare import correct_run_motion, find_field
from bolus.prepare.planar import STILL, after, displacement_px, moved_back

SIZE, FRAMES, SPACING = 192, 14, 0.4
INNER = (slice(20, -20), slice(20, -20))


def bone(rng):
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    radius = np.hypot(x, 0.9 * y)
    texture = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 3.0)
    ring = 0.8 * np.exp(-(((radius - 0.75) / 0.05) ** 2))
    return ndimage.gaussian_filter(np.where(radius < 0.8, 1.2, 0.0) + ring + 1.2 * texture, 1.0)


def vessels(t):
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    tube = 0.6 * (np.abs(x - 0.1) < 0.03) * (y > -0.3) + 0.4 * (np.abs(y + 0.3) < 0.02) * (np.abs(x) < 0.5)
    blush = 0.15 * (np.hypot(x, y) < 0.6)
    return tube * np.exp(-(((t - 5) / 2) ** 2)) + blush * np.exp(-(((t - 8) / 3) ** 2))


def moved(image, pose):
    """Where the head went: a point p of the image lies at R p + shift about the middle."""
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (SIZE - 1) / 2)
    offset = middle - turn.T @ (middle + np.array(pose[:2]))
    return ndimage.affine_transform(image, turn.T, offset=offset, order=3, mode="nearest")


def run(poses, *, noise=0.02, beam=None, seed=0, border=0):
    rng = np.random.default_rng(seed)
    head = bone(rng)
    frames = np.stack([moved(head + vessels(t), pose) for t, pose in enumerate(poses)], axis=-1)
    frames += rng.normal(0, noise, frames.shape)
    if border:
        frames[:border] = frames[-border:] = 2.0
    grid = Grid((SIZE, SIZE, 1), np.diag([-SPACING, -SPACING, 1.0, 1.0]))
    return Series(
        frames[:, :, None].astype(np.float32),
        np.arange(FRAMES) * 0.5,
        grid,
        Modality.XA,
        Unit.NAT,
        acquisition=Acquisition(xray=beam or XRay(subtracted=False)),
    )


JUMP = (3.4, -2.6, np.deg2rad(1.1))
JUMPED = [STILL] * 6 + [JUMP] * (FRAMES - 6)


def codes(series):
    return {finding.code for finding in series.findings}


def test_a_jump_is_found_to_a_tenth_of_a_pixel_and_undone():
    series, trace = correct_run_motion(run(JUMPED))
    back = trace.parameters[-1]
    assert -back[5] == pytest.approx(1.1, abs=0.05)
    cos, sin = np.cos(JUMP[2]), np.sin(JUMP[2])
    expected = np.array([cos * JUMP[0] + sin * JUMP[1], -sin * JUMP[0] + cos * JUMP[1]]) * SPACING
    assert np.abs(back[:2] - expected).max() < 0.1 * SPACING
    still, _ = correct_run_motion(run([STILL] * FRAMES))
    apart = (series.frames - still.frames)[..., -1][INNER]
    assert apart.std() < 0.04
    assert trace.max_residual_nat < 0.05
    assert "MOTION" not in codes(series)


def test_frames_that_lay_still_are_the_very_same():
    given = run(JUMPED)
    series, trace = correct_run_motion(given)
    assert np.array_equal(series.frames[..., :6], given.frames[..., :6])
    assert not trace.parameters[:6].any()
    assert "8 of 14 frames moved" in series.steps[-1]
    quiet = run([STILL] * FRAMES)
    same, trace = correct_run_motion(quiet)
    assert same.frames is quiet.frames or np.shares_memory(same.frames, quiet.frames)
    assert trace.unseen is None


@pytest.mark.parametrize("shift", [(0.5, 0.0, 0.0), (0.0, -7.3, 0.0), (12.2, 9.1, 0.0)])
def test_small_and_large_shifts_are_found(shift):
    _, trace = correct_run_motion(run([STILL] * 7 + [shift] * 7))
    assert np.abs(trace.parameters[8:, :2] - np.array(shift[:2]) * SPACING).max() < 0.12 * SPACING


def test_the_mask_frame_is_the_reference():
    beam = XRay(subtracted=False, operations=(MaskOperation("AVG_SUB", (2, 3)),))
    _, trace = correct_run_motion(run([(2.0, 0.0, 0.0)] * 2 + [STILL] * 12, beam=beam))
    assert trace.reference == "frame 3"
    assert not trace.parameters[2:].any()
    assert trace.parameters[0, 0] == pytest.approx(2.0 * SPACING, abs=0.1 * SPACING)


def test_shutters_that_lie_still_do_not_hold_the_head():
    _, trace = correct_run_motion(run(JUMPED, border=20))
    assert -trace.parameters[-1, 5] == pytest.approx(1.1, abs=0.08)
    assert trace.unseen[:22].all()


def test_what_cannot_be_undone_is_said():
    """The skull alone moves: bone remains in the difference."""
    given = run([STILL] * FRAMES)
    frames = np.array(given.frames)
    frames[..., 7:] += np.where(frames[..., :1] > 1.0, 0.5, 0.0) * np.random.default_rng(0).random(
        (SIZE, SIZE, 1, 1), dtype=np.float32
    )
    series, trace = correct_run_motion(given.with_frames(frames, "spoilt"))
    assert trace.max_residual_nat > 0.1
    assert "MOTION" in codes(series)


def test_a_subtracted_run_that_lies_still_is_left_alone():
    given = run([STILL] * FRAMES)
    beam = XRay(subtracted=True)
    frames = given.frames - given.frames[..., :1]
    given = given.with_frames(frames, "subtracted", acquisition=Acquisition(xray=beam))
    series, trace = correct_run_motion(given)
    assert np.shares_memory(series.frames, given.frames)
    assert trace.max_residual_nat < 0.1


def test_a_jump_of_a_subtracted_run_is_undone_and_its_shadows_are_said():
    given = run([STILL] * 7 + [(6.0, 0.0, 0.0)] * 7, noise=0.005)
    head = bone(np.random.default_rng(0))
    frames = given.frames - 0.97 * np.repeat(head[:, :, None, None], FRAMES, axis=-1)
    frames[..., 7:] = given.frames[..., 7:] - 0.97 * moved(head, (6.0, 0.0, 0.0))[:, :, None, None]
    given = given.with_frames(
        frames.astype(np.float32), "subtracted", acquisition=Acquisition(xray=XRay(subtracted=True))
    )
    _, trace = correct_run_motion(given)
    assert trace.parameters[-1, 0] == pytest.approx(6.0 * SPACING, abs=0.3 * SPACING)
    assert trace.reference == "the frame before"


def test_progress_and_short_runs():
    told = []
    given = run([STILL] * FRAMES)
    correct_run_motion(given, progress=lambda *step: told.append(step))
    assert told[-1] == ("motion", FRAMES, FRAMES)
    single = Series(given.frames[..., :1], [0.0], given.grid, Modality.XA, Unit.NAT)
    assert correct_run_motion(single) == (single, None)


def test_only_density_of_x_ray_runs_is_taken():
    given = run([STILL] * FRAMES)
    wrong = Series(given.frames, given.times, given.grid, Modality.XA, Unit.SIGNAL)
    with pytest.raises(BadInput, match="to_density"):
        correct_run_motion(wrong)


def test_poses_add_up_and_are_undone_by_splines():
    first, second = (2.0, 1.0, 0.02), (-0.5, 0.25, -0.01)
    both = after(first, second)
    image = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((SIZE, SIZE)), 3.0)
    image = image.astype(np.float32)
    twice = moved(moved(image, first), second)
    assert np.abs(moved_back(twice.astype(np.float32), both) - image)[INNER].max() < 0.01 * image.std()
    assert displacement_px(both, SIZE) == pytest.approx(np.hypot(*both[:2]) + 0.01 * SIZE / 4)


# --- field ----------------------------------------------------------------------------------------------


def test_painted_shutters_are_outside_the_field():
    field = find_field(run([STILL] * FRAMES, border=24))
    assert field.shape == (SIZE, SIZE, 1)
    assert field[24:-24].all()
    assert not field[:24].any()


def test_a_round_field_is_found():
    given = run([STILL] * FRAMES)
    x, y = np.indices((SIZE, SIZE)) - SIZE / 2
    inside = np.hypot(x, y) < 85
    frames = np.where(inside[:, :, None, None], given.frames, np.float32(7.0))
    assert np.array_equal(find_field(given.with_frames(frames, "round"))[..., 0], inside)


def test_lead_that_is_noisy_is_told_by_its_depth():
    given = run([STILL] * FRAMES)
    frames = np.array(given.frames)
    frames[:30] += 6.0
    field = find_field(given.with_frames(frames, "lead"))
    assert not field[:30].any()
    assert field[31:].mean() > 0.99


def test_without_shutters_all_is_field():
    assert find_field(run([STILL] * FRAMES)).all()
    same = run([STILL] * FRAMES)
    constant = same.with_frames(np.repeat(same.frames[..., :1], FRAMES, axis=-1), "still")
    assert find_field(constant).all()
