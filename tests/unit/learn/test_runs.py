"""Runs become pictures of three frames, and places are the same in image and square."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bolus.core.errors import BadInput
from bolus.learn import clots, runs
from bolus.learn.frame import Frame
from bolus.learn.making import Order, orders


def run_case(n=7, shape=(40, 60), place=(30.0, 10.0), clot=True):
    """Frames without contrast but for a vessel that darkens until the clot."""
    frames = np.full((n, *shape), runs.GREY, np.float32)
    frames[2:, 10, :30] -= 60.0
    return runs.make_case(frames, patient="p", clot=clot, place=place, about={"view": "AP"})


@pytest.mark.parametrize(("n", "pictures"), [(5, 2), (6, 2), (13, 5), (61, 21), (120, 40)])
def test_three_frames_are_a_picture_and_the_last_is_repeated(n, pictures):
    frames = np.arange(n, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    made = runs.triplets(frames)
    assert made.shape == (pictures, 3, 2, 3)
    np.testing.assert_array_equal(made.reshape(-1, 2, 3)[:n], frames)
    assert (made.reshape(-1, 2, 3)[n:] == n - 1).all()


def test_a_case_becomes_arrays():
    made = runs.fit(run_case(), 64)
    assert made["image"].shape == (3, 3, 64, 64)
    assert float(made["image"].reshape(-1, 64, 64)[:7].mean()) == pytest.approx(0, abs=1e-5)
    assert float(made["image"].reshape(-1, 64, 64)[:7].std()) == pytest.approx(1, rel=1e-4)
    assert float(made["image"].min()) < 0 < float(made["image"].max())
    assert made["target"].tolist() == [1]
    assert float(made["heat"].sum()) == pytest.approx(1, rel=1e-5)
    assert runs.fit(run_case(), 64, n_frames=21)["image"].shape == (7, 3, 64, 64)


def test_no_place_makes_no_heat():
    assert not runs.fit(run_case(place=None), 64)["heat"].any()
    healthy = runs.fit(run_case(clot=False), 64)
    assert not healthy["heat"].any()
    assert healthy["target"].tolist() == [0]


@given(
    shape=st.tuples(st.integers(20, 90), st.integers(20, 90)),
    part=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
)
def test_the_place_comes_back(shape, part):
    place = part[0] * shape[1], part[1] * shape[0]
    frame = Frame(shape, 64)
    found = np.stack([runs.heat(frame, place), np.full((64, 64), 0.7, np.float32)])
    point = runs.pointed(found, shape)
    pixel = max(shape) / 64
    assert np.hypot(point.x - place[0], point.y - place[1]) < pixel
    assert 0 < point.spread_percent < 6
    case = runs.make_case(np.zeros((4, *shape), np.float32), patient="p", clot=True, place=place)
    scores = runs.score(found, case)
    assert scores["off_percent"] < 100 * pixel / shape[1]
    assert scores["chance"] == pytest.approx(0.7)
    assert scores["log_loss"] == pytest.approx(-np.log(0.7), rel=1e-5)


def test_an_answer_without_a_place():
    found = np.array([0.2], np.float32)
    assert runs.pointed(found, (40, 60)) is None
    scores = runs.score(found, run_case())
    assert np.isnan(scores["off_percent"])
    assert (scores["truth"], scores["chance"]) == (1.0, pytest.approx(0.2))


def test_distances_count_in_widths_of_the_image():
    case = run_case(shape=(60, 30), place=(5.0, 30.0))
    where = runs.heat(Frame((60, 30), 64), (20.0, 30.0))
    scores = runs.score(np.stack([where, where]), case)
    assert scores["off_percent"] == pytest.approx(100 * 15 / 30, abs=4)


def test_an_even_run_is_refused():
    with pytest.raises(BadInput, match="all its pixels are equal"):
        runs.fit(runs.make_case(np.full((4, 8, 8), 193, np.float32), patient="p", clot=False), 16)


def test_patients_differ_and_about_half_have_clots():
    drawn = [clots.options(order) for order in orders(300, seed=0, setting="A", size=64)]
    found = [each["clot"] for each in drawn]
    assert 0.4 < np.mean([clot != "none" for clot in found]) < 0.6
    assert {*clots.SITES, "none"} == set(found)
    assert all(each["clot"] == "none" for each in drawn if each["vessel"] != "carotid")


def test_a_simulated_patient_has_two_views_and_a_stump_at_the_place():
    first, second = clots.simulate(Order("a", _with_clot("M1"), "A", 128))
    assert (first.view, second.view, first.site) == ("AP", "LAT", "simulated A")
    assert first.patient == second.patient
    assert first.target.tolist() == second.target.tolist() == [1]
    assert first.image.shape[1:] == (128, 128)
    assert first.image.min() < 150 < np.median(first.image) < 200
    x, y = np.round(first.extra["place_px"]).astype(int)
    near = first.image[:, max(y - 5, 0) : y + 6, max(x - 5, 0) : x + 6]
    assert near.min() < 175  # contrast comes up to the clot


def _with_clot(site):
    return next(
        o.seed
        for o in orders(500, seed=1, setting="A", size=128)
        if clots.options(o)["clot"] == site and not clots.options(o)["layered"]
    )
