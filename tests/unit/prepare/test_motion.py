"""Head motion is found, undone once, and left alone where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe, NoBrain
from bolus.core.grid import Grid
from bolus.core.series import Series
from bolus.core.units import Modality
from bolus.prepare import correct_motion
from bolus.prepare.motion import still_frames
from bolus.prepare.pose import centre_of, inverted, parameters, twist_matrix

JUMPS = {2: ((1.5, -2.0, 1.0), (1.0, -0.5, 3.0)), 4: ((-3.0, 2.0, -1.5), (-1.0, 1.0, -4.0))}


def test_jumps_are_found_within_half_a_millimetre(head, residual):
    recipe = head(shape=(112, 132, 12), spacing=(1.6, 1.6, 5.0), moves=JUMPS)

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5
    assert trace.rejected == ()


def test_corrected_frames_match_the_reference_better(head):
    recipe = head(moves=JUMPS, noise=2.0, bolus=np.zeros(6))
    series = recipe.series()

    fixed, _ = correct_motion(series, reference="first")

    middle = recipe.inside() & (np.arange(recipe.shape[2]) > 0) & (np.arange(recipe.shape[2]) < 7)
    before = np.abs(series.frame(5) - series.frame(0))[middle].mean()
    after = np.abs(fixed.frame(5) - fixed.frame(0))[middle].mean()
    assert after < 0.5 * before
    assert fixed.frames.dtype == np.int16, "half the memory of float32"
    assert fixed.slope == 0.125


def test_the_recorded_transform_moves_the_frame_back(head):
    recipe = head(moves={3: ((2.0, 0.0, 0.0), (0.0, 0.0, 0.0))})

    _, trace = correct_motion(recipe.series())

    assert trace.parameters[4, 0] == pytest.approx(-2.0, abs=0.2)
    assert np.abs(trace.parameters[4, 1:]).max() < 0.3


def test_a_still_head_is_left_untouched(head):
    series = head().series()

    fixed, trace = correct_motion(series)

    assert np.shares_memory(fixed.frames, series.frames)
    assert not trace.parameters.any()
    assert "0 of 6 frames resampled" in fixed.steps[-1]


def test_still_frames_of_a_moving_study_keep_their_values(head):
    series = head(moves={4: ((3.0, 0.0, 0.0), (0.0, 0.0, 0.0))}).series()

    fixed, _ = correct_motion(series)

    for t in range(4):
        np.testing.assert_allclose(fixed.frame(t), series.frame(t), atol=0.5 * fixed.slope)
    assert np.abs(fixed.frame(4) - series.frame(4)).max() > 10


def test_a_head_between_jumps_has_one_pose(head, residual):
    recipe = head(n_frames=8, moves={3: ((2.0, -1.0, 1.5), (1.0, -0.5, 3.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert not np.ptp(trace.parameters[3:], axis=0).any()
    assert residual(recipe, trace).max() <= 0.5


def test_a_jump_of_a_moment_keeps_its_own_pose(head, residual):
    recipe = head(moves={3: ((2.0, -1.0, 1.5), (1.0, -0.5, 3.0)), 4: ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5
    assert not trace.parameters[[0, 1, 2, 4, 5]].any()


def test_the_bolus_does_not_pass_for_motion(head):
    series = head(bolus=np.array([0.0, 0.0, 150.0, 400.0, 250.0, 80.0])).series()

    _, trace = correct_motion(series)

    assert np.abs(trace.parameters).max() < 0.05


def test_signal_drop_of_mr_does_not_pass_for_motion(head, residual):
    recipe = head(
        modality=Modality.MR, noise=10.0, n_frames=8, dt=1.5, moves={3: ((1.0, 1.5, -1.0), (1.0, 0.5, 2.0))}
    )

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5
    assert trace.rejected == ()


def test_thin_slabs_move_in_their_plane_only(head, residual):
    recipe = head(shape=(96, 112, 2), spacing=(2.0, 2.0, 8.0), moves={2: ((2.5, -1.5, 0.0), (0.0, 0.0, 3.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5
    assert not trace.parameters[:, [2, 3, 4]].any()


def test_a_single_slice_works(head, residual):
    recipe = head(shape=(96, 112, 1), moves={2: ((3.0, 1.0, 0.0), (0.0, 0.0, -2.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5


def test_oblique_slices_give_patient_coordinates(head, residual):
    tip = np.deg2rad(20.0)
    turn = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-2.2, -2.2, 5.0])
    affine[:3, 3] = -affine[:3, :3] @ np.array([39.5, 47.5, 3.5])
    recipe = head(affine=affine, moves={3: ((2.0, -1.0, 1.5), (0.5, 1.0, 2.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.5


def test_a_large_move_is_found_by_the_wide_search(head, residual):
    recipe = head(moves={3: ((14.0, -12.0, 0.0), (0.0, 0.0, 14.0))})

    _, trace = correct_motion(recipe.series(), reference="first")

    assert residual(recipe, trace).max() <= 0.7


def test_a_ruined_frame_is_rejected_and_left_in_place(head):
    series = head().series()
    frames = np.array(series.frames)
    frames[..., 3] = np.random.default_rng(1).normal(0, 300, frames.shape[:3])

    fixed, trace = correct_motion(replace(series, frames=frames))

    assert trace.rejected == (3,)
    assert not trace.parameters[3].any()
    assert trace.similarity[3] < 0.5 < trace.similarity[2]
    np.testing.assert_array_equal(fixed.frames[..., 3], frames[..., 3])


def test_slices_with_clocks_of_their_own_and_stored_integers_are_read(head, residual):
    recipe = head(moves=JUMPS)
    plain = recipe.series()
    times = plain.times[None, :] + np.linspace(0, 1.5, 8)[:, None]
    series = replace(
        plain,
        frames=np.rint((plain.frames + 1024) / 2).astype(np.int16),
        times=times,
        slope=2.0,
        intercept=-1024.0,
    )

    fixed, trace = correct_motion(series, reference="first")

    assert residual(recipe, trace).max() <= 0.6
    assert fixed.times.shape == (8, 6)
    assert (fixed.slope, fixed.intercept) == (0.125, 0.0)


def test_values_that_are_not_finite_do_not_spread(head):
    series = head(moves={3: ((3.0, 0.0, 0.0), (0.0, 0.0, 0.0))}).series()
    frames = np.array(series.frames)
    frames[frames < -500] = np.nan

    fixed, _ = correct_motion(replace(series, frames=frames))

    assert np.isfinite(fixed.frames[..., 4]).all()


def test_the_reference_can_be_chosen(head):
    recipe = head(moves={2: ((3.0, 0.0, 0.0), (0.0, 0.0, 0.0))})

    _, by_number = correct_motion(recipe.series(), reference=3)
    _, by_text = correct_motion(recipe.series(), reference="3")

    assert by_number.parameters[0, 0] == pytest.approx(3.0, abs=0.2)
    assert not by_number.parameters[3].any()
    np.testing.assert_array_equal(by_number.parameters, by_text.parameters)


def test_early_frames_in_which_the_head_moved_stay_out_of_the_reference(head):
    series = head(n_frames=8, dt=1.0, moves={3: ((4.0, 0.0, 0.0), (0.0, 0.0, 0.0))}).series()

    assert still_frames(series) == (0, 1, 2)


def test_no_correction_returns_the_series_itself(head):
    series = head().series()

    assert correct_motion(series, method="none") == (series, None)


def test_progress_counts_every_frame(head):
    seen = []

    correct_motion(head(moves=JUMPS).series(), progress=lambda *done: seen.append(done))

    assert seen[2] == ("motion", 6, 6)
    assert seen[-1] == ("resampling", 6, 6)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"method": "affine"}, "rigid or none"),
        ({"reference": 6}, "from 0 to 5"),
        ({"reference": "peak"}, "baseline"),
    ],
)
def test_unknown_choices_are_refused(head, choice, words):
    with pytest.raises(BadRecipe, match=words):
        correct_motion(head().series(), **choice)


def test_frames_without_a_head_are_refused():
    grid = Grid((32, 32, 6), np.diag([-2.0, -2.0, 5.0, 1.0]))
    air = Series(np.full((32, 32, 6, 4), -1000.0, np.float32), np.arange(4.0), grid, Modality.CT, "HU")

    with pytest.raises(NoBrain, match="no head"):
        correct_motion(air)


def test_parameters_of_a_pose_and_of_its_inverse_agree():
    grid = Grid((8, 8, 8), np.diag([-1.0, -1.0, 2.0, 1.0]))
    pose = twist_matrix(np.array([1.0, -2.0, 0.5, 3.0, -1.0, 2.0]))

    np.testing.assert_allclose(inverted(pose) @ pose, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(parameters(pose)[:3], [1.0, -2.0, 0.5])
    np.testing.assert_allclose(centre_of(grid), [-3.5, -3.5, 7.0])


@pytest.mark.slow
def test_a_full_study_is_corrected_within_half_a_millimetre(head, residual):
    moves = {
        4: ((1.0, -2.0, 1.5), (1.0, -2.0, 3.0)),
        7: ((3.0, 2.0, -3.0), (2.0, -1.0, -4.0)),
        10: ((-2.0, -3.0, 2.0), (-1.0, 2.0, 2.0)),
    }
    recipe = head(shape=(256, 256, 16), spacing=(0.86, 0.86, 5.0), n_frames=13, moves=moves)

    _, trace = correct_motion(recipe.series())

    assert residual(recipe, trace).max() <= 0.5
