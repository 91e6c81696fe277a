"""Simulated clots are where the truth says, in both views, and what fills late tells of them."""

import numpy as np
import pytest

from bolus.learn import clots, runs
from bolus.learn.clot_calibration import of_places
from bolus.learn.making import Order, orders
from bolus.phantom.angiogram import films, scenes, takes, xa

STILL = {"motion": False, "external": False, "catheter": False, "fps": 2.0, "size": 96}


@pytest.mark.parametrize("setting", ["A", "B"])
def test_films_are_the_runs_without_a_detector(setting):
    options = STILL | {"clot": "M2", "seed": 5, "setting": setting}
    run, filmed = xa(**options), films(**options)
    for view, film in filmed.items():
        np.testing.assert_array_equal(film.density, run.views[view].truth.density[:, :, 0])
        truth = run.views[view].truth.clot_px
        assert truth is None or film.clot_px == truth


@pytest.mark.parametrize("site", clots.SITES)
def test_contrast_comes_up_to_the_clot_in_both_views_and_fills_late_behind_it(site):
    """Against the same patient without a clot: less contrast early, more of it late, at the marker."""
    options = STILL | {"seed": 8, "collaterals": 1.0}
    shut, open_ = films(**options, clot=site), films(**options)
    for view, film in shut.items():
        early, late = (film.density[..., part] - open_[view].density[..., part] for part in _phases(film))
        lost = early.min(axis=2) < -0.02
        assert lost.any()
        assert late.max() > 0.02  # blood that stands still, and what collaterals bring
        x, y = film.clot_px
        gone = np.argwhere(lost)
        assert np.hypot(*(gone - (x, y)).T).min() < 4.0  # what is lost begins at the marker
        here = film.density[max(round(x) - 4, 0) : round(x) + 5, max(round(y) - 4, 0) : round(y) + 5]
        assert here.max() > 0.03  # and contrast reaches it


def _phases(film):
    half = film.density.shape[2] // 2
    return slice(0, half), slice(half, None)


def test_views_of_a_patient_share_the_clot_and_sites_differ():
    made = {s: clots.simulate(Order("p", 11, s, 96, clots.FILM)) for s in ("A", "B")}
    for cases in made.values():
        assert [case.view for case in cases] == ["AP", "LAT"]
        assert cases[0].target.tolist() == cases[1].target.tolist()
        assert cases[0].meta["clot"] == cases[1].meta["clot"]
        assert all(case.extra["lost"].any() == (case.target[0] > 0) for case in cases)
    assert made["A"][0].digest != made["B"][0].digest
    dark = {s: np.mean([_darkest(o) for o in orders(24, seed=2, setting=s, size=96, reference=clots.FILM)])
            for s in ("A", "B")}  # fmt: skip
    assert dark["B"] > dark["A"] + 2  # weaker contrast at site B


def _darkest(order):
    return np.percentile(clots.simulate(order)[0].image.min(axis=0), 0.5)


