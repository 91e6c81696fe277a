"""Two processes train the network that one would."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bolus.core.errors import BadRecipe
from bolus.learn.splits import split_patients, write_split
from bolus.learn.tasks import TASKS

torch = pytest.importorskip("torch")

from bolus.learn import checkpoint  # noqa: E402
from bolus.learn.crew import Crew, joined  # noqa: E402
from bolus.learn.train import Run, train  # noqa: E402

CHANGES = {"size": 48, "options": {"width": 4}, "epochs": 3, "augment": (), "precision": "float32"}


def test_shares_are_equally_large_and_leave_nobody_out():
    shares = [Crew(rank, 3, None).share(list(range(10))) for rank in range(3)]
    assert {len(s) for s in shares} == {4}
    assert {i for s in shares for i in s} == set(range(10))


def test_alone_it_is_a_crew_of_one():
    with joined("cpu") as crew:
        assert (crew.rank, crew.size, crew.leads) == (0, 1, True)
        assert crew.gathered(7) == [7]
        assert crew.share([3, 1, 2]) == [3, 1, 2]
        assert crew.wrapped("network") == "network"


@pytest.mark.parametrize(("asked", "index"), [("cuda", 1), ("cuda:0", 0), ("auto", 1)])
def test_a_gpu_is_the_one_that_is_named_or_that_of_the_process(monkeypatch, asked, index):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with joined(asked) as crew:
        assert crew.device == torch.device("cuda", index)
    assert taken == [index]


@pytest.mark.parametrize(
    ("asked", "n", "said"),
    [("cuda", 0, "no such GPU here"), ("cuda:2", 2, "cuda:2 of 2"), ("nowhere", 0, "no such device")],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, asked, n, said):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
    with pytest.raises(BadRecipe, match=said), joined(asked):
        pass


@pytest.mark.slow
def test_two_processes_train_the_network_that_one_would(tubes, tmp_path):
    recipe = replace(TASKS["ica"].preset("small"), **CHANGES, batch=4)
    split = split_patients(tubes.patients, (0.5, 0.25, 0.25), seed=recipe.seed)
    write_split(split, tubes.folder / "split.json")
    train(TASKS["ica"], recipe, tubes, split, run=Run(tmp_path / "one", device="cpu", threads=1))
    choices = ["size=48", "options={width=4}", "augment=[]", "precision=float32", "batch=2"]
    settings = [part for choice in choices for part in ("--set", choice)]

    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"),
            *("-m", "bolus", "learn", "train", "ica", "--data", tubes.folder, "-o", tmp_path / "two"),
            *("--epochs", "3", "--device", "cpu", "--threads", "1", *settings),
        ],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )

    one, two = (
        checkpoint.load_state(tmp_path / name / "state.pt", "cpu")["network"] for name in ("one", "two")
    )
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=2e-3)
    lines = (tmp_path / "two" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3"]
