"""Cases are made in parallel, kept when a call was stopped, and never mixed."""

import numpy as np
import pytest

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn.angiograms import options
from bolus.learn.cases import Case, read_case, read_manifest
from bolus.learn.making import bring_in, orders, simulate

CALLS = []


def make(order):
    """Two views of noise, or nothing for patients of unlucky seeds."""
    CALLS.append(order.patient)
    rng = np.random.default_rng(order.seed)
    if order.patient.endswith("3"):
        raise BadInput("no contrast")
    image = rng.random((1, order.size, order.size), dtype=np.float32)
    views = ("AP", "LAT")
    return [
        Case(image + i, image > 0.5, order.patient, v, meta={"seed": order.seed}) for i, v in enumerate(views)
    ]


WANTED = orders(5, seed=4, setting="A", size=16)
SOURCE = {"generator": "noise", "seed": 4}


def test_orders_have_seeds_of_their_own():
    seeds = {o.seed for s in (0, 1) for setting in "AB" for o in orders(50, seed=s, setting=setting, size=16)}
    assert len(seeds) == 200
    assert orders(5, seed=4, setting="A", size=16) == WANTED
    assert orders(3, seed=4, setting="A", size=16) == WANTED[:3]


def test_arteries_are_injected_in_turn_and_nothing_else_changes():
    asked = orders(5, seed=4, setting="A", size=16, vessels=("carotid", "vertebral"))
    assert [order.vessel for order in asked] == ["carotid", "vertebral", "carotid", "vertebral", "carotid"]
    for drawn, order in zip(WANTED, asked, strict=True):
        before, after = options(drawn), options(order)
        assert after["vessel"] == order.vessel
        assert {**after, "vessel": "", "clot": ""} == {**before, "vessel": "", "clot": ""}
        assert after["clot"] == "none" or order.vessel == "carotid"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_all_patients_are_made_or_named(tmp_path, processes):
    seen = []
    made = simulate(
        tmp_path, WANTED, make, source=SOURCE, processes=processes, progress=lambda *a: seen.append(a)
    )

    assert read_manifest(tmp_path) == made
    assert len(made.entries) == 8
    assert made.patients == tuple(o.patient for o in WANTED if not o.patient.endswith("3"))
    assert list(made.source["failed"].values()) == ["no contrast"]
    assert made.source["generator"] == "noise"
    assert seen[-1] == ("simulate", 5, 5)


def test_what_is_there_is_kept(tmp_path):
    simulate(tmp_path, WANTED[:2], make, source=SOURCE)
    CALLS.clear()
    (tmp_path / ".A-4-00002.77").mkdir()

    made = simulate(tmp_path, WANTED[:3], make, source=SOURCE)

    assert CALLS == ["A-4-00002"]
    assert len(made.patients) == 3


def test_cases_of_two_kinds_are_not_mixed(tmp_path):
    simulate(tmp_path, WANTED[:2], make, source=SOURCE)
    with pytest.raises(BadRecipe, match="other cases"):
        simulate(tmp_path, WANTED[:2], make, source=SOURCE | {"seed": 5})
    with pytest.raises(BadRecipe, match="holds cases"):
        bring_in(tmp_path, [], source={})


def test_no_case_at_all_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="could be simulated"):
        simulate(tmp_path / "a", WANTED[3:4], make, source=SOURCE)
    with pytest.raises(BadInput, match="no case"):
        bring_in(tmp_path / "b", [], source={})


def test_twins_of_one_view_have_files_of_their_own(tmp_path):
    made = simulate(tmp_path, WANTED[:1], lambda order: 2 * make(order), source=SOURCE)
    assert [entry.file.split("/")[1] for entry in made.entries] == [
        "AP.npz",
        "LAT.npz",
        "AP-2.npz",
        "LAT-3.npz",
    ]
    assert [read_case(tmp_path / entry.file).view for entry in made.entries] == ["AP", "LAT", "AP", "LAT"]