def test_many_frames_become_means_over_equal_parts():
    frames = np.arange(40, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    parts = runs.in_parts(frames, 15)
    assert parts.shape == (15, 2, 3)
    assert parts.mean() == pytest.approx(frames.mean())
    np.testing.assert_allclose(np.diff(parts[:, 0, 0]), 40 / 15, atol=0.1)
    assert parts[0, 0, 0] == pytest.approx((0 + 1 + 2 * (40 / 15 - 2)) / (40 / 15))
    np.testing.assert_array_equal(runs.in_parts(frames[:3], 6)[:, 0, 0], [0, 0, 1, 1, 2, 2])


def test_features_tell_an_empty_run_from_a_full_one():
    frames = np.full((12, 20, 20), runs.GREY, np.float32)
    empty = runs.features(frames)
    assert empty["the area with contrast [% of the picture]"] == 0.0
    frames[8:, :10] -= 60.0
    full = runs.features(frames)
    assert full["the area with contrast [% of the picture]"] == 50.0
    assert full["the part of it that fills in the last third [%]"] == 100.0


def test_the_circle_holds_four_clots_of_five():
    scores = [
        {"truth": 1.0, "chance": 0.9, "off_percent": float(i), "spread_percent": 2.0} for i in range(1, 6)
    ]
    blind = {"truth": 1.0, "chance": 0.1, "off_percent": 90.0, "spread_percent": 2.0}
    found = of_places([*scores, blind])
    assert (found["level"], found["cases"]) == (0.8, 5)
    assert 2.0 <= found["reach"] <= 2.5
    assert of_places([blind]) == {}


def test_takes_are_films_behind_a_detector():
    options = {"size": 64, "fps": 1.0, "clot": "M1", "external": False, "seed": 3, "photons": 1e6}
    filmed, taken = films(**options), takes(**options)
    for view, take in taken.items():
        assert take.density.shape == filmed[view].density.shape
        assert take.clot_px in {filmed[view].clot_px, None}
        seen = take.density[..., 0] != 0.0  # the shutters leave zeros
        apart = (take.density - filmed[view].density)[seen]
        assert np.abs(np.median(apart)) < 0.01
        dense = filmed[view].density[seen] > 0.2
        assert np.corrcoef(take.density[seen][dense], filmed[view].density[seen][dense])[0, 1] > 0.9


def test_takes_show_bone_where_the_head_moves():
    options = {"size": 64, "fps": 1.0, "external": False, "seed": 3, "photons": 1e6, "vessel": "none"}
    still, moved = (takes(**options, motion=moves)["AP"].density for moves in (False, True))
    assert moved.std() > 3.0 * still.std()


def test_motion_is_left_in_what_was_already_subtracted():
    made = [clots.simulate(Order("p", seed, "A", 48, "take")) for seed in range(24)]
    about = [case.meta for cases in made for case in cases]
    assert {one["encoding"] for one in about if one["motion"]} == {"SUB"}
    assert {one["encoding"] for one in about} == {"SUB", "LOG", "LIN"}
    assert all(case.image.dtype == np.float32 and "lost" in case.extra for cases in made for case in cases)


def test_scenes_are_the_films_and_what_the_beam_meets_besides():
    options = STILL | {"clot": "M1", "seed": 5, "catheter": True, "setting": "B"}
    filmed, seen, taken = films(**options), scenes(**options), takes(**options | {"photons": 1e6})
    for view, scene in seen.items():
        np.testing.assert_array_equal(scene.film.density, filmed[view].density)
        assert not scene.open_.all()  # a round field
        np.testing.assert_array_equal(taken[view].density[~scene.open_], 0.0)


def test_twins_differ_in_the_clot_alone():
    order = next(
        o for o in orders(9, seed=3, setting="A", size=96) if clots.options(o)["vessel"] == "carotid"
    )
    cases = clots.simulate(Order("p", order.seed, "A", 96, clots.SCENE))

    assert [(c.view, int(c.target[0])) for c in cases] == [("AP", 0), ("LAT", 0), ("AP", 1), ("LAT", 1)]
    for healthy, shut in zip(cases[:2], cases[2:], strict=True):
        np.testing.assert_array_equal(healthy.extra["beam"], shut.extra["beam"])
        assert not healthy.extra["lost"].any()
        paler = (shut.image - healthy.image).max(axis=0) > clots.LOST_NAT * runs.PER_NAT + 1
        assert paler.any()
        assert shut.extra["lost"][paler].all()


def test_the_catheter_alone_recoils():
    tip_seen = [
        scene.recoil
        for seed in (5, 6, 7, 8)
        for scene in scenes(**STILL | {"seed": seed, "catheter": True}).values()
        if scene.recoil.any()
    ]
    assert tip_seen  # others lie below the picture
    assert max(np.abs(one).max() for one in tip_seen) > 0.05
    assert all(np.count_nonzero(one) < 0.05 * one.size for one in tip_seen)
    assert not any(scene.recoil.any() for scene in scenes(**STILL | {"seed": 5}).values())
