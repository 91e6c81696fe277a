"""Splits keep patients together, whoever they are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bolus.core.errors import BadInput, BadRecipe
from bolus.learn.cases import Entry, Manifest
from bolus.learn.splits import (
    Split,
    check_leakage,
    chronological,
    folds,
    read_split,
    reduced,
    split_patients,
    write_split,
)

PATIENTS = st.lists(st.text("abcdef0123", min_size=1, max_size=4), min_size=5, max_size=40)


def manifest(patients, folder="."):
    views = [Entry(f"{p}-{v}.npz", p, v, digest=f"{p}{v}") for p in patients for v in ("AP", "LAT")]
    return Manifest(folder, tuple(views))


@given(names=PATIENTS, seed=st.integers(0, 10**6), part=st.floats(0.0, 0.5))
def test_a_split_never_leaks_and_loses_nobody(names, seed, part):
    if len(set(names)) < 2:
        return
    split = split_patients(names, (1 - 0.2 - part, 0.2, part), seed=seed)

    check_leakage(split, manifest(set(names)))
    assert sorted(n for who in split.parts.values() for n in who) == sorted(set(names))
    assert split.train
    assert split.validation
    assert split == split_patients(list(reversed(names)) * 2, (1 - 0.2 - part, 0.2, part), seed=seed)


@given(names=PATIENTS, seed=st.integers(0, 10**6), k=st.integers(3, 5))
def test_folds_test_everybody_once_and_never_leak(names, seed, k):
    if len(set(names)) < k:
        return
    made = folds(names, k, seed=seed)

    for split in made:
        check_leakage(split, manifest(set(names)))
        assert sorted(n for who in split.parts.values() for n in who) == sorted(set(names))
    assert sorted(n for split in made for n in split.test) == sorted(set(names))


def test_the_papers_parts_are_half_three_tenths_and_a_fifth():
    split = split_patients([f"{i:03}" for i in range(150)])
    assert [len(who) for who in split.parts.values()] == [75, 45, 30]


def test_reduced_sets_are_nested_and_leave_validation_alone():
    split = split_patients([f"{i:03}" for i in range(150)])
    sizes = [len(reduced(split, percent).train) for percent in range(10, 80, 10)]

    assert sizes == [67, 60, 53, 45, 37, 30, 23]  # as the paper's table 1
    assert set(reduced(split, 50).train) < set(reduced(split, 20).train)
    assert reduced(split, 50).validation == split.validation


def test_leaks_are_refused():
    names = ["a", "b", "c"]
    split = Split(("a",), ("b",), ("c",))
    cases = manifest(names)
    check_leakage(split, cases)

    with pytest.raises(BadInput, match="patients are both in train and test"):
        check_leakage(replace(split, test=("a",)), cases)
    with pytest.raises(BadInput, match="have no case"):
        check_leakage(replace(split, test=("d",)), cases)
    twice = replace(cases, entries=(*cases.entries, Entry("again.npz", "c", digest="aAP")))
    with pytest.raises(BadInput, match="images are both in train and test"):
        check_leakage(split, twice)


def test_a_split_is_read_as_it_was_written(tmp_path):
    split = split_patients(["a", "b", "c", "d"], seed=3)
    write_split(split, tmp_path / "split.json")
    assert read_split(tmp_path / "split.json") == split
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(BadInput, match="not a split"):
        read_split(tmp_path / "other.json")


def test_impossible_splits_are_refused():
    with pytest.raises(BadRecipe, match="add up"):
        split_patients(["a", "b"], (0.5, 0.5, 0.5))
    with pytest.raises(BadInput, match="too few"):
        split_patients(["a", "a"])
    with pytest.raises(BadRecipe, match="folds"):
        folds(["a", "b", "c"], 4)
    with pytest.raises(BadRecipe, match="reduction"):
        reduced(Split(("a",), ("b",)), 100)


def test_the_first_patients_are_the_test_and_the_others_stay_in_order():
    names = [f"p{i}" for i in (3, 1, 4, 1, 5, 9, 2, 6, 8, 7, 0)]
    made = chronological(names, 4)
    assert {fold.test for fold in made} == {("p1", "p3")}
    assert [fold.validation for fold in made] == [("p4", "p5"), ("p2", "p9"), ("p6", "p8"), ("p0", "p7")]
    for fold in made:
        assert not set(fold.train) & {*fold.validation, *fold.test}
        assert len(fold.train) == 6
    with pytest.raises(BadRecipe, match="folds"):
        chronological(names, 9)
