"""Scores by case, by group, and the folder that holds them."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadInput, OutputFailed
from bolus.learn import infer
from bolus.learn.evaluate import Row, evaluate, summarise, write
from bolus.learn.tasks import TASKS


def test_a_network_is_scored_case_by_case(bright, tubes, tmp_path):
    task, network = TASKS["ica"], infer.load(bright, threads=1)
    seen = []

    rows = evaluate(task, network, tubes, progress=lambda *a: seen.append(a))
    document = write(task, network, tubes, rows, tmp_path / "out")

    assert [row.patient for row in rows] == list(tubes.patients)
    assert min(row.scores["dice"] for row in rows) > 0.8
    assert seen[-1] == ("evaluate", 8, 8)
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["scores"] == document["scores"]
    assert document["weights"] == network.card.files
    assert document["data"] == {"generator": "tubes"}
    lines = list(csv.DictReader((tmp_path / "out" / "cases.csv").read_text().splitlines()))
    assert [float(line["dice"]) for line in lines] == pytest.approx(
        [r.scores["dice"] for r in rows], rel=1e-4
    )
    for name in ("distribution.png", "examples.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    write(task, network, tubes, rows, tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(OutputFailed):
        write(task, network, tubes, rows, tmp_path / "other")


def test_cases_of_another_task_are_refused(bright, tubes):
    other = replace(tubes, source={"task": "core-size"})
    with pytest.raises(BadInput, match="for another task"):
        evaluate(TASKS["ica"], infer.load(bright, threads=1), other)


def test_groups_are_views_sites_and_kinds():
    rows = [
        Row("a", "p1", "AP", "here", {"dice": 0.8}, {"layered": True, "clot": "M1", "run": "x"}),
        Row("b", "p1", "LAT", "here", {"dice": 0.6}, {"layered": True, "photons": 3.0}),
        Row("c", "p2", "AP", "there", {"dice": 0.9}, {"layered": False, "photons": 3.0}),
    ]
    found = summarise(rows)

    assert set(found) == {"all", "AP", "LAT", "here", "there", "layered", "clot M1"}
    assert found["all"]["dice"]["mean"] == pytest.approx(np.mean([0.7, 0.9]))
    assert found["layered"]["dice"]["mean"] == pytest.approx(0.7)
    assert found["AP"]["dice"]["n_patients"] == 2
