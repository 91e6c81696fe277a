from itertools import pairwise

import pytest

from bolus.validate import EXPERIMENTS, Effort, assess, candidates
from bolus.validate.setup import FAST, FULL

SMALL = Effort("small", True, 2, 4, 1, 1, 1)


def test_every_experiment_tells_of_every_method(found):
    for label in found.labels:
        told = {i.source.experiment for i in (*found.rows, *found.scores) if i.source.label == label}
        assert told == set(EXPERIMENTS)
        assert found.seconds[label] > 0


def test_the_seed_makes_the_same_rows_whatever_else_is_tested():
    alone = assess(candidates(["csvd"]), effort=SMALL, seed=5)
    beside = assess(candidates(["tikhonov", "csvd"]), effort=SMALL, seed=5)
    other = assess(candidates(["csvd"]), effort=SMALL, seed=6)

    def numbers(whole):
        return [(r.quantity, repr(r.bias), repr(r.sd)) for r in whole.rows if r.source.method == "csvd"]

    assert numbers(alone) == numbers(beside)
    assert numbers(alone) != numbers(other)


def test_progress_counts_each_experiment_to_its_end():
    told = []

    assess((), effort=SMALL, progress=lambda *now: told.append(now))

    assert [name for name, done, total in told if done == total] == list(EXPERIMENTS)
    assert all(b[1] == a[1] + 1 for a, b in pairwise(told) if a[0] == b[0])


def test_rows_and_scores_are_found_by_their_conditions(found):
    (row,) = found.errors("csvd", "noise", "CBF", tissue="core", noise_hu=1.0, residue="box")
    r = found.score("csvd:cutoff=0.2", "kudo", ("CBF", "r"), noise_hu=0.0, residue="linear")

    assert (row.source.conditions["residue"], row.quantity, row.n) == ("box", "CBF", 10)
    assert 0.9 < r <= 1.0
    assert not found.errors("csvd", "noise", "delay")
    assert found.score("csvd", "kudo", ("delay", "r")) != found.score("csvd", "kudo", ("CBF", "r"))


def test_fixed_truncation_hides_the_core_as_noise_grows(found):
    bias = [row.bias for row in found.errors("csvd", "noise", "CBF", tissue="core", residue="exponential")]

    assert bias[0] == pytest.approx(-20, abs=5)
    assert bias[-1] > 100


def test_the_fast_run_is_smaller():
    assert FAST.tissue_voxels < FULL.tissue_voxels
    assert FAST.tile_voxels < FULL.tile_voxels
