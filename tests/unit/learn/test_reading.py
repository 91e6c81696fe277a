"""Read-outs over time: how they are compared, and the runs that only order tells apart."""

from dataclasses import replace

import numpy as np
import pytest

from bolus.learn.clots import simulate
from bolus.learn.experiments import Bench, conduct, reading
from bolus.learn.making import Order, orders
from bolus.learn.making import simulate as make
from bolus.learn.splits import Split
from bolus.learn.tasks import TASKS

TASK = TASKS["thrombus"]


def said(noise, n=60):
    rng = np.random.default_rng(7)
    return [
        (f"p{i // 2}", float(0.5 + 0.2 * (i // 2 % 2) + noise * rng.normal()), bool(i // 2 % 2))
        for i in range(n)
    ]


def test_gain_is_the_difference_of_both_areas_by_patient():
    found = reading.gain(said(0.01), said(0.4))
    assert found.value > 0.1
    assert found.low > 0.0
    assert found.low < found.value < found.high
    same = reading.gain(said(0.4), said(0.4))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_only_read_outs_differ():
    assert reading.AVERAGED in reading.ARMS
    assert len(reading.ARMS) == 4


def test_late_patients_have_their_clots_in_m1_or_m2():
    made = [simulate(Order("p", seed, "A", 48, "late")) for seed in range(12)]
    clots = {cases[0].meta["clot"] for cases in made}
    assert clots == {"none", "M1", "M2"}
    for cases in made:
        assert all(case.meta["only_late"] for case in cases)
        assert all(bool(case.target[0]) == (case.meta["clot"] != "none") for case in cases)


@pytest.mark.slow
def test_the_table_of_read_outs_is_made(tmp_path):
    pytest.importorskip("torch")
    wanted = orders(16, seed=5, setting="A", size=48, reference="late")
    cases = make(tmp_path / "cases", wanted, TASK.simulate, source={"task": "thrombus"})
    recipe = replace(TASK.preset("small-sequence"), size=48, fitting={"n_frames": 6}, epochs=1)
    people = cases.patients
    split = Split(people[:8], people[8:10], people[10:])
    found = conduct("readouts", Bench(TASK, cases, split, recipe, tmp_path / "out"))
    assert [row[0] for row in found.rows] == list(reading.ARMS)
    assert set(found.numbers["gain"]) == set(reading.ARMS) - {reading.AVERAGED}
    assert (tmp_path / "out" / "readouts_roc.png").is_file()
